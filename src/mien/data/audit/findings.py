"""Findings of an audit: duplicates, leakage between usages, contradictory labels, blank pictures."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.choices import TEST_USAGES, USAGES
from mien.data.audit.leaks import Leak, Rows
from mien.data.audit.mislabelled import Mislabelled, find_mislabelled
from mien.data.audit.near_duplicates import NearPairs, near_duplicates
from mien.data.duplicates import first_identical, groups_of, linked
from mien.data.splits import identical_rows
from mien.data.store import FaceStore
from mien.preprocess import canonical_faces

MIN_DEVIATION: Final = 6.0
"""Standard deviation below which a face is nearly constant, grey levels. The flattest real face of FER2013 has 9.1."""

HasFace = Callable[[NDArray[np.uint8]], bool]
"""Whether a face crop, uint8 (S, S) or (S, S, 3), shows a face."""

Track = Callable[[range], Iterable[int]]

_FACES_AT_ONCE: Final = 4096


@dataclass(frozen=True)
class Audit:
    """Findings about a data set; row numbers are those of the store, ascending unless said otherwise.

    Args:
        store: the data set.
        first: for each row the first row with the same pixels (N,).
        deviations: standard deviation of each face, grey levels (N,).
        near: pairs of nearly identical faces, by the first rows that show them.
        no_face: rows in which no face was found; None when that was not asked.
        mislabelled: rows whose label is likely wrong; None when that was not asked.
    """

    store: FaceStore
    first: Rows
    deviations: NDArray[np.float32]
    near: NearPairs
    no_face: Rows | None = None
    mislabelled: Mislabelled | None = None

    @cached_property
    def groups(self) -> list[Rows]:
        """Rows with the same pixels, for each face that occurs more than once."""
        return groups_of(self.first)

    @cached_property
    def conflicting(self) -> list[Rows]:
        """Those of the groups whose rows carry different labels."""
        return [rows for rows in self.groups if self._labels_differ(rows)]

    @cached_property
    def near_group(self) -> Rows:
        """For each row the first row that shows the same face or is linked to it by near duplicates (N,)."""
        return linked(len(self.first), self.near.rows, self.near.others)[self.first]

    @cached_property
    def near_groups(self) -> list[Rows]:
        """Rows linked by near duplicates, among them at least two different faces."""
        return [rows for rows in groups_of(self.near_group) if len(np.unique(self.first[rows])) > 1]

    @cached_property
    def near_conflicting(self) -> list[Rows]:
        """Those of the near groups whose rows carry different labels."""
        return [rows for rows in self.near_groups if self._labels_differ(rows)]

    @cached_property
    def constant(self) -> Rows:
        """Rows of one grey level."""
        return np.flatnonzero(self.deviations == 0)

    @cached_property
    def nearly_constant(self) -> Rows:
        """Rows of nearly one grey level, without the constant ones."""
        return np.flatnonzero((self.deviations > 0) & (self.deviations < MIN_DEVIATION))

    @cached_property
    def leaks(self) -> tuple[Leak, ...]:
        """For each test usage that occurs beside Training."""
        present = self.store.counts()
        return tuple(self._leak(usage) for usage in TEST_USAGES if usage in present and "Training" in present)

    def _labels_differ(self, rows: Rows) -> bool:
        return len(np.unique(self.store.labels[rows])) > 1

    def _leak(self, usage: str) -> Leak:
        store = self.store
        training = store.rows_of("Training")
        identical = identical_rows(store, usage, "Training")
        seen = set(zip(self.first[training].tolist(), store.labels[training].tolist(), strict=True))
        shown = zip(self.first[identical].tolist(), store.labels[identical].tolist(), strict=True)
        return Leak(
            usage=usage,
            rows=len(store.rows_of(usage)),
            identical=identical,
            same_label=sum(face in seen for face in shown),
            training=identical_rows(store, "Training", usage),
            near=self.near_rows(usage, "Training"),
            near_training=self.near_rows("Training", usage),
        )

    def near_rows(self, usage: str, other: str) -> Rows:
        """Rows of a usage that are nearly the same as a row of another one, and identical to none of it."""
        shown, beside = np.zeros((2, len(self.first)), np.bool_)
        shown[self.first[self.store.rows_of(other)]] = True
        beside[self.near.rows[shown[self.near.others]]] = True
        beside[self.near.others[shown[self.near.rows]]] = True
        rows = self.store.rows_of(usage)
        faces = self.first[rows]
        return rows[beside[faces] & ~shown[faces]]

    def summary(self) -> list[tuple[str, int, str]]:
        """Findings as name, count, and what is counted."""
        unique = len(np.unique(self.first))
        within = ", ".join(f"{count:,} in {usage}" for usage, count in self.redundant_within().items())
        lines = [
            ("unique faces", unique, f"of {len(self.first):,} rows"),
            ("redundant rows", len(self.first) - unique, f"in {len(self.groups):,} groups of identical rows; {within}"),
            ("conflicting groups", len(self.conflicting), "identical rows with different labels"),
            *(line for leak in self.leaks for line in leak.lines()),
            ("near duplicates", len(self.near), f"pairs, linking rows into {len(self.near_groups):,} groups"),
            ("near conflicts", len(self.near_conflicting), "of these groups have different labels"),
            ("constant", len(self.constant), "rows of one grey level"),
            (
                "nearly constant",
                len(self.nearly_constant),
                f"rows that vary by less than {MIN_DEVIATION:g} grey levels",
            ),
        ]
        if self.no_face is not None:
            lines.append(("no face found", len(self.no_face), "rows, some with faces that are covered or turned away"))
        if (found := self.mislabelled) is not None:
            judged = f"of {found.judged:,} rows judged; {found.doubtful:,} with less certainty"
            lines.append(("likely mislabelled", len(found.rows), judged))
        for usage, shares in imbalance(self.store).items():
            counts = self.store.counts()[usage]
            common, rare = shares["commonest"], shares["rarest"]
            what = f"{usage} rows are {common}, {counts[rare]:,} {rare}: 1 in {shares['ratio']:g}"
            lines.append(("imbalance", counts[common], what))
        return lines

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values; the keys are those of `mien data audit --json`."""
        meta = self.store.meta
        return {
            "data": {"source": meta.source, "sha256": meta.source_sha256, "rows": meta.rows},
            "counts": self.store.counts(),
            "imbalance": imbalance(self.store),
            "duplicates": self._duplicates(),
            "leaks": [leak.to_dict() for leak in self.leaks],
            "near_duplicates": self._near_duplicates(),
            "constant": self.constant.tolist(),
            "nearly_constant": self.nearly_constant.tolist(),
            "no_face": None if self.no_face is None else self.no_face.tolist(),
            "mislabelled": None if self.mislabelled is None else self._mislabelled(self.mislabelled),
        }

    def _duplicates(self) -> dict[str, Any]:
        unique = len(np.unique(self.first))
        return {
            "unique": unique,
            "redundant": len(self.first) - unique,
            "groups": len(self.groups),
            "conflicting": len(self.conflicting),
            "within": self.redundant_within(),
            "rows": [rows.tolist() for rows in self.groups],
            "conflicting_rows": [rows.tolist() for rows in self.conflicting],
        }

    def redundant_within(self) -> dict[str, int]:
        """Rows that repeat an earlier row of the same usage, for each usage that occurs."""
        faces = {usage: self.first[self.store.rows_of(usage)] for usage in self.store.counts()}
        return {usage: len(rows) - len(np.unique(rows)) for usage, rows in faces.items()}

    def _near_duplicates(self) -> dict[str, Any]:
        near = self.near
        pairs = zip(near.rows, near.others, near.correlation, near.difference, near.mirrored, near.shifts, strict=True)
        return {
            "pairs": len(near),
            "groups": len(self.near_groups),
            "conflicting": len(self.near_conflicting),
            "rows": [
                {
                    "rows": [int(row), int(other)],
                    "correlation": round(float(correlation), 4),
                    "difference": round(float(difference), 2),
                    "mirrored": bool(mirrored),
                    "shift": int(shift),
                }
                for row, other, correlation, difference, mirrored, shift in pairs
            ],
        }

    def _mislabelled(self, found: Mislabelled) -> dict[str, Any]:
        labels = self.store.labels[found.rows]
        named = zip(found.rows, labels, found.suggested, found.margins, strict=True)
        return {
            "judged": found.judged,
            "doubtful": found.doubtful,
            "note": found.note,
            "rows": [
                {
                    "row": int(row),
                    "label": self.store.classes[label],
                    "suggested": self.store.classes[suggested],
                    "margin": round(float(margin), 4),
                }
                for row, label, suggested, margin in named
            ],
        }


def audit(
    store: FaceStore,
    *,
    has_face: HasFace | None = None,
    probabilities: tuple[NDArray[np.float64], str] | None = None,
    track: Track = iter,
) -> Audit:
    """Audit a data set.

    Args:
        store: the data set.
        has_face: predicate for "this crop shows a face"; omit it to skip the check.
        probabilities: out-of-sample probabilities and where they come from, as `find_mislabelled` takes them.
        track: wraps the loop over rows that are searched for faces, for a progress bar.

    Raises:
        DataError: no row has probabilities that are out of sample.
    """
    found = find_mislabelled(store.labels, *probabilities) if probabilities else None
    first, deviations = first_identical(store.faces), _deviations(store.faces)
    return Audit(
        store=store,
        first=first,
        deviations=deviations,
        near=_near_rows(store.faces, np.unique(first[deviations >= MIN_DEVIATION])),
        no_face=_without_face(store.faces, has_face, track) if has_face else None,
        mislabelled=found,
    )


def imbalance(store: FaceStore) -> dict[str, dict[str, Any]]:
    """Class imbalance by usage: the most and the least frequent class, and the ratio of their counts."""
    table = {}
    for usage, counts in store.counts().items():
        present = {emotion: count for emotion, count in counts.items() if count}
        commonest, rarest = max(present, key=present.__getitem__), min(present, key=present.__getitem__)
        ratio = present[commonest] / present[rarest]
        absent = [name for name in store.classes if name not in present]
        table[usage] = {"commonest": commonest, "rarest": rarest, "ratio": round(ratio, 2), "absent": absent}
    return table


def _deviations(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Standard deviation of each face (N,)."""
    chunks = (faces[start : start + _FACES_AT_ONCE] for start in range(0, len(faces), _FACES_AT_ONCE))
    parts = [chunk.reshape(len(chunk), -1).std(axis=1, dtype=np.float32) for chunk in chunks]
    return np.concatenate([np.empty(0, np.float32), *parts])


def _near_rows(faces: NDArray[np.uint8], rows: Rows) -> NearPairs:
    """Near duplicates among some rows, by their row numbers."""
    near = near_duplicates(canonical_faces(faces[rows]))
    return NearPairs(rows[near.rows], rows[near.others], near.correlation, near.difference, near.mirrored, near.shifts)


def _without_face(faces: NDArray[np.uint8], has_face: HasFace, track: Track) -> Rows:
    return np.array([row for row in track(range(len(faces))) if not has_face(faces[row])], np.intp)


def usage_of(store: FaceStore, row: int) -> str:
    """Name of the usage of a row."""
    return USAGES[int(store.usages[row])]
