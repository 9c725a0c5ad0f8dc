"""What an export says of each row of a data set beside its pixels."""

from mien.choices import USAGES
from mien.data.columns import FILE, GROUP, ROW, VOTE_COLUMNS
from mien.data.store import FaceStore


def row_columns(store: FaceStore) -> tuple[str, ...]:
    """Names of what is known of a face beside its pixels."""
    votes = VOTE_COLUMNS if store.votes is not None else ()
    return (
        ROW,
        "usage",
        "label",
        "emotion",
        *votes,
        *([GROUP] if store.groups is not None else []),
        *([FILE] if store.files is not None else []),
    )


def row_cells(store: FaceStore, row: int) -> tuple[int | str, ...]:
    """What is known of a face beside its pixels, in the order of `row_columns`."""
    label = int(store.labels[row])
    votes = () if store.votes is None else store.votes[row].tolist()
    group = () if store.groups is None else (str(store.groups[row]),)
    file = () if store.files is None else (str(store.files[row]),)
    return row, USAGES[store.usages[row]], label, store.classes[label], *votes, *group, *file
