import csv
import io
import json

import numpy as np
import pytest
from PIL import Image, ImageDraw
from skimage import data

import mien as package
from mien.errors import ModelFileError, UsageError
from mien.model.embedded import embedded_versions
from mien.model.onnx_model import Bundle


def cartoon():
    image = Image.new("L", (192, 192), 200)
    pen = ImageDraw.Draw(image)
    pen.ellipse([15, 10, 177, 182], fill=250, outline=0, width=6)
    for left in (55, 115):
        pen.ellipse([left, 60, left + 22, 90], fill=0)
    pen.arc([55, 80, 137, 150], 20, 160, fill=0, width=6)
    return np.array(image)


@pytest.fixture(scope="module")
def careful():
    return package.Recognizer(detector="none", sets=0.9, out_of_place=True, threads=1)


@pytest.fixture(scope="module")
def astronaut():
    return package.Recognizer(sets=0.9, out_of_place=True, threads=1).predict(data.astronaut())[0]


def test_answers_are_those_without_them(astronaut):
    (plain,) = package.Recognizer(threads=1).predict(data.astronaut())
    assert plain.emotions is plain.typicality is plain.out_of_place is None
    assert list(astronaut.probabilities.values()) == pytest.approx(list(plain.probabilities.values()), abs=1e-5)


def test_a_set_holds_what_reaches_its_threshold(careful):
    picture = np.random.default_rng(3).integers(0, 256, (48, 48), np.uint8)
    (face,) = careful.predict(picture)
    least = dict(zip(face.probabilities, careful.classifier.trust.thresholds(0.9), strict=True))
    inside = [name for name, share in face.probabilities.items() if share >= least[name]]
    ranked = sorted(inside, key=face.probabilities.__getitem__, reverse=True)
    assert list(face.emotions) == (ranked or [face.emotion])


def test_a_cartoon_is_out_of_place_and_an_astronaut_is_not(careful, astronaut):
    (drawn,) = careful.predict(cartoon())
    assert drawn.out_of_place
    assert not astronaut.out_of_place
    assert astronaut.typicality > 0.5


@pytest.mark.parametrize("version", embedded_versions())
def test_every_embedded_model_has_a_trust_file_with_features(version):
    trust = Bundle.load(version).trust
    assert trust.has_features
    assert trust.faces == 1797  # the larger half of PublicTest, class by class
    assert (trust.thresholds(0.99) <= trust.thresholds(0.8)).all()


def test_json_and_rows_hold_what_was_asked_for(mien, tmp_path):
    Image.fromarray(data.astronaut()).save(tmp_path / "a.png")
    rows = mien("predict", tmp_path / "a.png", "--sets", "0.9", "--out-of-place", "--format", "csv").stdout
    (row,) = csv.DictReader(io.StringIO(rows))
    (frame,) = json.loads(mien("predict", tmp_path / "a.png", "--sets", "0.9", "--format", "json").stdout)["frames"]
    (face,) = frame["faces"]
    assert row["emotions"] == "|".join(face["emotions"])
    assert row["out_of_place"] == "False"
    assert 0 < float(row["typicality"]) <= 1
    assert "typicality" not in face


def test_the_table_shows_the_likeliest_expression_beside_a_set_that_leaves_it_out(mien, tmp_path):
    """To mien_s-2 plain grey is happy with 23 %, which is less than all but a tenth of the happy faces reach."""
    Image.new("L", (300, 300), 128).save(tmp_path / "grey.png")
    Image.fromarray(data.astronaut()).save(tmp_path / "astronaut.png")
    pictures = [tmp_path / "grey.png", tmp_path / "astronaut.png"]
    asked = ["predict", *pictures, "--detector", "none", "--model", "mien_s-2"]
    heading, grey, _ = mien(*asked, "--sets", "0.9").stdout.splitlines()
    assert heading.split()[-1] == "set"
    likeliest, held = grey.split()[2], grey.split("300 x 300")[1]
    assert likeliest == "happy"
    assert "|" in held
    assert likeliest not in held
    assert "set" not in mien(*asked).stdout.splitlines()[0].split()


@pytest.mark.parametrize("options", [{"sets": 0.9}, {"out_of_place": True}])
def test_only_a_model_with_a_trust_file_can_say(tmp_path, write_linear_model, options):
    class Own:
        def probabilities(self, faces):
            return np.full((len(faces), 7), 1 / 7)

    with pytest.raises(UsageError, match=r"need a model file with a file \.trust\.npz beside it"):
        package.Recognizer(Own(), **options)
    with pytest.raises(ModelFileError, match=r"linear\.trust\.npz: cannot be read .*; make it with `mien evaluate"):
        package.Recognizer(write_linear_model(tmp_path / "linear.onnx"), **options)


def test_a_level_out_of_range_is_refused():
    with pytest.raises(UsageError, match="level of the sets is 90"):
        package.Recognizer(sets=90)
