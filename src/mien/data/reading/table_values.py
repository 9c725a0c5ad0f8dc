"""Checks of what stands in tables of faces (`mien.data.reading.exported`): each error names the file and the row."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.data.columns import text_of
from mien.data.rows import FaceRows
from mien.errors import DataError
from mien.labels import VOTE_CLASSES

_VOTERS: Final = 10


def names_in(names: NDArray[Any]) -> list[str]:
    """The texts of an array of names."""
    return [text_of(name) for name in np.ravel(names).tolist()]


def number_of_name(path: Path, meaning: Callable[[str], int], name: str) -> int:
    """What a table's name for a class or usage means, with the table in the error."""
    try:
        return meaning(name)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def renumbered(
    path: Path, numbers: NDArray[Any], names: NDArray[Any], what: str, number_of: Callable[[str], int]
) -> NDArray[np.uint8]:
    """Numbers into a file's own names as numbers into mien's."""
    known = np.array([number_of_name(path, number_of, name) for name in names_in(names)], np.uint8)
    if numbers.ndim != 1 or numbers.dtype.kind not in "ui" or not len(numbers):
        raise DataError(
            f"{path}: {what}s are {numbers.dtype} {numbers.shape}: expected whole numbers (N,), N at least 1"
        )
    outside = np.flatnonzero((numbers < 0) | (numbers >= len(known)))
    if len(outside):
        first = outside[0]
        raise DataError(f"{path}: row {first} has {what} {numbers[first]}: expected 0..{len(known) - 1}")
    return np.asarray(known[numbers])


def one_for_each(path: Path, values: NDArray[Any], labels: NDArray[Any]) -> NDArray[Any]:
    """The values, of which there is one for each label."""
    if values.shape != labels.shape:
        raise DataError(f"{path}: {values.shape} values for {len(labels):,} labels: expected one for each")
    return values


def faces_of(path: Path, pixels: NDArray[Any], count: int, rows: FaceRows) -> NDArray[np.uint8]:
    """Levels (N, S, S), (N, S, S, 3) or in one line a face, as faces of the kind of the rows."""
    if pixels.dtype.kind == "f":
        raise DataError(
            f"{path}: faces are {pixels.dtype}: expected uint8, 0..255; convert them, such as "
            "(255 * faces).round().astype('uint8') where they lie in 0..1"
        )
    kind = "grey levels" if rows.channels == 1 else "levels of colours"
    if pixels.size != count * rows.values_of_face or len(pixels) != count or pixels.dtype.kind not in "ui":
        found = f"faces are {pixels.dtype} {pixels.shape} for {count:,} labels"
        raise DataError(f"{path}: {found}: expected {rows.side}x{rows.side} {kind}, 0..255, for each")
    if count and (pixels.min() < 0 or pixels.max() > np.iinfo(np.uint8).max):
        raise DataError(f"{path}: {kind} lie in {pixels.min()}..{pixels.max()}: expected 0..255")
    return pixels.astype(np.uint8)


def votes_of(path: Path, votes: NDArray[Any], names: list[str], count: int) -> NDArray[np.uint8]:
    """FER+'s votes (N, 10)."""
    if names != list(VOTE_CLASSES) or votes.shape != (count, len(names)):
        found = f"votes {votes.shape} for {', '.join(names) or 'nothing'}"
        raise DataError(f"{path}: {found}: expected one for each row and each of {', '.join(VOTE_CLASSES)}")
    if votes.dtype.kind not in "ui" or (count and not 0 <= votes.min() <= votes.max() <= _VOTERS):
        raise DataError(f"{path}: votes are no whole numbers 0..{_VOTERS}")
    return votes.astype(np.uint8)


def check_labels(path: Path, labels: Sequence[Any], emotions: Sequence[str], classes: Sequence[str], row: int) -> None:
    """Refuse numbers of classes that contradict their names.

    Args:
        path: the table.
        labels: numbers into ``classes``, or None where a row has none.
        emotions: as many names.
        classes: the names that the table states, by number.
        row: number of the first.

    Raises:
        DataError: as said; the first such row is named.
    """
    named = dict(enumerate(classes))
    for number, (label, emotion) in enumerate(zip(labels, emotions, strict=True), row):
        if label is None:
            continue
        if not isinstance(label, int):
            raise DataError(
                f"{path}: row {number} has label {str(label)[:40]!r}: expected a whole number; the column emotion has "
                "the names"
            )
        if named.get(label) != emotion:
            raise DataError(
                f"{path}: row {number} has label {label} ({named.get(label, 'no class')}) and emotion "
                f"{emotion[:40]!r}: expected one class; mend one of them, or leave out the column label"
            )
