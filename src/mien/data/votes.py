"""FER+ (soft labels): ten annotators' votes for each face of FER2013, and the targets derived from them.

FER+ (Barsoum et al., "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution",
arXiv 1608.01041) asked ten people anew about every face. Beside FER2013's seven emotions they could answer contempt,
unknown, or that there is no face.
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.choices import USAGES
from mien.errors import DataError, UsageError
from mien.labels import EMOTIONS, FERPLUS_EMOTIONS

FERPLUS_FILE: Final = "fer2013new.csv"
"""What Microsoft calls its file of votes."""

RULES: Final = ("majority", "strict_majority", "probability", "thresholded")
"""Rules that turn votes into a target; see `vote_targets`."""

STRICT: Final = "strict_majority"
"""The rule by which figures on FER+'s eight classes are given."""

_VOTES: Final = (
    "anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral", "contempt", "unknown", "nf",
)  # fmt: skip
"""FER+'s columns, in the order of `mien.labels.VOTE_CLASSES`."""

_PICTURE: Final = "image name"
_PICTURE_NAME: Final = re.compile(r"fer0*(\d{1,9})\.\w+", re.IGNORECASE)
_VOTERS: Final = 10
_FEWEST_VOTES: Final = 2
_WANTED: Final = f"the columns Usage or row, and {', '.join(_VOTES[:-1])} and NF, once each"


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where a line holds what; Microsoft's file states the usage and the picture, the other form the row."""

    count: int
    votes: tuple[int, ...]
    usage: int | None
    row: int | None
    picture: int | None


def read_votes(path: str | Path, usages: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Votes for every row of a FER2013 data set, uint8 (N, 10), columns as `mien.labels.VOTE_CLASSES`.

    Two forms, told by their header: Microsoft's ``fer2013new.csv`` (Usage, Image name, and ten columns of votes), and a
    csv with the columns row and the same ten. Both have one line for each row of ``fer2013.csv``, in its order. Rows
    that FER+ removed (no image name; 158 of Training and PublicTest) are there too, with ten votes for not_a_face.

    Args:
        path: the file, UTF-8.
        usages: of the rows of the data set, indices into `USAGES`, (N,).

    Raises:
        DataError: the file is unreadable or malformed, it has another number of rows than the data set, or a row of
            another usage; the message names file and row.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            lines = csv.reader(file)
            columns = _columns(next(lines, []), str(path))
            rows = [fields for fields in lines if fields]
    except OSError as error:
        raise DataError(f"{path}: the votes cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a csv in UTF-8 ({error}): expected {_WANTED}") from None
    if len(rows) != len(usages):
        raise DataError(
            f"{path}: votes for {len(rows)} rows, but the data set has {len(usages)}: "
            "expected one line for each row of the FER2013 csv, in its order; import them from the same release"
        )
    votes = [
        _votes_of(fields, columns, row, int(usage), str(path))
        for row, (fields, usage) in enumerate(zip(rows, usages, strict=True))
    ]
    if columns.picture is not None:
        _check_pictures([fields[columns.picture] for fields in rows], str(path))
    return np.array(votes, np.uint8).reshape(-1, len(_VOTES))


def _check_pictures(pictures: Sequence[str], name: str) -> None:
    """Refuse lines whose pictures are in another order than in FER2013, whose row numbers are in their names.

    Of a whole FER2013 the number is the row. Of a part of it numbers grow, and by one where none is left out.

    Raises:
        DataError: a picture out of its place; the first one is named.
    """
    matches = ((row, _PICTURE_NAME.fullmatch(picture.strip())) for row, picture in enumerate(pictures))
    numbered = [(row, int(match[1])) for row, match in matches if match]
    if not numbered:
        return
    (first, lowest), (last, highest) = numbered[0], numbered[-1]
    complete = highest - lowest == last - first
    for (before, smaller), (row, number) in pairwise(numbered):
        if number - smaller < row - before or (complete and number - smaller != row - before):
            raise DataError(
                f"{name}: row {row} is of {pictures[row].strip()}, and row {before} of {pictures[before].strip()}: "
                "expected the pictures in FER2013's order; sort the lines by their image names"
            )


def _columns(header: Sequence[str], name: str) -> _Columns:
    names = [field.strip().lower() for field in header]
    index = {field: names.index(field) for field in (*_VOTES, "usage", "row") if names.count(field) == 1}
    usage, row = index.get("usage"), index.get("row")
    if not set(_VOTES) <= set(index) or (usage is None and row is None):
        shown = ",".join(header)
        raise DataError(f"{name}: the header is {shown[:100]!r}: expected {_WANTED}")
    picture = names.index(_PICTURE) if names.count(_PICTURE) == 1 else None
    return _Columns(len(names), tuple(index[field] for field in _VOTES), usage, row, picture)


def _votes_of(fields: Sequence[str], columns: _Columns, row: int, usage: int, name: str) -> list[int]:
    """The votes in one line, after its row and usage were found to be those of the data set."""
    where = f"{name}: row {row}"
    if len(fields) != columns.count:
        raise DataError(f"{where} has {len(fields)} columns: expected {columns.count}")
    if columns.usage is not None and fields[columns.usage].strip() != USAGES[usage]:
        raise DataError(
            f"{where} is {fields[columns.usage].strip()[:40]!r}, but {USAGES[usage]} in the data set: "
            "expected the rows of the FER2013 csv, in its order"
        )
    if columns.row is not None and fields[columns.row].strip() != str(row):
        raise DataError(f"{where} is called {fields[columns.row].strip()[:40]!r}: expected all rows in order, from 0")
    return [_vote(fields[column].strip(), where) for column in columns.votes]


def _vote(text: str, where: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 2 and int(text) <= _VOTERS):
        raise DataError(f"{where} has {text[:40]!r} votes: expected a whole number 0..{_VOTERS}")
    return int(text)


def vote_targets(votes: NDArray[np.uint8], rule: str, classes: int = len(EMOTIONS)) -> NDArray[np.float32]:
    """Distributions over the seven emotions, or the eight with contempt, float32 (N, classes); a row that the rule
    drops is all zeros.

    ======================  =======================================  ==================================================
    rule                    target                                   dropped
    ======================  =======================================  ==================================================
    ``majority``            1 for the emotion with more votes than   ties for the most votes, and rows where another
                            every other of the ten answers           answer has the most
    ``strict_majority``     1 for the emotion with more than half    rows without such an emotion
                            of the votes for answers that two
                            people or more gave
    ``probability``         votes for the emotions, divided by       rows without a vote for one of them
                            their sum
    ``thresholded``         the same of votes for emotions that two  rows where no emotion was named twice
                            people or more named
    ======================  =======================================  ==================================================

    Taking single votes for noise, and the strict majority, are FER+'s own rules (arXiv 1608.01041, and the code that
    its authors published), by which figures on its eight classes are given.

    Args:
        votes: uint8 (N, 10), columns as `mien.labels.VOTE_CLASSES`.
        rule: one of `RULES`.
        classes: how many of these columns are classes: 7, or 8 with contempt.

    Raises:
        UsageError: an unknown rule.
    """
    if rule not in RULES:
        raise UsageError(f"unknown rule {rule!r} for FER+ votes: expected one of {', '.join(RULES)}")
    counted = votes[:, :classes].astype(np.float32)
    if rule == "majority":
        counted *= _is_sole_maximum(votes)[:, :classes]
    elif rule == "strict_majority":
        left = np.where(votes < _FEWEST_VOTES, 0, votes.astype(np.int64))
        counted *= (2 * left > left.sum(axis=1, keepdims=True))[:, :classes]
    elif rule == "thresholded":
        counted[counted < _FEWEST_VOTES] = 0
    total = counted.sum(axis=1, keepdims=True)
    targets: NDArray[np.float32] = np.divide(counted, total, out=np.zeros_like(counted), where=total > 0)
    return targets


def eight_labels(votes: NDArray[np.uint8], labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """FER+'s eight classes of rows, indices into `mien.labels.FERPLUS_EMOTIONS`, (N,).

    A row that the strict majority (`vote_targets`) gives no class keeps FER2013's label, so that rows keep their
    numbers; training and evaluation by FER+'s targets leave it out.

    Args:
        votes: uint8 (N, 10), columns as `mien.labels.VOTE_CLASSES`.
        labels: FER2013's class numbers, (N,).
    """
    voted = vote_targets(votes, STRICT, len(FERPLUS_EMOTIONS))
    return np.where(voted.any(axis=1), voted.argmax(axis=1), labels).astype(np.uint8)


def is_contempt(votes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether contempt, the eighth of FER+'s classes, has more votes than every other of the ten answers, (N,)."""
    return _is_sole_maximum(votes)[:, _VOTES.index("contempt")]


def _is_sole_maximum(votes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which answers have more votes than every other in their row, at most one a row."""
    most = votes == votes.max(axis=1, keepdims=True)
    sole: NDArray[np.bool_] = most & (most.sum(axis=1, keepdims=True) == 1)
    return sole


def agreement(votes: NDArray[np.uint8], labels: NDArray[np.uint8]) -> dict[str, Any]:
    """How often FER+'s majority is FER2013's label, JSON-ready.

    Args:
        votes: uint8 (N, 10), columns as `mien.labels.VOTE_CLASSES`.
        labels: FER2013's class numbers, (N,).

    Returns:
        ``{"rule": "majority", "rows", "kept", "same", "agreement", "per_class": {"angry": {...}, ...}}``, by FER2013's
        label: rows, those with a majority among the seven emotions (`vote_targets`), those of them where it is the
        label, and the share of these, 0..1 (None where no row is kept).
    """
    targets = vote_targets(votes, "majority")
    kept = targets.sum(axis=1) > 0
    same = np.logical_and(kept, targets.argmax(axis=1) == labels)
    classes = {emotion: labels == number for number, emotion in enumerate(EMOTIONS)}
    return {
        "rule": "majority",
        **_shares(kept, same, np.ones(len(labels), np.bool_)),
        "per_class": {emotion: _shares(kept, same, rows) for emotion, rows in classes.items()},
    }


def _shares(kept: NDArray[np.bool_], same: NDArray[np.bool_], rows: NDArray[np.bool_]) -> dict[str, Any]:
    kept_rows, same_rows = int((kept & rows).sum()), int((same & rows).sum())
    share = same_rows / kept_rows if kept_rows else None
    return {"rows": int(rows.sum()), "kept": kept_rows, "same": same_rows, "agreement": share}
