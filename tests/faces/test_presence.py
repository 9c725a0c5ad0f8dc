import numpy as np
import pytest
from skimage import data, transform

from mien.faces.detection import Detection
from mien.faces.presence import FacePresence
from mien.faces.yunet import YuNetDetector


class Finder:
    """Finds a box of a given share of the canvas's side."""

    def __init__(self, share):
        self.share = share
        self.seen = []

    def detect(self, image):
        self.seen.append(image.shape)
        side = self.share * image.shape[0]
        return [Detection((0.0, 0.0, side, side), 0.9)]


@pytest.fixture(scope="module")
def presence():
    return FacePresence(YuNetDetector())


def astronaut():
    """The face of scikit-image's public-domain photo, as a 48x48 crop."""
    crop = data.astronaut()[60:180, 160:280].mean(axis=2) / 255
    return (transform.resize(crop, (48, 48), anti_aliasing=True) * 255).astype(np.uint8)


def test_sees_a_face_as_it_is_and_mirrored(presence):
    face = astronaut()
    assert presence(face)
    assert presence(face[:, ::-1])


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_shows_no_face(presence, level):
    noise = np.random.default_rng(0).normal(0, 4, (48, 48))
    assert not presence(np.clip(level + noise, 0, 255).astype(np.uint8))


def test_one_finding_is_enough_and_specks_do_not_count():
    large, small = Finder(0.9), Finder(0.2)
    assert FacePresence(large)(astronaut())
    assert len(large.seen) == 1
    assert not FacePresence(small)(astronaut())
    assert len(set(small.seen)) > 2
