from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.optimize import linear_sum_assignment

from mien.faces.detection import Detection
from mien.faces.track import MAX_LOST, Track, Tracks, advance, assign, iou

MIN_SCORE = 0.6
sides = st.floats(1, 300)
boxes = st.tuples(st.floats(-100, 2000), st.floats(-100, 2000), sides, sides)
detections = st.builds(Detection, boxes, st.floats(0, 1))


def face(x, y=0.0, score=0.9, side=40.0):
    return Detection((x, y, side, side), score)


def followed(frames, step=0.04):
    """Owners in each of some frames, `step` seconds apart."""
    tracks, owners = Tracks(), []
    for number, found in enumerate(frames):
        tracks, numbers = advance(tracks, number * step, found, MIN_SCORE)
        owners.append(numbers)
    return owners


@given(arrays.arrays(float, st.tuples(st.integers(0, 7), st.integers(0, 7)), elements=st.floats(-100, 100)))
def test_an_assignment_costs_what_scipys_costs(cost):
    pairs = assign(cost)
    assert len(pairs) == min(cost.shape)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    best = cost[linear_sum_assignment(cost)].sum()
    assert sum(cost[pair] for pair in pairs) == pytest.approx(best, abs=1e-6)


@given(boxes, boxes)
def test_overlap_is_symmetric_and_one_only_with_itself(first, second):
    both = iou([first, second], [first, second])
    np.testing.assert_allclose(both, both.T)
    np.testing.assert_allclose(np.diag(both), 1)
    assert ((both >= 0) & (both <= 1 + 1e-9)).all()


@pytest.mark.parametrize(
    ("other", "expected"), [((10, 0, 10, 10), 0), ((5, 0, 10, 10), 1 / 3), ((0, 0, 10, 5), 1 / 2), ((2, 2, 5, 5), 0.25)]
)
def test_overlap_in_closed_form(other, expected):
    assert iou([(0, 0, 10, 10)], [other])[0, 0] == pytest.approx(expected)


@settings(max_examples=40)
@given(st.lists(st.lists(detections, max_size=6), max_size=12), st.floats(0.01, 0.9))
def test_numbers_are_unique_in_a_frame_and_grow_by_one(frames, step):
    highest, tracks = 0, Tracks()
    for index, found in enumerate(frames):
        tracks, numbers = advance(tracks, index * step, found, MIN_SCORE)
        given_out = [number for number in numbers if number is not None]
        assert len(set(given_out)) == len(given_out)
        born = sorted(number for number in given_out if number > highest)
        assert born == list(range(highest + 1, highest + 1 + len(born)))
        highest += len(born)
        good = [detection.score >= MIN_SCORE for detection in found]
        assert all(number is not None for number, sure in zip(numbers, good, strict=True) if sure)
        assert {track.number for track in tracks.alive} >= set(given_out)
        assert all(index * step - track.seen <= MAX_LOST for track in tracks.alive)
        assert tracks.next_number == highest + 1


@given(st.lists(detections, max_size=6), st.randoms())
def test_the_order_of_detections_does_not_matter(found, random):
    tracks, _ = advance(Tracks(), 0.0, found, MIN_SCORE)
    order = list(range(len(found)))
    random.shuffle(order)
    _, straight = advance(tracks, 0.1, found, 2.0)
    _, shuffled = advance(tracks, 0.1, [found[index] for index in order], 2.0)
    assert sum(number is not None for number in straight) == sum(number is not None for number in shuffled)


@settings(max_examples=30)
@given(st.floats(-400, 400), st.floats(-400, 400))
def test_a_face_that_moves_steadily_keeps_its_number(across, down):
    path = [[face(across * 0.04 * number, down * 0.04 * number)] for number in range(30)]
    assert followed(path) == [[1]] * 30


def test_two_people_who_cross_keep_their_numbers():
    frames = [[face(8.0 * number), face(400 - 8.0 * number, 12)] for number in range(50)]
    assert followed(frames) == [[1, 2]] * 50


def test_two_people_who_cross_while_one_is_hidden_keep_their_numbers():
    frames = []
    for number in range(50):
        front, behind = face(8.0 * number), face(400 - 8.0 * number, 8)
        hidden = iou([front.box], [behind.box])[0, 0] > 0.25
        frames.append([front] if hidden else [front, behind])
    owners = followed(frames)
    assert owners[0] == owners[-1] == [1, 2]
    assert all(numbers[0] == 1 for numbers in owners)


def test_a_weak_detection_continues_a_face_and_begins_none():
    assert followed([[face(0, score=0.4)], [face(0)], [face(2, score=0.4)], [face(4, score=0.4)]]) == [
        [None], [1], [1], [1],
    ]  # fmt: skip


def test_a_face_seen_once_is_forgotten_at_once():
    assert followed([[face(0)], [], [face(0)]]) == [[1], [], [2]]


@pytest.mark.parametrize(("away", "number"), [(0.9, 1), (1.1, 2)])
def test_a_face_comes_back_under_its_number_within_a_second(away, number):
    tracks = Tracks((Track(1, face(0).box, seen=5.0, sightings=9),), 2)
    tracks, _ = advance(tracks, 5.0 + away / 2, [], MIN_SCORE)
    assert advance(tracks, 5.0 + away, [face(3)], MIN_SCORE)[1] == [number]


def test_a_lost_face_is_expected_where_its_motion_led_then_stands_still():
    track = Track(1, (10, 20, 40, 50), seen=1.0, velocity=(100, -50), sightings=5)
    assert track.box_at(1.2) == pytest.approx((30, 10, 40, 50))
    assert track.box_at(9.0) == pytest.approx((40, 5, 40, 50))
    assert replace(track, velocity=(0.0, 0.0)).box_at(3.0) == track.box


def test_two_frames_of_one_time_are_followed():
    tracks, _ = advance(Tracks(), 1.0, [face(0)], MIN_SCORE)
    tracks, numbers = advance(tracks, 1.0, [face(5)], MIN_SCORE)
    assert numbers == [1]
    assert tracks.alive[0].box == face(5).box


def test_the_nearest_pairing_of_all_wins_over_the_nearest_of_each():
    first, second = face(0), face(20)
    assert followed([[first, second]] * 2 + [[face(14), face(32)]])[-1] == [1, 2]
