import cv2
import numpy as np
import pytest

from mien.errors import UsageError
from mien.faces.detection import Detection
from mien.faces.follow import SEARCH_INTERVAL, Follower, Pace
from mien.faces.whole_image import WholeImage
from mien.faces.yunet import YuNetDetector

SHAPE = (240, 426)


class Seeing:
    """Finds white squares; keeps the shapes of what it was shown."""

    def __init__(self, score=0.9):
        self.shown = []
        self.score = score

    def detect(self, image):
        self.shown.append(image.shape[:2])
        gray = image if image.ndim == 2 else image[:, :, 0]
        _, _, stats, _ = cv2.connectedComponentsWithStats((gray > 128).astype(np.uint8))
        return [Detection(tuple(map(float, row[:4])), self.score) for row in stats[1:]]

    @property
    def searches(self):
        return [number for number, shape in enumerate(self.shown) if shape == SHAPE]


def scene(*corners, side=40):
    image = np.zeros(SHAPE, np.uint8)
    for left, top in corners:
        image[top : top + side, left : left + side] = 255
    return image


def run(follower, images, step=0.04):
    return [follower.follow(image, number, number * step) for number, image in enumerate(images)]


@pytest.mark.parametrize("every", [1, 3, 7])
def test_every_nth_picture_is_searched_whole(every):
    detector = Seeing()
    run(Follower(detector, 0.6, Pace(every)), [scene((100, 80))] * 20)
    assert len(detector.searches) == len(range(0, 20, every))
    assert len(detector.shown) == 20


def test_by_default_the_whole_picture_is_searched_by_time():
    detector = Seeing()
    run(Follower(detector, 0.6, Pace()), [scene((100, 80))] * 101)
    halves = [int(number * 0.04 / SEARCH_INTERVAL + 1e-6) for number in range(101)]
    assert detector.searches == [number for number, half in enumerate(halves) if half not in halves[:number]]


@pytest.mark.parametrize("pace", [{}, {"every": 7}])
def test_an_excerpt_has_the_frames_searched_that_the_whole_video_has(pace):
    searched = {}
    for first in (0, 31):
        kept = Pace(**pace)
        for number in range(first, 101):
            if kept.due(number, number * 0.04):
                kept.search(Seeing(), scene(), number, number * 0.04)
                searched.setdefault(first, []).append(number)
    assert searched[31] == [31, *(number for number in searched[0] if number > 31)]


def test_a_slow_search_of_a_live_source_is_made_less_often():
    seconds = iter(np.arange(0, 1000, 2.0))  # every search takes 2 s
    pace = Pace(clock=lambda: next(seconds))
    pace.search(Seeing(), scene(), 0, 0.0)
    assert not pace.due(99, 3.9)
    assert pace.due(100, 4.0)


@pytest.mark.parametrize("every", [0, -3])
def test_a_pace_out_of_range_is_refused(every):
    with pytest.raises(UsageError, match=f"every is {every}"):
        Pace(every)


def test_between_searches_a_moving_face_is_found_where_it_is():
    corners = [(60 + 5 * number, 80 + 2 * number) for number in range(25)]
    detector = Seeing()
    frames = run(Follower(detector, 0.6, Pace(1000)), [scene(corner) for corner in corners])
    assert detector.searches == [0]
    for ((detection, track),), (left, top) in zip(frames, corners, strict=True):
        assert track == 1
        np.testing.assert_allclose(detection.box, (left, top, 40, 40), atol=1)


def test_a_large_face_is_looked_for_on_few_pixels():
    detector = Seeing()
    ((found, _),) = run(Follower(detector, 0.6, Pace(1000)), [scene((100, 40), side=150)] * 2)[1]
    assert max(detector.shown[1]) <= 128
    np.testing.assert_allclose(found.box, (100, 40, 150, 150), atol=5)


def test_a_face_that_is_missed_has_the_whole_picture_searched_at_once():
    detector = Seeing()
    follower = Follower(detector, 0.6, Pace(1000))
    frames = run(follower, [scene((60, 80)), scene((61, 80)), scene((330, 20)), scene((331, 20))])
    assert [[track for _, track in frame] for frame in frames] == [[1], [1], [2], [2]]
    assert len(detector.searches) == 2


def test_a_neighbour_seen_in_passing_is_not_taken_for_another_face():
    frames = run(Follower(Seeing(), 0.6, Pace(1000)), [scene((100, 80), (150, 80))] * 5)
    assert [sorted(track for _, track in frame) for frame in frames] == [[1, 2]] * 5


def test_pictures_that_are_faces_are_one_track():
    frames = run(Follower(WholeImage(), 0.6, Pace(5)), [scene()] * 12)
    assert [[(detection.box, track) for detection, track in frame] for frame in frames] == [
        [((0.0, 0.0, 426.0, 240.0), 1)]
    ] * 12


def test_weak_detections_continue_a_face_down_to_two_thirds():
    detector = Seeing(0.9)
    follower = Follower(detector, 0.6, Pace(1))
    run(follower, [scene((60, 80))] * 2)
    for score, expected in ((0.45, 1), (0.39, 0)):
        detector.score = score
        assert len(follower.follow(scene((60, 80)), 3, 0.12)) == expected


def test_a_time_that_goes_back_counts_as_the_same_moment():
    follower = Follower(Seeing(), 0.6, Pace(1))
    times = [0.0, 0.2, 0.1, 0.3]
    tracks = [follower.follow(scene((60, 80)), number, time)[0][1] for number, time in enumerate(times)]
    assert tracks == [1] * 4


def test_a_real_face_is_found_near_as_in_the_whole_picture(stage):
    """The same landmarks, within 7 % of the face's height."""
    images = [stage((0, 100 + 3 * number, 60)) for number in range(8)]
    near, whole = (run(Follower(YuNetDetector(), 0.6, Pace(every)), images) for every in (1000, 1))
    for ((first, _),), ((second, _),) in zip(near, whole, strict=True):
        np.testing.assert_allclose(first.landmarks, second.landmarks, atol=0.07 * second.box[3])
