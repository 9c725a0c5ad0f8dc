import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.output.drawing import annotate
from mien.output.places import Occupied, Place
from mien.results import Box, Face

SIDES = st.integers(1, 40) | st.integers(1, 3000)
PLACES = st.builds(Place, st.integers(-100, 3000), st.integers(-100, 3000), SIDES, SIDES)


@given(st.lists(PLACES, max_size=60), PLACES)
def test_what_is_near_holds_all_that_meets(places, place):
    near = list(Occupied(places).near(place))
    assert {id(other) for other in near} <= {id(other) for other in places}
    assert {id(other) for other in places if place.meets([other])} == {
        id(other) for other in near if place.meets([other])
    }


def test_a_face_is_left_out_and_its_double_is_not():
    one, double = Place(5, 5, 20, 20), Place(5, 5, 20, 20)
    assert [other is double for other in Occupied([one, double]).near(one, but=one)] == [True]


@pytest.mark.parametrize("step", [40, 24])
def test_the_work_of_a_crowd_grows_with_its_faces_not_with_their_square(monkeypatch, step):
    """Counted, not timed: the rectangles that are looked at. Faces apart, and so close that they fill the picture."""
    looked = 0

    def counted(others):
        nonlocal looked
        for other in others:
            looked += 1
            yield other

    meets = Place.meets
    monkeypatch.setattr(Place, "meets", lambda self, others: meets(self, counted(others)))
    counts = []
    for rows in (10, 20):
        looked, cells = 0, [(column, row) for column in range(2 * rows) for row in range(rows)]
        faces = [Face(Box(column * step, row * step, 18, 22), 0.9, {"happy": 0.8, "sad": 0.2}) for column, row in cells]
        annotate(np.full((rows * step, 2 * rows * step, 3), 128, np.uint8), faces)
        counts.append(looked)
    assert counts[1] < 6 * counts[0]  # of four times the faces; every pair would be 16 times the work
