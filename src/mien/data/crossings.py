"""What crosses a split: near copies and groups of which one part is trained on and the other held out."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mien.choices import TEST_USAGES
from mien.data.audit.findings import MIN_DEVIATION
from mien.data.audit.near_duplicates import near_duplicates
from mien.data.store import FaceStore
from mien.preprocess import canonical_faces

Rows = NDArray[np.intp]


def crossings(store: FaceStore, rows: Rows, held_out: Rows) -> Iterator[str]:
    """One sentence for each way in which rows that judge are not independent of those that are trained on.

    Args:
        store: the data set.
        rows: rows to train on, without copies of the others.
        held_out: Training rows that are held out.
    """
    if near := len(near_copies(store, rows, held_out)):
        apart = store.groups is not None and not len(in_groups_of(store, rows, held_out))
        yield (
            f"{near:,} of {len(held_out):,} held-out rows are nearly the same as a row that is trained on "
            "(`mien data audit` shows such pairs): figures on them flatter; "
            f"{'the groups of the data set keep such pairs apart: import it with others' if apart else _mend(store)}"
        )
    for name, judged in [("held-out", held_out), *((usage, store.rows_of(usage)) for usage in TEST_USAGES)]:
        if shared := len(in_groups_of(store, rows, judged)):
            mend = _mend(store) if name == "held-out" else "import them with one usage each"
            yield f"{shared:,} of {len(judged):,} {name} rows are of a group that is trained on: {mend}"


def _mend(store: FaceStore) -> str:
    if store.groups is None:
        return "groups (`mien data import --groups`) with split=grouped_folds keep them together"
    return "split=grouped_folds keeps groups together"


def in_groups_of(store: FaceStore, rows: Rows, judged: Rows) -> Rows:
    """Those of ``judged`` whose group also has one of ``rows``; none where the data set has no groups."""
    if store.groups is None:
        return judged[:0]
    return np.asarray(judged[np.isin(store.groups[judged], store.groups[rows])])


def near_copies(store: FaceStore, rows: Rows, judged: Rows) -> Rows:
    """Those of ``judged`` that are nearly the same as one of ``rows``, ascending (`near_duplicates`).

    Faces that are (nearly) constant have no pattern to compare and are left out.
    """
    if not len(judged) or not len(rows):
        return judged[:0]
    both = np.concatenate([rows, judged])
    faces = canonical_faces(store.faces[both])
    varied = faces.reshape(len(both), -1).std(axis=1, dtype=np.float32) >= MIN_DEVIATION
    pairs, is_judged = near_duplicates(faces[varied]), (np.arange(len(both)) >= len(rows))[varied]
    across = is_judged[pairs.rows] != is_judged[pairs.others]
    later = np.maximum(pairs.rows, pairs.others)[across]  # rows that judge come last
    return np.unique(both[varied][later])
