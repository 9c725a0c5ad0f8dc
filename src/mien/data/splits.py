"""Training and validation splits without leakage: FER2013 repeats test faces among its Training rows.

Of its 28,709 Training rows 351 equal a PublicTest row and 387 a PrivateTest row; 703 equal either.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.choices import FOLDS, SPLITS, TEST_USAGES
from mien.data.folds import grouped_folds, stratified_folds
from mien.data.store import FaceStore
from mien.errors import DataError


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """Rows to train on, and why the other Training rows are left out.

    Args:
        rows: row numbers in the store, ascending.
        dropped: Training rows left out by reason, each counted once, under the first reason that holds.
    """

    rows: NDArray[np.intp]
    dropped: dict[str, int] = field(default_factory=dict)


def read_row_list(path: str | Path, rows: int) -> NDArray[np.intp]:
    """Row numbers named in a text file, ascending, each once.

    The file has one number a line; ``#`` begins a comment, and blank lines are allowed.

    Args:
        path: the file, UTF-8.
        rows: how many rows there are; numbers lie in 0..rows - 1.

    Raises:
        DataError: unreadable, not a number, or out of range; the message names file and line.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(f"{path}: the list of rows cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: not a list of rows: expected text with one row number a line") from None
    numbers = set()
    for line_number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        if not (text.isascii() and text.isdigit() and len(text) <= 18 and int(text) < rows):
            raise DataError(f"{path}: line {line_number} is {text[:40]!r}: expected a row number 0..{rows - 1}")
        numbers.add(int(text))
    return np.array(sorted(numbers), np.intp)


def held_out_rows(
    store: FaceStore, split: str, seed: int = 0, *, folds: int = FOLDS, fold: int = 0
) -> NDArray[np.intp]:
    """Validation rows: the Training rows that a split holds out for choosing the epoch, ascending; none for "official".

    Args:
        store: the data set.
        split: "official" holds out none and chooses on PublicTest; "first_24000" holds out all after the first 24,000;
            "ordered_70_30" the last 30 % in the order of the file (20,096 of FER2013's rows stay); "stratified" a
            random tenth of each class; "stratified_folds" one of several folds, each with its share of every class;
            "grouped_folds" likewise, and no group of the data set in two folds (`mien.data.folds`).
        seed: of all but the first three.
        folds: how many, of the last two.
        fold: which of them is held out, from 0.

    Raises:
        DataError: nothing would be set aside, or nothing left; the data set has no groups, or folds cannot be made.
    """
    training = store.rows_of("Training")
    match split:
        case "official":
            return training[:0]
        case "first_24000":
            rows = training[24_000:]
        case "ordered_70_30":
            rows = training[len(training) * 7 // 10 :]
        case "stratified":
            rows = _tenth_of_each_class(store, training, seed)
        case "stratified_folds":
            rows = training[stratified_folds(store.labels[training], folds, seed, store.classes) == fold]
        case "grouped_folds":
            groups = _groups(store)[training]
            rows = training[grouped_folds(store.labels[training], groups, folds, seed, store.classes) == fold]
        case _:
            raise DataError(f"unknown split {split!r}: expected one of {', '.join(SPLITS)}")
    if not 0 < len(rows) < len(training):
        raise DataError(
            f"split {split} sets aside {len(rows)} of {len(training)} Training rows: expected some, not all"
        )
    return rows


def _groups(store: FaceStore) -> NDArray[np.str_]:
    if store.groups is None:
        raise DataError(
            f"data set of {store.meta.source}: no groups for split=grouped_folds; "
            "import it again with `mien data import SRC OUT --groups ...`, or set split=stratified_folds"
        )
    return store.groups


def _tenth_of_each_class(store: FaceStore, training: NDArray[np.intp], seed: int) -> NDArray[np.intp]:
    random = np.random.default_rng(seed)
    classes = (training[store.labels[training] == label] for label in range(len(store.classes)))
    return np.sort(np.concatenate([random.permutation(rows)[: len(rows) // 10] for rows in classes]))


def training_rows(
    store: FaceStore, drop_rows: str | Path | None = None, held_out: NDArray[np.intp] | None = None
) -> TrainingRows:
    """Training rows without validation rows, duplicates of test or validation rows (leakage), and rows named in a file.

    Args:
        store: the data set.
        drop_rows: a file for `read_row_list`; rows in it that are not Training are not trained on anyway.
        held_out: rows that `held_out_rows` sets aside.

    Raises:
        DataError: the file is malformed, or no Training row is left.
    """
    reasons = {f"identical to a {usage} row": identical_rows(store, "Training", usage) for usage in TEST_USAGES}
    if held_out is not None and len(held_out):
        reasons = {
            "held out": held_out,
            "identical to a held-out row": _identical(store, store.rows_of("Training"), held_out),
            **reasons,
        }
    if drop_rows is not None:
        reasons[f"named in {Path(drop_rows).name}"] = read_row_list(drop_rows, len(store))
    left, dropped = store.rows_of("Training"), {}
    for reason, rows in reasons.items():
        kept = np.setdiff1d(left, rows, assume_unique=True)
        if len(kept) < len(left):
            dropped[reason] = len(left) - len(kept)
        left = kept
    if not len(left):
        raise DataError(
            f"no Training rows to train on (left out: {dropped or 'none'}): expected some; import another data set"
        )
    return TrainingRows(left, dropped)


def rows_sha256(rows: NDArray[np.intp]) -> str:
    """SHA-256 of row numbers (N,) in their order, lower-case hexadecimal: a card identifies its training rows by it."""
    return hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest()


def groups_sha256(store: FaceStore) -> str | None:
    """SHA-256 of the groups of all rows, lower-case hexadecimal; None without groups."""
    return None if store.groups is None else hashlib.sha256("\n".join(store.groups).encode()).hexdigest()


def identical_rows(store: FaceStore, usage: str, other: str) -> NDArray[np.intp]:
    """Rows of ``usage`` whose pixels equal those of a row of ``other``, ascending.

    Raises:
        DataError: an unknown usage.
    """
    return _identical(store, store.rows_of(usage), store.rows_of(other))


def _identical(store: FaceStore, rows: NDArray[np.intp], others: NDArray[np.intp]) -> NDArray[np.intp]:
    """Those of some rows whose pixels equal those of one of the others, in their order."""
    wanted = {store.faces[row].tobytes() for row in others}
    searched: Iterable[np.intp] = rows if wanted else ()
    return np.array([row for row in searched if store.faces[row].tobytes() in wanted], np.intp)
