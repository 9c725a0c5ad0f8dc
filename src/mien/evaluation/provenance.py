"""What a model's card says of its rows: those it was trained on, and those its training held out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.choices import ALL_ROWS, FOLDS, HELD_OUT
from mien.data.splits import groups_sha256, held_out_rows, rows_sha256, training_rows
from mien.data.store import FaceStore
from mien.errors import DataError, UsageError
from mien.model.card import ModelCard


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """How many of some rows a model was trained on.

    Args:
        rows: that many.
        exact: whether it is known to the row; else it is at most that many, since a list of rows that were left out
            is not in the card.
    """

    rows: int
    exact: bool


def named_rows(source: str, usage: str) -> str:
    """The data set and the rows, for titles: "fer2013.csv, PublicTest"; all rows go by the name of the data set."""
    return source if usage == ALL_ROWS else f"{source}, {usage}"


def rows_to_evaluate(store: FaceStore, usage: str, card: ModelCard) -> NDArray[np.intp]:
    """Rows of one of `mien.choices.EvaluatedUsage`, ascending; "held-out" are those that the model's training held out.

    Raises:
        DataError: an unknown usage.
        UsageError: held-out rows are asked for, and the card names none, or those of another data set.
    """
    if usage == ALL_ROWS:
        return np.arange(len(store))
    return held_out_of(card, store) if usage == HELD_OUT else store.rows_of(usage)


def held_out_of(card: ModelCard, store: FaceStore) -> NDArray[np.intp]:
    """The rows that a model's training held out of Training.

    Raises:
        UsageError: it held none out, its members held out different ones, or the data set is another.
    """
    found = [_held_out(training, store) for training in _own_trainings(card)]
    if not found or not len(found[0]):
        raise UsageError(f"{card.name}: its training held no rows out (split official); choose another usage")
    if any(not np.array_equal(rows, found[0]) for rows in found):
        raise UsageError(f"{card.name}: its members held out different rows; evaluate them one by one")
    return found[0]


def _own_trainings(card: ModelCard) -> list[Mapping[str, Any]]:
    members = card.training.get("members") or [card.training]
    return [training for training in members if "split" in training]


def _held_out(training: Mapping[str, Any], store: FaceStore) -> NDArray[np.intp]:
    if training.get("source_sha256") != store.meta.source_sha256:
        raise UsageError(
            f"{training.get('source')}: the model was trained on this data set, not on {store.meta.source}, "
            "so its held-out rows are not there"
        )
    if not _same_groups(training, store):
        raise UsageError(
            f"{store.meta.source}: the data set has other groups than those the model's training was split by; "
            "import it with the same ones"
        )
    here, then = len(store.rows_of("Training")), _known_rows(training)
    if training.get("split") != "official" and then not in (None, here):
        raise UsageError(
            f"{store.meta.source}: the data set has {here:,} Training rows, and the model's training chose among "
            f"{then:,}; import it in the same way (--detect, --skip-damaged)"
        )
    return _set_aside(training, store)


def _known_rows(training: Mapping[str, Any]) -> int | None:
    """How many Training rows a training found: those that it took, and those that it left out. None: not told."""
    if "rows" not in training or "dropped" not in training:
        return None
    return int(training["rows"]) + sum(map(int, training["dropped"].values()))


def _set_aside(training: Mapping[str, Any], store: FaceStore) -> NDArray[np.intp]:
    seed = training.get("split_seed", training.get("seed", 0))
    folds, fold = int(training.get("folds", FOLDS)), int(training.get("fold", 0))
    return held_out_rows(store, training.get("split", "official"), int(seed), folds=folds, fold=fold)


def _same_groups(training: Mapping[str, Any], store: FaceStore) -> bool:
    return training.get("groups_sha256") in (None, groups_sha256(store))


def trained_on(card: ModelCard, store: FaceStore, rows: NDArray[np.intp]) -> TrainedOn | None:
    """How many of some rows of a data set a model was trained on, initial weights and members of ensembles included.

    None where the card does not say: a model of somebody else, or trained on another data set, which may hold the same
    faces. Of one that was tuned on this data set and began on another, rows that it was tuned on are counted. Teachers
    do not count.
    """
    every = list(_trainings(card.training))
    trainings = [entry for entry in every if entry.get("source_sha256") == store.meta.source_sha256]
    if not trainings:
        return None
    found = _counted(trainings, store, rows)
    return found if found.rows or len(trainings) == len(every) else None


def _counted(trainings: Sequence[Mapping[str, Any]], store: FaceStore, rows: NDArray[np.intp]) -> TrainedOn:
    """How many of some rows trainings on this very data set have used, together."""
    suspected = np.intersect1d(rows, store.rows_of("Training"))
    if not len(suspected):
        return TrainedOn(0, exact=True)
    if not all(_same_groups(training, store) for training in trainings):
        return TrainedOn(len(suspected), exact=False)
    chosen = [training_rows(store, None, _set_aside(training, store)).rows for training in trainings]
    exact = all(rows_sha256(used) == entry.get("rows_sha256") for used, entry in zip(chosen, trainings, strict=True))
    return TrainedOn(int(np.isin(suspected, np.concatenate(chosen)).sum()), exact)


def set_aside(card: ModelCard, store: FaceStore) -> NDArray[np.intp]:
    """Training rows that no training of a model's lineage on this data set has used, teachers included, ascending.

    Those that each has held out, as far as its hash of rows proves it; none otherwise.
    """
    kept, here = store.rows_of("Training"), False
    for training in _lineage(card.training):
        if training.get("source_sha256") != store.meta.source_sha256 or "members" in training:
            continue
        here = True
        try:
            held = _set_aside(training, store) if _same_groups(training, store) else kept[:0]
            proven = rows_sha256(training_rows(store, None, held).rows) == training.get("rows_sha256")
        except DataError:  # rows that cannot be split so are others than those of the training
            proven = False
        kept = np.intersect1d(kept, held) if proven else kept[:0]
    return kept if here else kept[:0]


def _lineage(training: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A training, and those of all networks that it began with, learnt from or consists of."""
    yield training
    initial = training.get("initial_weights")
    for other in (*([initial] if initial else []), *training.get("teachers", ()), *training.get("members", ())):
        yield from _lineage(other)


def _trainings(training: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every training that set the weights: its own or its members', and those they started from."""
    members = training.get("members")
    for own in members or ([training] if training else []):
        yield own
        if start := own.get("initial_weights"):
            yield from _trainings(start)
