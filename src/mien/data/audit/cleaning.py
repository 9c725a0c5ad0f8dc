"""Data cleaning: a copy of a data set without the rows that stated rules remove (deduplication, label errors).

Only Training rows are removed: figures on a smaller test usage would be comparable with no published ones.
"""

import csv
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.data.audit.findings import Audit, usage_of
from mien.data.audit.leaks import Rows
from mien.data.store import FaceStore, write_store
from mien.defaults import DEFAULT_RULES
from mien.errors import DataError, UsageError, nearest
from mien.files import refuse_existing, writing

Left = NDArray[np.bool_]
"""Which rows of the data set are left so far (N,)."""

Rule = Callable[[Audit, Left], Iterator[tuple[int, str]]]
"""Rows to remove, of any usage, and why."""


@dataclass(frozen=True, slots=True)
class Removal:
    """A removed row, the rule that removes it, and the reason in words."""

    row: int
    rule: str
    reason: str


def removals(audit: Audit, rules: Sequence[str] = DEFAULT_RULES) -> list[Removal]:
    """Training rows that some rules remove, ascending, each once, under the first rule of `RULES` that names it.

    Args:
        audit: findings about the data set.
        rules: names out of `RULES`, in any order.

    Raises:
        UsageError: an unknown rule, or one that needs what the audit was not asked for.
    """
    check_rules(rules)
    removed = []
    left = np.ones(len(audit.store), np.bool_)
    training = audit.store.usages == 0
    for name in [name for name in RULES if name in rules]:
        for row, reason in list(RULES[name](audit, left)):
            if left[row] and training[row]:
                left[row] = False
                removed.append(Removal(row, name, reason))
    return sorted(removed, key=lambda removal: removal.row)


def check_rules(rules: Sequence[str]) -> None:
    """Validate the names of rules.

    Raises:
        UsageError: an unknown rule.
    """
    for rule in rules:
        if rule not in RULES:
            raise UsageError(f"unknown rule {rule!r}{nearest(rule, RULES)}: expected some of {', '.join(RULES)}")


def write_clean(store: FaceStore, removed: Sequence[Removal], out: Path) -> list[Path]:
    """Write the rows that are left as a new data set, and what was removed beside it.

    ``OUT.removed.csv`` says row, usage, label, rule and reason; ``OUT.removed.txt`` is the same list in the form that
    `mien.data.splits.read_row_list` takes. Row numbers in both are those of ``store``. The new data set's hash is one
    of the old one's hash and the removed rows, so that models trained on either are told apart.

    Returns:
        The paths written: data set, table, list.

    Raises:
        DataError: ``out`` exists, cannot be written, or no row would be left.
    """
    refuse_existing(out)
    kept = np.setdiff1d(np.arange(len(store)), [removal.row for removal in removed])
    if not len(kept):
        raise DataError(f"{out}: no row would be left; choose fewer rules")
    table, rows = out.with_name(f"{out.name}.removed.csv"), out.with_name(f"{out.name}.removed.txt")
    with writing(table, DataError):
        out.parent.mkdir(parents=True, exist_ok=True)
        _write_table(store, removed, table)
        rows.write_text("".join(f"{item.row}  # {item.reason}\n" for item in removed), encoding="utf-8")
    write_store(
        out,
        store.faces[kept],
        store.labels[kept],
        store.usages[kept],
        source=f"{store.meta.source} without {len(removed)} rows",
        source_sha256=_hash_without(store, removed),
        votes=None if store.votes is None else store.votes[kept],
        groups=None if store.groups is None else store.groups[kept],
        files=None if store.files is None else store.files[kept],
        classes=store.classes,
        terms=store.meta.terms,
    )
    return [out, table, rows]


def _write_table(store: FaceStore, removed: Sequence[Removal], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["row", "usage", "label", "rule", "reason"])
        for item in removed:
            label = store.class_of(item.row)
            writer.writerow([item.row, usage_of(store, item.row), label, item.rule, item.reason])


def _hash_without(store: FaceStore, removed: Sequence[Removal]) -> str:
    text = "\n".join([store.meta.source_sha256, *(str(item.row) for item in removed)])
    return hashlib.sha256(text.encode()).hexdigest()


def _leaks(audit: Audit, _left: Left) -> Iterator[tuple[int, str]]:
    for leak in audit.leaks:
        tests = audit.store.rows_of(leak.usage)[::-1]
        row_of_face = dict(zip(audit.first[tests].tolist(), tests.tolist(), strict=True))
        yield from (
            (row, f"identical to {leak.usage} row {row_of_face[int(audit.first[row])]}")
            for row in leak.training.tolist()
        )


def _near_leaks(audit: Audit, _left: Left) -> Iterator[tuple[int, str]]:
    for leak in audit.leaks:
        yield from ((row, f"nearly the same as a {leak.usage} row") for row in leak.near_training.tolist())


def _conflicts(audit: Audit, _left: Left) -> Iterator[tuple[int, str]]:
    for rows in audit.conflicting:
        names = " and ".join(audit.store.classes[label] for label in np.unique(audit.store.labels[rows]))
        yield from ((row, f"{len(rows)} identical rows are labelled {names}") for row in rows.tolist())


def _constant(audit: Audit, _left: Left) -> Iterator[tuple[int, str]]:
    yield from ((row, "one grey level") for row in audit.constant.tolist())
    yield from ((row, "nearly one grey level") for row in audit.nearly_constant.tolist())


def _copies(audit: Audit, left: Left) -> Iterator[tuple[int, str]]:
    return _repeats(audit, left, audit.first, "identical to")


def _near_copies(audit: Audit, left: Left) -> Iterator[tuple[int, str]]:
    return _repeats(audit, left, audit.near_group, "nearly the same as")


def _repeats(audit: Audit, left: Left, group: Rows, how: str) -> Iterator[tuple[int, str]]:
    """Training rows that are left and not the first of their group that is."""
    first: dict[int, int] = {}
    for row in np.flatnonzero(left & (audit.store.usages == 0)).tolist():
        kept = first.setdefault(int(group[row]), row)
        if kept != row:
            yield row, f"{how} Training row {kept}"


def _no_face(audit: Audit, _left: Left) -> Iterator[tuple[int, str]]:
    if audit.no_face is None:
        raise UsageError("the rule no-face needs faces to be searched: add --faces")
    return ((row, "no face found") for row in audit.no_face.tolist())


def _mislabelled(audit: Audit, _left: Left) -> Iterator[tuple[int, str]]:
    found = audit.mislabelled
    if found is None:
        raise UsageError("the rule mislabelled needs a model's probabilities: add --labels")
    named = zip(found.rows.tolist(), found.suggested, found.margins, strict=True)
    return (
        (row, f"a model says {audit.store.classes[suggested]}, {margin:.2f} above the label")
        for row, suggested, margin in named
    )


RULES: Final[dict[str, Rule]] = {
    "leaks": _leaks,
    "conflicts": _conflicts,
    "constant": _constant,
    "copies": _copies,
    "near-leaks": _near_leaks,
    "near-copies": _near_copies,
    "no-face": _no_face,
    "mislabelled": _mislabelled,
}
"""What can be removed: Training rows identical or nearly so to a test row (leaks, near-leaks), all rows of a face with
several labels (conflicts), rows of (nearly) one grey level (constant), repetitions of an earlier row (copies,
near-copies), rows without a face that is found (no-face), and rows whose label a model contradicts (mislabelled).
"""
