"""Folds against scikit-learn's, and their promises as properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from mien.data.crossings import crossings, in_groups_of, near_copies
from mien.data.folds import fold_of_groups, grouped_folds, stratified_folds
from mien.data.splits import held_out_rows, training_rows
from mien.data.store import FaceStore, StoreMeta
from mien.errors import DataError

GROUPED = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 12)), min_size=4, max_size=120)


def store_of(labels, groups=None, faces=None):
    count = len(labels)
    if faces is None:
        faces = np.random.default_rng(0).integers(0, 256, (count, 48, 48), np.uint8)
    names = None if groups is None else np.array([f"g{group}" for group in groups])
    return FaceStore(
        faces, np.array(labels, np.uint8), np.zeros(count, np.uint8), StoreMeta(count, "made", ""), None, names
    )


@given(GROUPED, st.integers(2, 5), st.integers(0, 3))
def test_no_group_is_in_two_parts_and_every_row_in_one(rows, folds, seed):
    labels, groups = zip(*rows, strict=True)
    store = store_of(labels, groups, np.zeros((len(rows), 48, 48), np.uint8))
    try:
        parts = [held_out_rows(store, "grouped_folds", seed, folds=folds, fold=fold) for fold in range(folds)]
    except DataError:
        return
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(rows)))
    owners = [set(store.groups[part].tolist()) for part in parts]
    assert sum(map(len, owners)) == len(set(groups))
    for part in parts:
        others = np.setdiff1d(np.arange(len(rows)), part)
        assert not set(store.groups[part]) & set(store.groups[others])
        assert set(store.labels[part]) <= set(store.labels[others])


def unevenness(labels, fold_of):
    """How far the folds' shares of each class spread, mean over classes."""
    counts = np.zeros((fold_of.max() + 1, 7))
    np.add.at(counts, (fold_of, labels), 1)
    return (counts / counts.sum(axis=0)).std(axis=0).mean()


@pytest.mark.parametrize("seed", range(8))
def test_classes_are_as_even_as_scikit_learn_makes_them(seed):
    """118 people as in CK+: each shows some of the classes, three frames each. Equal choices may be made otherwise."""
    random = np.random.default_rng(seed)
    shown = [np.repeat(random.permutation(7)[: random.integers(1, 7)], 3) for _ in range(118)]
    labels = np.concatenate(shown).astype(np.uint8)
    groups = np.repeat(np.arange(118), list(map(len, shown)))
    theirs = np.empty(len(labels), np.intp)
    for fold, (_, test) in enumerate(StratifiedGroupKFold(5).split(labels, labels, groups)):
        theirs[test] = fold
    counts = np.zeros((groups.max() + 1, 7), np.int64)
    np.add.at(counts, (groups, labels), 1)
    assert unevenness(labels, fold_of_groups(counts, 5)[groups]) < 1.1 * unevenness(labels, theirs) + 0.002
    ours = grouped_folds(labels, groups.astype(np.str_), 5, seed)
    assert unevenness(labels, ours) < 1.3 * unevenness(labels, theirs) + 0.002
    by_chance = random.integers(0, 5, groups.max() + 1)[groups]
    assert unevenness(labels, ours) < unevenness(labels, by_chance) / 2


@given(st.lists(st.integers(0, 6), min_size=4, max_size=80), st.integers(2, 6), st.integers(0, 2))
def test_stratified_folds_differ_by_a_row_at_most(labels, folds, seed):
    labels = np.array(labels, np.uint8)
    try:
        fold_of = stratified_folds(labels, folds, seed)
    except DataError:
        counts = np.bincount(labels)
        assert len(labels) < folds or (counts == 1).any()
        return
    sizes = np.bincount(fold_of, minlength=folds)
    assert sizes.max() - sizes.min() <= 1
    for label in np.unique(labels):
        held = np.bincount(fold_of[labels == label], minlength=folds)
        assert held.max() - held.min() <= 1


def test_stratified_folds_have_scikit_learns_counts():
    labels = np.repeat(np.arange(7), [100, 10, 95, 200, 39, 60, 71]).astype(np.uint8)
    fold_of = stratified_folds(labels, 5, seed=1)
    ours = sorted(sorted(np.bincount(labels[fold_of == fold]).tolist()) for fold in range(5))
    parts = [test for _, test in StratifiedKFold(5).split(labels, labels)]
    theirs = sorted(sorted(np.bincount(labels[part]).tolist()) for part in parts)
    assert np.abs(np.array(ours) - theirs).max() <= 1
    assert (stratified_folds(labels, 5, seed=2) != fold_of).any()


@pytest.mark.parametrize(
    ("labels", "groups", "folds", "message"),
    [
        ([3, 4, 3], [0, 1, 0], 3, "2 groups for 3 folds: expected a group for each; set fewer folds"),
        (
            [3, 4, 3],
            [0, 0, 0],
            2,
            "all rows are of one group, .*: set split=stratified_folds, or import with other groups",
        ),
        ([3, 3, 3, 4], [0, 1, 2, 2], 2, r"class sad lies in fold \d only: .* second group"),
        ([3, 3, 3], None, 2, "no groups for split=grouped_folds; import it again"),
    ],
)
def test_folds_that_cannot_be_made_are_refused_in_one_line(labels, groups, folds, message):
    with pytest.raises(DataError, match=message) as caught:
        held_out_rows(store_of(labels, groups), "grouped_folds", folds=folds)
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="class angry lies in fold"):
        held_out_rows(store_of([0, 1, 1]), "stratified_folds", folds=2)
    with pytest.raises(DataError, match="2 Training rows for 3 folds"):
        held_out_rows(store_of([1, 1]), "stratified_folds", folds=3)


def smooth_faces(count):
    """Faces with the low frequencies of photos, each its own."""
    coarse = np.random.default_rng(5).integers(0, 256, (count, 8, 8), np.uint8)
    return np.repeat(np.repeat(coarse, 6, axis=1), 6, axis=2)


def test_planted_near_copies_and_groups_across_a_split_are_counted():
    faces = smooth_faces(30)
    faces[20] = np.roll(faces[3], 2, axis=1)
    faces[21] = np.clip(faces[4].astype(int) + 9, 0, 255)
    faces[[5, 25]] = 7
    rows, held_out = np.arange(20), np.arange(20, 30)
    assert near_copies(store_of([3] * 30, faces=faces), rows, held_out).tolist() == [20, 21]
    store = store_of([3] * 30, [*range(29), 2], faces)
    assert in_groups_of(store, rows, held_out).tolist() == [29]
    first, second = crossings(store, rows, held_out)
    assert "2 of 10 held-out rows are nearly the same as a row that is trained on" in first
    assert "1 of 10 held-out rows are of a group that is trained on: split=grouped_folds" in second
    assert not list(crossings(store, rows, held_out[:0]))
    (apart,) = crossings(store_of([3] * 30, range(30), faces), rows, held_out)
    assert apart.endswith("the groups of the data set keep such pairs apart: import it with others")


def test_copies_of_held_out_rows_are_left_out_of_training_too():
    faces = smooth_faces(12)
    faces[1] = faces[0]
    store = store_of([3, 3] * 6, range(12), faces)
    held_out = held_out_rows(store, "grouped_folds", folds=4, fold=1)
    chosen = training_rows(store, held_out=held_out)
    assert not set(chosen.rows.tolist()) & set(held_out.tolist())
    crossing = {0, 1} & set(held_out.tolist())
    assert len(chosen.rows) == 12 - len(held_out) - (len(crossing) == 1)
