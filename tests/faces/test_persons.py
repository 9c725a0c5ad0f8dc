"""Numbers of people, by planted comings and goings."""

from itertools import pairwise

import numpy as np
import pytest

from mien.faces.cuts import correlation
from mien.faces.persons import ABSENCE, Persons
from mien.results import Box

FACES = np.random.default_rng(0).integers(0, 256, (4, 48, 48), np.uint8)
"""Faces of people who do not look alike."""


def seen(track, left=100, size=40, looks=0):
    return track, Box(left, 50, size, size), FACES[looks]


def numbered(*moments, **options):
    """The numbers of the faces at moments of (time, faces)."""
    persons = Persons(**options)
    return [persons.numbers(faces, time) for time, faces in moments]


def test_people_are_numbered_in_the_order_in_which_they_come():
    found = numbered((0.0, [seen(7)]), (0.1, [seen(9, 300, looks=1), seen(7)]), (0.2, [seen(7), seen(9, 300, looks=1)]))
    assert found == [[1], [2, 1], [1, 2]]


@pytest.mark.parametrize(
    ("back", "number"),
    [
        ({"left": 100}, 1),
        ({"left": 139}, 1),
        ({"left": 145}, 2),  # farther away than a height
        ({"left": 100, "size": 60}, 1),
        ({"left": 95, "size": 70}, 2),  # closer than 1.6 times
    ],
)
def test_who_comes_back_near_the_same_place_is_the_same_person(back, number):
    assert numbered((0.0, [seen(1)]), (0.1, []), (3.0, [seen(2, **back, looks=1)])) == [[1], [], [number]]


def test_who_walks_at_a_few_frames_a_second_is_the_same_person():
    steps = [(0.4 * number, [seen(number + 1, 100 + 75 * number)]) for number in range(5)]
    assert numbered(*steps) == [[1]] * 5


def test_who_was_away_for_long_is_another_person():
    for seconds, number in ((ABSENCE - 0.01, 1), (ABSENCE + 0.01, 2)):
        assert numbered((0.0, [seen(1)]), (seconds, [seen(2)]))[-1] == [number]
    assert numbered((0.0, [seen(1)]), (2.0, [seen(2)]), absence=1.0)[-1] == [2]


def test_of_two_who_left_the_nearer_one_is_back_and_nobody_is_there_twice():
    both = [seen(1, 100), seen(2, 130, looks=1)]
    assert numbered((0.0, both), (0.1, []), (1.0, [seen(3, 128)]), (1.5, [seen(3, 128), seen(4, 104)]))[2:] == [
        [2],
        [2, 1],
    ]
    assert numbered((0.0, [seen(1)]), (0.1, [seen(1), seen(2, 110, looks=1)]))[-1] == [1, 2]


def test_a_track_whose_face_is_another_one_from_sight_to_sight_is_another_person():
    assert numbered((0.0, [seen(1)]), (0.1, [seen(1, looks=1)]), (0.2, [seen(1, looks=1)])) == [[1], [2], [2]]
    assert numbered((0.0, [seen(1)]), (0.9, [seen(1, looks=1)])) == [[1], [1]]  # too far apart to compare


def test_nobody_spans_a_cut_and_everybody_is_there_after_a_flash():
    persons = Persons()
    assert persons.numbers([seen(1)], 0.0) == [1]
    persons.cut(back=False)
    assert persons.numbers([seen(2)], 0.1) == [2]
    persons.cut(back=True)
    assert persons.numbers([seen(3)], 0.2) == [1]
    persons.cut(back=False)
    assert persons.numbers([seen(4)], 0.3) == [3]


def test_the_correlation_is_numpys():
    for one, other in pairwise(FACES):
        expected = np.corrcoef(one.ravel(), other.ravel())[0, 1]
        assert correlation(one, other) == pytest.approx(expected, abs=1e-9)
    blank = np.full((48, 48), 9, np.uint8)
    assert (correlation(blank, blank), correlation(blank, FACES[0])) == (1, 0)
    assert correlation(FACES[0], 255 - FACES[0]) == pytest.approx(-1)
