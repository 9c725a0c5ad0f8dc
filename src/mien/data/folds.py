"""Cross-validation: the fold of each row, stratified by class, and by group where rows belong together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mien.errors import DataError


def stratified_folds(labels: NDArray[np.uint8], folds: int, seed: int, classes: Sequence[str] = ()) -> NDArray[np.intp]:
    """Fold numbers 0..folds-1 (N,): folds differ by one row at most, and so do their rows of each class.

    Args:
        labels: class numbers (N,).
        folds: at least 2.
        seed: draws the rows of each fold.
        classes: their names, for errors; by default numbers.

    Raises:
        DataError: fewer rows than folds, or a class in one fold only.
    """
    if len(labels) < folds:
        raise DataError(f"{len(labels)} Training rows for {folds} folds: expected a row for each; set fewer folds")
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    order = shuffled[np.argsort(labels[shuffled], kind="stable")]
    fold_of = np.empty(len(labels), np.intp)
    fold_of[order] = np.arange(len(labels)) % folds
    _check_classes(labels, fold_of, "row", classes)
    return fold_of


def grouped_folds(
    labels: NDArray[np.uint8], groups: NDArray[np.str_], folds: int, seed: int, classes: Sequence[str] = ()
) -> NDArray[np.intp]:
    """Fold numbers 0..folds-1 (N,): every group lies in one fold, and folds have classes as evenly as that allows.

    Args:
        labels: class numbers (N,).
        groups: names of groups (N,).
        folds: at least 2.
        seed: draws the order of groups that are alike.
        classes: their names, for errors; by default numbers.

    Raises:
        DataError: fewer groups than folds, or a class in one fold only.
    """
    names, group_of = np.unique(groups, return_inverse=True)
    if len(names) == 1:
        raise DataError(
            f"all rows are of one group, {str(names[0])!r}, and groups are kept whole: set split=stratified_folds, or "
            "import with other groups, or without (--groups none)"
        )
    if len(names) < folds:
        raise DataError(f"{len(names)} groups for {folds} folds: expected a group for each; set fewer folds")
    counts = np.zeros((len(names), int(labels.max()) + 1), np.int64)
    np.add.at(counts, (group_of, labels), 1)
    order = np.random.default_rng(seed).permutation(len(names))
    fold_of = np.empty(len(names), np.intp)
    fold_of[order] = fold_of_groups(counts[order][:, counts.any(axis=0)], folds)
    _check_classes(labels, fold_of[group_of], "group", classes)
    return fold_of[group_of]


def fold_of_groups(counts: NDArray[np.int64], folds: int) -> NDArray[np.intp]:
    """The fold of each group (G,), dealt out as scikit-learn's ``StratifiedGroupKFold`` does it, but for ties.

    Groups come in the order of how unevenly they have the classes; each goes to the fold that leaves the shares of the
    classes most even over the folds, and of equal ones to the smallest.

    Args:
        counts: rows of each group by class (G, C), every class with at least one.
        folds: at least 2.
    """
    held = np.zeros((folds, counts.shape[1]))
    fold_of = np.empty(len(counts), np.intp)
    each = np.eye(folds)[:, :, None]
    for group in np.argsort(-counts.std(axis=1), kind="stable"):
        shares = (held + each * counts[group]) / counts.sum(axis=0)
        fold_of[group] = best = _best_fold(shares.std(axis=1).mean(axis=1), held.sum(axis=1))
        held[best] += counts[group]
    return fold_of


def _best_fold(unevenness: NDArray[np.float64], rows: NDArray[np.float64]) -> int:
    """The fold of the least unevenness; of equal ones that with the fewest rows, then the first."""
    even = np.isclose(unevenness, unevenness.min())
    return int(np.flatnonzero(even)[rows[even].argmin()])


def _check_classes(labels: NDArray[np.uint8], fold_of: NDArray[np.intp], unit: str, classes: Sequence[str]) -> None:
    """Refuse folds of which one has all rows of a class: the other folds' networks would be asked what none was taught.

    Raises:
        DataError: as said; the first such class is named.
    """
    for label in np.unique(labels):
        held = np.unique(fold_of[labels == label])
        if len(held) == 1:
            name = classes[label] if classes else label
            raise DataError(
                f"class {name} lies in fold {held[0]} only: expected it in at least two; "
                f"it needs a second {unit}, or leave it out where pictures are imported: --map {name}=skip"
            )
