"""What deepface's README, docstring and tests promise of `analyze` for expressions."""

import io

import numpy as np
import pytest
from PIL import Image
from skimage import data

import mien
from mien.compat import deepface as DeepFace

ASTRONAUT = data.astronaut()
BGR = np.ascontiguousarray(ASTRONAUT[:, :, ::-1])
EYES = {"left_eye": (247, 103), "right_eye": (202, 101)}
"""Of the astronaut, as a person sees them: her left eye stands right in the picture."""


@pytest.fixture(scope="module")
def expected():
    (face,) = mien.analyze(ASTRONAUT)
    return face


def test_a_face_has_deepfaces_keys(expected):
    (face,) = DeepFace.analyze(BGR, actions=["emotion"], silent=True)
    assert set(face) == {"emotion", "dominant_emotion", "region", "face_confidence"}
    assert sum(face["emotion"].values()) == pytest.approx(100)
    assert face["emotion"] == pytest.approx({name: 100 * value for name, value in expected.probabilities.items()})
    assert face["dominant_emotion"] == max(face["emotion"], key=face["emotion"].get) == "happy"
    assert face["face_confidence"] == expected.confidence
    assert [face["region"][key] for key in "xywh"] == list(expected.box)
    for eye, place in EYES.items():
        assert face["region"][eye] == pytest.approx(place, abs=5)


def test_pictures_come_in_many_forms(tmp_path):
    Image.fromarray(ASTRONAUT).save(tmp_path / "a.png")
    once = DeepFace.analyze(BGR, "emotion")
    with (tmp_path / "a.png").open("rb") as file:
        assert DeepFace.analyze(file) == once
    assert DeepFace.analyze(str(tmp_path / "a.png")) == once
    assert DeepFace.analyze(io.BytesIO((tmp_path / "a.png").read_bytes())) == once
    assert DeepFace.analyze([BGR, BGR]) == [once, once]
    assert DeepFace.analyze(np.stack([BGR, BGR])) == [once, once]


def test_every_face_is_there():
    found = DeepFace.analyze(np.hstack([BGR, BGR]))
    assert sorted(face["region"]["x"] // 512 for face in found) == [0, 1]


def test_a_picture_without_a_face_is_an_error_unless_told_otherwise():
    black = np.zeros([224, 220, 3])
    with pytest.raises(ValueError, match=r"Face could not be detected."):
        DeepFace.analyze(black)
    (face,) = DeepFace.analyze(black, enforce_detection=False)
    assert face["region"] == {"x": 0, "y": 0, "w": 220, "h": 224, "left_eye": None, "right_eye": None}
    assert face["face_confidence"] == 0


def test_skip_reads_the_whole_picture():
    crop = np.random.default_rng(1).integers(0, 256, (48, 48), np.uint8)
    (face,) = DeepFace.analyze(crop, detector_backend="skip")
    (whole,) = mien.analyze(crop, detector="none")
    assert face["emotion"] == pytest.approx({name: 100 * value for name, value in whole.probabilities.items()})


def test_without_alignment_the_box_is_cut_out(expected):
    (face,) = DeepFace.analyze(BGR, align=False)

    class Boxed:
        def detect(self, _):
            return [mien.Detection(tuple(map(float, expected.box)), 1.0)]

    (boxed,) = mien.analyze(ASTRONAUT, detector=Boxed())
    assert face["emotion"]["happy"] == pytest.approx(100 * boxed.probabilities["happy"], abs=2)
    assert face["region"]["left_eye"] == pytest.approx(EYES["left_eye"], abs=5)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"actions": ("age", "emotion")}, "leave age out"),
        ({"detector_backend": "dlip"}, "detector_backend is 'dlip'"),
        ({"anti_spoofing": True}, "anti_spoofing"),
    ],
)
def test_what_mien_cannot_do_is_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        DeepFace.analyze(BGR, **wrong)


@pytest.mark.parametrize("picture", [None, "missing.jpg", __file__])
def test_what_is_no_picture_is_a_value_error(picture):
    with pytest.raises(ValueError, match=r"picture|missing"):
        DeepFace.analyze(picture)


def test_an_option_without_effect_says_so():
    with pytest.warns(UserWarning, match="expand_percentage has no effect"):
        DeepFace.analyze(BGR, expand_percentage=10)
