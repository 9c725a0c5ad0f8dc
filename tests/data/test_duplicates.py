import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mien.data.duplicates import first_identical, groups_of, linked


@given(st.lists(st.integers(0, 5), max_size=30))
def test_first_identical_is_the_first_of_each_kind(kinds):
    faces = np.random.default_rng(0).integers(0, 256, (6, 4, 4), np.uint8)[kinds]
    assert first_identical(faces).tolist() == [kinds.index(kind) for kind in kinds]


def test_one_pixel_makes_another_face():
    faces = np.zeros((2, 48, 48), np.uint8)
    faces[1, 47, 47] = 1
    assert first_identical(faces).tolist() == [0, 1]


def test_groups_have_two_members_and_come_by_the_first():
    groups = groups_of(np.array([7, 3, 7, 5, 3, 3, 9]))
    assert [rows.tolist() for rows in groups] == [[0, 2], [1, 4, 5]]
    assert groups_of(np.empty(0, np.intp)) == []


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30))
def test_links_make_the_components_that_scipy_finds(links):
    rows, others = (np.array(end, np.intp) for end in (zip(*links, strict=True) if links else ((), ())))
    found = linked(20, rows, others)
    _, component = connected_components(coo_array((np.ones(len(rows)), (rows, others)), shape=(20, 20)), directed=False)
    assert found.tolist() == [int(np.flatnonzero(component == number)[0]) for number in component]
