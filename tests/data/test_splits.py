import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.data.splits import held_out_rows, identical_rows, read_row_list, training_rows
from mien.data.store import FaceStore, StoreMeta
from mien.errors import DataError


def store_of(kinds, usages):
    """A store in which rows of one kind have the same pixels."""
    faces = np.random.default_rng(0).integers(0, 256, (10, 48, 48), dtype=np.uint8)[list(kinds)]
    return FaceStore(
        faces, np.zeros(len(kinds), np.uint8), np.array(usages, np.uint8), StoreMeta(len(kinds), "planted", "0" * 64)
    )


PLANTED = store_of(kinds=[0, 1, 2, 0, 3, 1, 4, 5, 0, 1], usages=[0, 0, 0, 0, 0, 1, 0, 0, 2, 2])
"""Training rows 0 1 2 3 4 6 7; row 1 equals PublicTest 5 and PrivateTest 9, rows 0 and 3 equal PrivateTest 8."""


def row_list(tmp_path, text):
    path = tmp_path / "seen.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_leaves_out_planted_rows():
    rows = training_rows(PLANTED).rows
    assert rows.tolist() == [2, 4, 6, 7]
    assert rows.dtype == np.intp


def test_one_pixel_makes_a_difference():
    store = store_of([0, 0], [0, 1])
    store.faces[0, 47, 47] ^= 1
    assert training_rows(store).rows.tolist() == [0]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), max_size=30))
def test_agrees_with_comparing_all_pairs(rows):
    store = store_of([kind for kind, _ in rows], [usage for _, usage in rows])
    tests = {kind for kind, usage in rows if usage > 0}
    expected = [row for row, (kind, usage) in enumerate(rows) if usage == 0 and kind not in tests]
    if not expected:
        with pytest.raises(DataError, match="no Training rows"):
            training_rows(store)
        return
    chosen = training_rows(store)
    assert chosen.rows.tolist() == expected
    assert sum(chosen.dropped.values()) == sum(usage == 0 for _, usage in rows) - len(expected)


def test_every_dropped_row_is_counted_once_under_the_first_reason(tmp_path):
    chosen = training_rows(PLANTED, row_list(tmp_path, "# seen\n1\n2\n\n 6 # twice\n6\n8\n"))
    assert chosen.rows.tolist() == [4, 7]
    assert chosen.dropped == {
        "identical to a PublicTest row": 1,
        "identical to a PrivateTest row": 2,
        "named in seen.txt": 2,
    }


def test_without_a_reason_nothing_is_dropped():
    chosen = training_rows(store_of([0, 1, 2], [0, 0, 1]))
    assert (chosen.rows.tolist(), chosen.dropped) == ([0, 1], {})


@pytest.mark.parametrize("usages", [[1, 2], [0, 1]])
def test_no_row_left_is_an_error(usages):
    with pytest.raises(DataError, match="no Training rows"):
        training_rows(store_of([0, 0], usages))


def test_reads_a_row_list(tmp_path):
    rows = read_row_list(row_list(tmp_path, "\ufeff9\r\n# note\r\n\r\n0\r\n9"), 10)
    assert rows.tolist() == [0, 9]
    assert rows.dtype == np.intp


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1\n10\n", r"seen\.txt: line 2 is '10': expected a row number 0\.\.9"),
        ("-1\n", "line 1 is '-1'"),
        ("# a\n1.5", r"line 2 is '1\.5'"),
        ("1 2", "line 1 is '1 2'"),
        ("²", "line 1 is '²'"),
        ("9" * 5000, "line 1 is '9{40}'"),
        ("row", "line 1 is 'row'"),
    ],
)
def test_a_bad_row_list_names_file_and_line(tmp_path, text, problem):
    with pytest.raises(DataError, match=problem):
        read_row_list(row_list(tmp_path, text), 10)


def test_an_unreadable_row_list_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"gone\.txt: the list of rows cannot be read"):
        read_row_list(tmp_path / "gone.txt", 10)
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe1")
    with pytest.raises(DataError, match=r"binary\.txt: not a list of rows"):
        read_row_list(tmp_path / "binary.txt", 10)


def ordered_store(count, labels=None):
    """Training rows whose faces are all different."""
    faces = np.zeros((count, 48, 48), np.uint8)
    faces.reshape(count, -1).view("<u4")[:, 0] = np.arange(count)
    labels = np.zeros(count, np.uint8) if labels is None else labels
    return FaceStore(faces, labels, np.zeros(count, np.uint8), StoreMeta(count, "made", "0" * 64))


def test_splits_in_order_hold_out_what_the_seeds_held_out():
    assert held_out_rows(ordered_store(28_709), "ordered_70_30").tolist() == list(range(20_096, 28_709))
    assert held_out_rows(ordered_store(28_709), "first_24000").tolist() == list(range(24_000, 28_709))
    assert len(held_out_rows(ordered_store(50), "official")) == 0


def test_the_stratified_split_holds_out_a_tenth_of_each_class():
    labels = (
        np.random.default_rng(0).permutation(np.repeat(np.arange(7), [100, 10, 95, 200, 39, 60, 70])).astype(np.uint8)
    )
    store = ordered_store(len(labels), labels)
    rows = held_out_rows(store, "stratified", seed=3)
    assert np.bincount(labels[rows]).tolist() == [10, 1, 9, 20, 3, 6, 7]
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert held_out_rows(store, "stratified", seed=3).tolist() == rows.tolist()
    assert held_out_rows(store, "stratified", seed=4).tolist() != rows.tolist()


def test_a_held_out_row_and_its_copies_are_not_trained_on():
    store = ordered_store(40)
    store.faces[[3, 9]] = store.faces[30]
    held_out = held_out_rows(store, "ordered_70_30")
    chosen = training_rows(store, held_out=held_out)
    assert chosen.rows.tolist() == [row for row in range(28) if row not in (3, 9)]
    assert chosen.dropped == {"held out": 12, "identical to a held-out row": 2}


@pytest.mark.parametrize(
    ("split", "message"), [("first_24000", "sets aside 0 of 40"), ("halves", "unknown split 'halves'")]
)
def test_a_split_that_cannot_be_made_is_named(split, message):
    with pytest.raises(DataError, match=message):
        held_out_rows(ordered_store(40), split)


def test_finds_planted_rows_of_one_usage_in_another():
    assert identical_rows(PLANTED, "PublicTest", "Training").tolist() == [5]
    assert identical_rows(PLANTED, "PrivateTest", "Training").tolist() == [8, 9]
    assert identical_rows(PLANTED, "Training", "PrivateTest").tolist() == [0, 1, 3]
    assert identical_rows(store_of([0], [1]), "PublicTest", "Training").tolist() == []
    with pytest.raises(DataError, match="unknown usage 'test'"):
        identical_rows(PLANTED, "test", "Training")


def test_finds_the_public_test_rows_of_fer2013_that_stand_in_training(fer2013):
    """280 of them, of which 273 with a label that the same face has in Training too, counted another way."""
    with Path(os.environ["MIEN_FER2013"]).open(encoding="utf-8") as file:
        cells = [line.rstrip().split(",") for line in file][1:]
    training, labelled = set(), set()
    for label, pixels, usage in cells:
        if usage == "Training":
            training.add(pixels)
            labelled.add((label, pixels))
    public = {row: (label, pixels) for row, (label, pixels, usage) in enumerate(cells) if usage == "PublicTest"}
    seen = identical_rows(fer2013, "PublicTest", "Training")
    assert seen.tolist() == [row for row, (_, pixels) in public.items() if pixels in training]
    assert (len(seen), sum(public[row] in labelled for row in seen)) == (280, 273)
