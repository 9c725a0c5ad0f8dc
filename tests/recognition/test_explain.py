import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import special
from skimage import data
from sklearn.linear_model import Ridge

import mien as package
from mien.errors import UsageError
from mien.recognition.explain import COPIES, GRID, evidence

SIDE = GRID * 8


class Patch:
    """Reads one class off the brightness of a patch of the face, in log odds; the other is its contrary."""

    labels = ("bright", "dark")

    def __init__(self, rows, columns, gain=0.02):
        self.place, self.gain, self.asked = (slice(None), rows, columns), gain, []

    def probabilities(self, faces):
        self.asked.append(len(faces))
        grey = faces if faces.ndim == 3 else faces.mean(axis=-1)
        odds = self.gain * (grey[self.place].mean(axis=(1, 2)) - 128)
        bright = special.expit(odds)
        return np.stack([bright, 1 - bright], axis=1)


def face(channels=1):
    """Grey 100, and a bright cell in the middle row, second column of the grid."""
    picture = np.full((SIDE, SIDE, channels), 100, np.uint8)
    picture[24:32, 8:16] = 220
    return picture[..., 0] if channels == 1 else picture


@pytest.mark.parametrize("channels", [1, 3])
def test_the_evidence_lies_where_the_model_looks(channels):
    patch = Patch(slice(24, 32), slice(8, 16))
    bright, dark = evidence(patch, face(channels))
    assert patch.asked == [COPIES]
    assert bright.shape == (SIDE, SIDE)
    row, column = np.unravel_index(bright.argmax(), bright.shape)
    assert 24 <= row < 32
    assert 8 <= column < 16
    np.testing.assert_allclose(dark, -bright, atol=1e-12)
    far = bright[:, 32:]
    assert np.abs(far).max() < 0.15 * bright.max()


def test_the_evidence_is_that_of_scikit_learns_ridge_regression():
    """Cells of 9 px have a pixel in their very middle, where a copy shows either the face or its mean."""
    side, seen = GRID * 9, []
    picture = np.where(np.random.default_rng(4).random((side, side)) < 0.5, 20, 230).astype(np.uint8)
    patch = Patch(slice(10, 40), slice(5, 60), gain=0.05)

    class Watching:
        def probabilities(self, faces):
            seen.append(faces)
            return patch.probabilities(faces)

    bright, _ = evidence(Watching(), picture)
    (copies,) = seen
    shown = copies[:, 4::9, 4::9] == picture[4::9, 4::9]
    answers = patch.probabilities(copies)[:, 0]
    ridge = Ridge(alpha=5.0).fit(shown.reshape(COPIES, -1), np.log(answers / (1 - answers)))
    np.testing.assert_allclose(bright[4::9, 4::9].ravel(), ridge.coef_, atol=1e-9)


def test_the_map_of_a_face_is_always_the_same():
    patch = Patch(slice(0, 20), slice(0, 20))
    np.testing.assert_array_equal(evidence(patch, face()), evidence(patch, face()))


def test_a_model_that_looks_nowhere_has_no_evidence():
    assert np.abs(evidence(Patch(slice(0, 9), slice(0, 9), gain=0.0), face())).max() < 1e-12


def test_a_sure_model_has_finite_evidence():
    assert np.isfinite(evidence(Patch(slice(24, 32), slice(8, 16), gain=1000.0), face())).all()


@pytest.fixture(scope="module")
def astronaut():
    return package.recognize(data.astronaut())


@pytest.fixture(scope="module")
def explained(astronaut):
    (explanation,) = astronaut.explain()
    return explanation


def test_a_smile_is_read_off_the_mouth(explained):
    """Of a frame of 48 rows the mouth lies around row 36."""
    happy = explained.maps["happy"]
    assert explained.face.emotion == "happy"
    row, column = np.unravel_index(happy.argmax(), happy.shape)
    assert 30 <= row < 46
    assert 12 <= column < 36


def test_the_overlay_has_a_tile_for_each_expression_and_the_colours_of_the_legend(explained):
    two, three = explained.annotated(), explained.annotated("surprise")
    assert three.shape[0] == two.shape[0]
    assert three.shape[1] - two.shape[1] == 252
    colours = three.reshape(-1, 3).astype(int)
    warm, cold = colours[:, 0] - colours[:, 2], colours[:, 2] - colours[:, 0]
    assert warm.max() > 100
    assert cold.max() > 100
    np.testing.assert_array_equal(explained.annotated("happy"), two)  # the likeliest is drawn once


def test_json_holds_the_maps_that_are_asked_for(explained):
    values = json.loads(json.dumps(explained.to_dict("sad")))
    assert list(values["maps"]) == ["happy", "sad"]
    np.testing.assert_allclose(values["maps"]["sad"], explained.maps["sad"], atol=1e-4)
    assert values["emotion"] == "happy"
    assert values["method"] == "rise"


def test_an_unknown_expression_is_refused(explained):
    with pytest.raises(UsageError, match="no expression 'joy': expected one of angry"):
        explained.annotated("joy")


def test_faces_from_elsewhere_are_not_explained(astronaut):
    bare = package.Recognized(astronaut.frame, astronaut.image)
    with pytest.raises(UsageError, match="cannot be explained"):
        bare.explain()


def test_results_still_go_to_other_processes(astronaut):
    back = pickle.loads(pickle.dumps(astronaut))
    assert back.frame == astronaut.frame
    np.testing.assert_array_equal(back.image, astronaut.image)


def test_the_command_writes_overlay_and_json(mien, tmp_path):
    Image.fromarray(data.astronaut()).save(tmp_path / "astronaut.png")
    done = mien("explain", tmp_path / "astronaut.png", "--emotion", "sad", "--out", tmp_path / "out", "--json")
    assert done.returncode == 0
    document = json.loads(done.stdout)
    (picture,) = document["pictures"]
    assert document["model"]["name"].startswith("mien_s-")
    assert list(picture["faces"][0]["maps"]) == ["happy", "sad"]
    assert json.loads((tmp_path / "out" / "astronaut.explained.mien.json").read_text()) == picture
    with Image.open(tmp_path / "out" / "astronaut.explained.mien.png") as sheet:
        assert sheet.width > 3 * 240
    again = mien("explain", tmp_path / "out", "--out", tmp_path / "more")
    assert again.returncode == 1  # nothing of mien's own is read back


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.png", "--emotion", "joy"], "--emotion joy: expected one of angry"),
        (["a.png", "--method", "grad-cam"], "needs gradients: mien_s is a model file"),
        (["clip.mp4"], "clip.mp4 is a video: expected pictures"),
    ],
)
def test_what_cannot_be_explained_is_refused(mien, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").write_bytes(b"\0\0\0\x18ftypmp42")
    done = mien("explain", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in " ".join(done.stderr.split())


def test_a_video_among_the_pictures_of_a_folder_is_named_and_left_out(mien, tmp_path):
    pictures = [tmp_path / "a.png", tmp_path / "a.jpg"]
    for picture in pictures:
        Image.fromarray(data.astronaut()).save(picture)
    (tmp_path / "clip.mp4").write_bytes(b"\0\0\0\x18ftypmp42")
    done = mien("explain", tmp_path, "--out", tmp_path / "out")
    assert done.returncode == 0
    assert f"left out {tmp_path / 'clip.mp4'}: a video" in " ".join(done.stderr.split())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "a-2.explained.mien.json", "a-2.explained.mien.png", "a.explained.mien.json", "a.explained.mien.png",
    ]  # fmt: skip
    for picture in pictures:
        picture.unlink()
    assert mien("explain", tmp_path, "--out", tmp_path / "out").returncode == 2


def test_what_is_named_beside_pictures_and_is_none_fails_alone(mien, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(data.astronaut()).save("a.png")
    Image.new("L", (40, 40)).save("moves.gif", save_all=True, append_images=[Image.new("L", (40, 40), 99)])
    Path("empty.jpg").touch()
    done = mien("explain", "a.png", "empty.jpg", "nowhere.jpg", "moves.gif", "--out", "out", "--json")
    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    for name in ("empty.jpg", "nowhere.jpg", "moves.gif is a video: expected pictures"):
        assert name in said
    assert "3 of 4 failed" in said
    assert Path("out/a.explained.mien.png").exists()
    pictures = json.loads(done.stdout)["pictures"]
    assert [(entry["source"], bool(entry["error"])) for entry in pictures] == [
        ("a.png", False), ("empty.jpg", True), ("nowhere.jpg", True), ("moves.gif", True),
    ]  # fmt: skip
