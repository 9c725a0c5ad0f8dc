"""Which faces are left out, and which expressions are certain, in Python, on the command line and in summaries."""

import json

import numpy as np
import pytest
from PIL import Image
from skimage import data
from typer.testing import CliRunner

import mien
from mien.cli.main import app
from mien.cli.predict_tables import percents_of
from mien.errors import UsageError
from mien.faces.detection import Detection
from mien.faces.quality import pose
from mien.results import Face, Frame

TURNED = ((70.0, 30.0), (80.0, 30.0), (82.0, 40.0), (71.0, 50.0), (80.0, 50.0))
FRONTAL = ((20.0, 30.0), (38.0, 30.0), (29.0, 40.0), (22.0, 48.0), (36.0, 48.0))


class Two:
    """A frontal face of 50 pixels and a turned one of 60."""

    def detect(self, image):
        return [Detection((10.0, 10.0, 40.0, 50.0), 0.9, FRONTAL), Detection((55.0, 10.0, 40.0, 60.0), 0.9, TURNED)]


class Likely:
    """Happy to 60 %."""

    def probabilities(self, faces):
        return np.tile([0.1, 0.05, 0.05, 0.6, 0.1, 0.05, 0.05], (len(faces), 1))


IMAGE = np.zeros((100, 120, 3), np.uint8)


def sizes(**options):
    found = mien.Recognizer(Likely(), Two(), **options).predict(IMAGE)
    return [face.quality.face_size for face in found]


def test_small_and_turned_faces_are_left_out():
    assert abs(pose(FRONTAL)[0]) < 1
    assert pose(TURNED)[0] > 30
    assert sizes() == [60, 50]
    assert sizes(min_face=51) == [60]
    assert sizes(max_yaw=30) == [50]
    assert sizes(min_face=51, max_yaw=30) == []


def test_a_probability_that_is_too_low_is_not_certain_in_pictures_and_videos():
    for least, certain in ((0.6, True), (0.61, False)):
        recognizer = mien.Recognizer(Likely(), Two(), min_probability=least)
        assert {face.certain for face in recognizer.predict(IMAGE)} == {certain}
        assert recognizer.header.options["min_probability"] == least
        person = mien.summarize([Frame("v", n, n / 2, 120, 100, (one(least),)) for n in range(3)])[0]
        assert (person.shares["happy"], person.uncertain) == (float(certain), float(not certain))


def one(least, track=1):
    return Face(mien.Box(1, 1, 9, 9), 0.9, (0.1, 0.05, 0.05, 0.6, 0.1, 0.05, 0.05), track=track, min_probability=least)


def test_what_is_not_certain_is_counted_apart_and_all_shares_sum_to_one():
    frames = [Frame("v", n, float(n), 120, 100, (one(0.9 if n % 3 == 0 else 0.0),)) for n in range(9)]
    (person,) = mien.summarize(frames)
    assert person.uncertain == pytest.approx(1 / 3)
    assert person.shares["happy"] == pytest.approx(2 / 3)
    assert sum(person.shares.values()) + person.uncertain == pytest.approx(1)
    assert person.changes == 0
    assert person.to_dict()["uncertain"] == person.uncertain


@pytest.mark.parametrize("count", [1, 2, 3, 7, 30])
def test_percents_sum_to_100_and_are_off_by_less_than_one(count):
    for seed in range(20):
        shares = np.random.default_rng(seed).dirichlet([0.4] * count)
        percents = percents_of(shares.tolist())
        assert sum(percents) == 100
        assert np.abs(100 * shares - percents).max() < 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"min_probability": 1.1}, "min_probability is 1.1: expected 0..1"),
        ({"max_yaw": -1}, "max_yaw is -1: expected 0..90 degrees"),
        ({"max_yaw": 30, "detector": "none"}, "detector 'none' does not give: use 'yunet'"),
        ({"min_face": 3}, "min_face is 3: expected a whole number"),
    ],
)
def test_what_faces_cannot_be_judged_by_is_refused(options, says):
    with pytest.raises(UsageError, match=says):
        mien.Recognizer(Likely(), **options)


def test_the_command_line_marks_and_leaves_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(data.astronaut()).save("a.png")

    def faces(*options):
        return json.loads(CliRunner().invoke(app, ["predict", "a.png", "--format", "jsonl", *options]).stdout)["faces"]

    (face,) = faces("--min-probability", "0.5")
    assert face["certain"]
    assert abs(face["yaw"]) < 40
    assert face["face_size"] == face["box"][3]
    assert [face["certain"] for face in faces("--min-probability", "0.999")] == [False]
    assert faces("--max-yaw", str(abs(face["yaw"]) - 0.2)) == []
    assert faces("--min-face", str(face["face_size"] + 1)) == []
    table = CliRunner().invoke(app, ["predict", "a.png", "--min-probability", "0.999"]).stdout
    assert "happy ?" in table
    refused = CliRunner().invoke(app, ["predict", "a.png", "--max-yaw", "91"])
    assert refused.exit_code == 2
