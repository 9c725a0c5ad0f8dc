"""Out-of-sample (out-of-fold) probabilities of rows, as finding label errors needs them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.choices import TEST_USAGES
from mien.data.duplicates import first_identical
from mien.data.splits import rows_sha256, training_rows
from mien.data.store import FaceStore
from mien.errors import DataError
from mien.evaluation.classifier import Classifier
from mien.evaluation.mapped import require_classes
from mien.evaluation.provenance import set_aside
from mien.evaluation.tta import Track, predict_logits
from mien.model.card import ModelCard
from mien.model.onnx_model import softmax


@dataclass(frozen=True, slots=True)
class Evidence:
    """Probabilities (N, classes) of a data set's rows, NaN where a model has seen them, and where they come from."""

    probabilities: NDArray[np.float64]
    note: str


def read_probabilities(path: Path, rows: int, classes: int) -> Evidence:
    """Probabilities in a .npy file, which are taken to be out of sample; a row of NaN is not judged.

    Args:
        path: float array (rows, classes), each row summing to 1.
        rows: how many rows the data set has.
        classes: how many classes it has.

    Raises:
        DataError: missing, damaged, of another shape, or values that are no probabilities.
    """
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: no array can be read ({error})") from None
    if not isinstance(values, np.ndarray) or values.shape != (rows, classes) or values.dtype.kind != "f":
        found = f"{values.dtype} {values.shape}" if isinstance(values, np.ndarray) else "an archive"
        raise DataError(f"{path}: {found}: expected floats ({rows}, {classes}), one row per row of the data set")
    probabilities = values.astype(np.float64)
    stated = probabilities[~np.isnan(probabilities).all(axis=1)]
    wrong = ~((stated >= 0).all(axis=1) & (np.abs(stated.sum(axis=1) - 1) < 1e-3))
    if wrong.any():
        row = np.flatnonzero(~np.isnan(probabilities).all(axis=1))[wrong][0]
        raise DataError(
            f"{path}: row {row} is no probabilities: expected {classes} of 0..1 that sum to 1, or as many NaN"
        )
    return Evidence(probabilities, f"{path.name}: taken as out of sample, which is not checked")


def model_evidence(
    classifier: Classifier, store: FaceStore, dropped: Path | None = None, *, track: Track = iter
) -> Evidence:
    """What a model says of the rows it has not been trained on.

    Args:
        classifier: the model; its card tells what it was trained on.
        store: the data set.
        dropped: the file of row numbers that the model was trained without (`mien train --drop-rows`); the Training
            rows in it can then be judged too. The card's hash must agree with it.
        track: wraps the loop over chunks of faces, for a progress bar.

    Raises:
        DataError: the file is malformed, or the model was not trained without these rows.
    """
    require_classes(classifier.card, store)
    rows, note = _unseen(classifier.card, store, dropped)
    probabilities = np.full((len(store), len(store.classes)), np.nan)
    logits = predict_logits(classifier, store.faces[rows], track=track)
    probabilities[rows] = softmax(logits / classifier.card.temperature)
    return Evidence(probabilities, f"{classifier.card.name}: {note}")


def combined(evidence: Sequence[Evidence]) -> Evidence:
    """The mean over the models that have not seen a row; for instance the folds of a cross-validation."""
    stack = np.stack([item.probabilities for item in evidence])
    known = np.isfinite(stack).all(axis=2, keepdims=True)
    total, count = np.where(known, stack, 0.0).sum(axis=0), known.sum(axis=0)
    mean = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    return Evidence(mean, "; ".join(item.note for item in evidence))


def _unseen(card: ModelCard, store: FaceStore, dropped: Path | None) -> tuple[NDArray[np.intp], str]:
    """Rows that a model can judge, and what is known of its having seen them."""
    trained_here = store.meta.source_sha256 in _of_lineage(card.training, "source_sha256")
    if dropped is not None:
        return _held_out(card, store, dropped)
    if not trained_here:
        source = card.training.get("source", "unknown data")
        note = f"trained on {source}, not on this data set; whether it has seen these faces is not known"
        return np.arange(len(store)), note
    tests, held = np.concatenate([store.rows_of(usage) for usage in TEST_USAGES]), set_aside(card, store)
    chosen_on = card.training.get("selected_on")
    chosen = f" (its epoch was chosen on {chosen_on})" if chosen_on else ""
    kinds = [f"{len(rows):,} {kind}" for kind, rows in (("test", tests), ("held-out", held)) if len(rows)]
    which = " and ".join(kinds) or "test"
    note = f"trained on Training rows of this data set, so only the {which} rows are judged{chosen}"
    return np.concatenate([held, tests]), note


def _held_out(card: ModelCard, store: FaceStore, dropped: Path) -> tuple[NDArray[np.intp], str]:
    trained = training_rows(store, dropped).rows
    if _of_lineage(card.training, "rows_sha256") != {rows_sha256(trained)}:
        raise DataError(
            f"{dropped}: {card.name} was not trained on the Training rows that this list leaves "
            "(its card has another hash); name the file that its --drop-rows had"
        )
    first = first_identical(store.faces)
    unseen = np.flatnonzero(~np.isin(first, first[trained]))
    return unseen, f"judged on {len(unseen):,} rows it was not trained on, as its card's hash of rows confirms"


def _of_lineage(training: Mapping[str, Any], key: str) -> set[str | None]:
    """An entry of a network's provenance, and of all networks that it began with, learnt from or consists of; None
    where one does not say.
    """
    initial = training.get("initial_weights")
    others = [*([initial] if initial else []), *training.get("teachers", ()), *training.get("members", ())]
    return {training.get(key)}.union(*(_of_lineage(other, key) for other in others))
