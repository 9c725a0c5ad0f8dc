"""Evaluation of one model on one usage of a data set."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.choices import TARGETS, USAGES
from mien.data.splits import identical_rows
from mien.data.statistics import brightness
from mien.data.store import FaceStore
from mien.data.votes import FERPLUS_FILE, STRICT, is_contempt, vote_targets
from mien.errors import DataError, ModelFileError, UsageError
from mien.evaluation.classifier import Classifier
from mien.evaluation.evaluated import Evaluation
from mien.evaluation.mapped import require_classes
from mien.evaluation.provenance import rows_to_evaluate, trained_on
from mien.evaluation.quality import sharpness
from mien.evaluation.tta import Track, predict_logits
from mien.labels import FERPLUS_EMOTIONS
from mien.preprocess import grey_faces

_SUNK: Final = 1e4
"""How far below all others the logit of a class lies that a restricted model cannot answer."""


def evaluate(
    classifier: Classifier,
    store: FaceStore,
    usage: str,
    tta: str = "none",
    *,
    drop_seen: bool = False,
    targets: str = "fer2013",
    classes: str = "all",
    track: Track = iter,
) -> Evaluation:
    """Evaluate a model on every face of one usage.

    Args:
        classifier: the model; its card gives preprocessing and temperature.
        store: the data set.
        usage: one of `mien.choices.EvaluatedUsage`; "held-out" are the rows that the model's training held out.
        tta: one of `mien.choices.TTA_MODES`.
        drop_seen: also give the figures without the rows that stand in Training, pixel for pixel.
        targets: "fer2013" takes the data set's labels for true; "ferplus" the majority of FER+'s votes, and only the
            rows where one of the classes has it (`mien.data.votes.vote_targets`): of FER2013's seven the majority, of
            FER+'s eight the strict one, by which published figures are given.
        classes: "present" leaves the model the classes that have faces among the rows: the logits of all others sink
            below theirs, so that the probabilities of the rest sum to 1.
        track: wraps the loop over chunks of faces, for a progress bar.

    Raises:
        DataError: an unknown usage, or one without rows; no Training rows to compare with, or no row that is not there;
            no FER+ votes, or none that give a row a label.
        UsageError: a model with other classes than the data set; an unknown test-time augmentation, or unknown targets;
            a model whose training held no rows of this data set out, or ``drop_seen`` with such rows.
        ModelFileError: the model's answers are not finite.
    """
    require_classes(classifier.card, store)
    rows = rows_to_evaluate(store, usage, classifier.card)
    if not len(rows):
        present = ", ".join(store.counts()) or "no rows at all"
        raise DataError(f"data set of {store.meta.source}: no {usage} rows (it has {present}); choose another usage")
    rows, labels, left_out = _labelled(store, rows, targets)
    seen = _seen(store, usage, rows) if drop_seen else None
    faces = store.faces[rows]
    logits = predict_logits(classifier, faces, tta, track=track)
    if not np.isfinite(logits).all():
        raise ModelFileError(f"model {classifier.card.name}: its outputs are not finite; train or export it again")
    if classes == "present":
        logits = _restricted(logits, labels)
    return Evaluation(
        model=classifier.card.name,
        model_sha256=classifier.sha256,
        source=store.meta.source,
        source_sha256=store.meta.source_sha256,
        usage=usage,
        tta=tta,
        rows=rows,
        labels=labels,
        logits=logits,
        temperature=classifier.card.temperature,
        trained_on=trained_on(classifier.card, store, rows),
        selected_on=classifier.card.training.get("selected_on"),
        seen=seen,
        restricted=classes == "present",
        targets=targets,
        without_target=len(left_out),
        contempt=int(is_contempt(store.votes[left_out]).sum()) if store.votes is not None else 0,
        groups=None if store.groups is None else store.groups[rows],
        qualities={"brightness": brightness(faces), "sharpness": sharpness(grey_faces(faces))},
        classes=store.classes,
    )


def _restricted(logits: NDArray[np.float32], labels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits (N, classes) whose classes without a label sink so far that their probability is 0, and stay finite."""
    absent = np.setdiff1d(np.arange(logits.shape[1]), labels)
    sunk = logits.copy()
    sunk[:, absent] = logits.min(axis=1, keepdims=True) - _SUNK
    return sunk


def _labelled(
    store: FaceStore, rows: NDArray[np.intp], targets: str
) -> tuple[NDArray[np.intp], NDArray[np.uint8], NDArray[np.intp]]:
    """Those of some rows that have a label, the labels, and the rows that have none."""
    if targets not in TARGETS:
        raise UsageError(f"unknown targets {targets!r}: expected one of {', '.join(TARGETS)}")
    if targets == "fer2013":
        return rows, store.labels[rows], rows[:0]
    if store.votes is None:
        raise DataError(
            f"data set of {store.meta.source}: no FER+ votes; "
            f"import it again with `mien data import SRC OUT --ferplus {FERPLUS_FILE}`, or use FER2013's labels"
        )
    rule = STRICT if store.classes == FERPLUS_EMOTIONS else "majority"
    majority = vote_targets(store.votes[rows], rule, len(store.classes))
    kept = majority.any(axis=1)
    if not kept.any():
        raise DataError(f"data set of {store.meta.source}: FER+'s votes give none of the {len(rows)} rows a label")
    return rows[kept], majority[kept].argmax(axis=1).astype(np.uint8), rows[~kept]


def _seen(store: FaceStore, usage: str, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
    if usage not in USAGES:
        raise UsageError(f"{usage} rows may be Training rows themselves; leave drop_seen out, or choose a part")
    if not len(store.rows_of("Training")):
        raise DataError(
            f"data set of {store.meta.source}: no Training rows, so none can have been seen; leave drop_seen out"
        )
    seen = np.isin(rows, identical_rows(store, usage, "Training"))
    if seen.all():
        raise DataError(
            f"data set of {store.meta.source}: every {usage} row also stands in Training; leave drop_seen out"
        )
    return seen
