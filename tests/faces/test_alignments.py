"""Alignment by the eyes against the formula it is given by."""

import numpy as np
import pytest
from skimage import transform

from mien.errors import UsageError
from mien.faces.align import FRAME_LANDMARKS
from mien.faces.alignments import align_by_eyes
from mien.recognition.recognizer import Recognizer


def smooth(height=240, width=260):
    rows, columns = np.mgrid[:height, :width]
    return (127 + 60 * np.sin(columns / 17) + 60 * np.cos(rows / 23)).astype(np.uint8)


@pytest.mark.parametrize("turn", [0.0, 0.4, -1.1])
def test_the_frame_reaches_d_aside_half_d_up_and_one_and_a_half_d_down(turn):
    """The report's words, in skimage: turn the picture about the point between the eyes, cut, shrink."""
    picture, d, (x, y) = smooth(), 48.0, (130.0, 110.0)
    across = np.array([np.cos(turn), np.sin(turn)]) * d / 2
    eyes = [(x - across[0], y - across[1]), (x + across[0], y + across[1])]
    ours = align_by_eyes(picture, [*eyes, (0.0, 0.0), (1.0, 5.0), (7.0, 7.0)])
    level = transform.rotate(picture, np.degrees(turn), center=(x - 0.5, y - 0.5), order=1, preserve_range=True)
    left, top = int(x - d), int(y - d / 2)
    cut = level[top : top + int(2 * d), left : left + int(2 * d)]
    theirs = cut.reshape(48, 2, 48, 2).mean(axis=(1, 3))
    assert np.abs(ours - theirs).max() < 2


def test_other_landmarks_than_the_eyes_have_no_say():
    picture, eyes = smooth(), [(100.0, 100.0), (140.0, 104.0)]
    one, other = (align_by_eyes(picture, [*eyes, *rest]) for rest in ([(0.0, 0.0)] * 3, [(9.0, 4.0)] * 3))
    np.testing.assert_array_equal(one, other)
    with pytest.raises(UsageError, match="2 landmarks: expected 5"):
        align_by_eyes(picture, eyes)


class _Classifier:
    def probabilities(self, faces):
        self.faces = faces
        return np.full((len(faces), 7), 1 / 7)


class _Detector:
    def detect(self, image):
        from mien.faces.detection import Detection

        return [Detection((80.0, 80.0, 90.0, 90.0), 0.9, tuple((100 + x, 100 + y) for x, y in FRAME_LANDMARKS))]


def test_a_recognizer_aligns_as_it_is_told_and_says_so():
    classifier = _Classifier()
    recognizer = Recognizer(classifier, _Detector(), alignment="eyes")
    recognizer.predict(smooth())
    landmarks = [(100 + x, 100 + y) for x, y in FRAME_LANDMARKS]
    np.testing.assert_array_equal(classifier.faces[0], align_by_eyes(smooth(), landmarks))
    assert recognizer.header.options["alignment"] == "eyes"
    assert recognizer.finder().alignment == "eyes"
    assert "alignment" not in Recognizer(classifier, _Detector()).header.options
    with pytest.raises(UsageError, match="alignment is 'nose': expected one of fer2013, eyes"):
        Recognizer(classifier, _Detector(), alignment="nose")
