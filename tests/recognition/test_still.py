import numpy as np
import pytest
from scipy import ndimage, stats

from mien.face_quality import Moment, Quality
from mien.faces.detection import Detection
from mien.output.people import summarize
from mien.recognition.finder import Candidate
from mien.recognition.pipeline import Searched
from mien.recognition.still import DIFFERENT, Stillness, difference
from mien.results import Box, Face, Frame

RANDOM = np.random.default_rng(5)
FACE = ndimage.gaussian_filter(RANDOM.normal(size=(48, 48)), 3)
FACE = (128 + 60 * FACE / FACE.std()).clip(0, 255).astype(np.uint8)
OTHER = np.ascontiguousarray(FACE.T)


def searched(*crops):
    """A frame with a face of track 1, 2, ... for each crop."""
    found = Detection((0, 0, 48, 48), 0.9)
    quality = Quality(48, 1.0, 1.0)
    box = Box(0, 0, 48, 48)
    candidates = tuple(Candidate(box, found, crop, quality, number) for number, crop in enumerate(crops, 1))
    return Searched(Frame("clip.mp4"), None, candidates)


def noted(*frames):
    stillness = Stillness()
    return [[face.still for face in stillness.noted(frame).candidates] for frame in frames]


def test_a_face_is_still_through_noise_light_and_a_pixel_of_jitter():
    noisy = (FACE * 0.8 + RANDOM.normal(0, 6, FACE.shape)).clip(0, 255).astype(np.uint8)
    jittered = np.roll(noisy, (1, -2), (0, 1))
    assert noted(searched(FACE), searched(noisy), searched(jittered), searched(OTHER), searched(OTHER)) == [
        [None], [True], [True], [False], [True],
    ]  # fmt: skip


def test_people_are_told_apart_and_gaps_are_no_stillness():
    frames = searched(FACE, OTHER), searched(FACE), searched(OTHER, OTHER), searched(OTHER, OTHER)
    assert noted(*frames) == [[None, None], [True], [False, None], [True, True]]


@pytest.mark.parametrize("side", [48, 50, 112])
def test_crops_of_any_side_and_colour_are_compared(side):
    large = np.repeat(np.repeat(FACE, 3, 0), 3, 1)[:side, :side]
    colour = np.stack([large] * 3, axis=-1)
    assert noted(searched(colour), searched(colour)) == [[None], [True]]


def test_the_difference_of_aligned_faces_is_one_minus_pearsons_correlation():
    one, other = (ndimage.zoom(face.astype(float), 0.5) for face in (FACE, OTHER))
    shifts = [other[top : top + 22, left : left + 22] for top in range(3) for left in range(3)]
    best = max(stats.pearsonr(one[1:-1, 1:-1].ravel(), shifted.ravel()).statistic for shifted in shifts)
    assert difference(one, other) == pytest.approx(1 - best, abs=0.05)
    assert difference(one, other) > DIFFERENT


def test_the_summary_counts_changes_of_still_faces_only():
    """Answers alone: h h s h s s, steadied: h h h h h s; the face moves before the last but one."""
    alone, steady, still = "hhshss", "hhhhhs", [None, True, True, True, False, True]
    frames = []
    for number, (now, held, same) in enumerate(zip(alone, steady, still, strict=True)):
        face = Face(Box(0, 0, 9, 9), 0.9, {"h": 0.5, "s": 0.5}, track=1, steady=held, moment=Moment(now, same))
        frames.append(Frame("clip.mp4", number, number / 10, 20, 20, (face,)))
    (person,) = summarize(frames)
    assert person.to_dict()["noise"] == {"pairs": 4, "before": 2 / 4, "after": 1 / 4}


def test_without_pairs_there_is_no_share():
    face = Face(Box(0, 0, 9, 9), 0.9, {"h": 0.5, "s": 0.5}, track=1)
    (person,) = summarize([Frame("clip.mp4", 0, 0.0, 20, 20, (face,))])
    assert person.to_dict()["noise"] == {"pairs": 0, "before": None, "after": None}
