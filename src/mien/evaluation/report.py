"""Evaluation of one model on one usage of a data set: every figure, and the predictions behind them."""

import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.choices import HELD_OUT, TARGETS
from mien.data.splits import identical_rows
from mien.data.statistics import brightness
from mien.data.store import FaceStore
from mien.data.votes import FERPLUS_FILE, is_contempt, vote_targets
from mien.errors import DataError, ModelFileError, UsageError
from mien.evaluation import metrics
from mien.evaluation.calibration import calibrated_ece_band
from mien.evaluation.classifier import Classifier
from mien.evaluation.provenance import TrainedOn, rows_to_evaluate, trained_on
from mien.evaluation.quality import accuracy_by_quarter, sharpness
from mien.evaluation.tta import Track, predict_logits
from mien.labels import EMOTIONS
from mien.model.bundle import softmax

_LEAST_FOR_QUARTERS: Final = 40
"""Faces below which quarters say nothing."""

_FERPLUS_RULE: Final = "one of the seven emotions has more of FER+'s votes than every other of the ten answers"


@dataclass(frozen=True, eq=False, kw_only=True)
class Evaluation:
    """A model's answers to one usage of a data set, and what follows from them.

    Args:
        model: what the model is called.
        model_sha256: hash of the file with its weights, None when there is none.
        source: name of the file the data set was imported from.
        source_sha256: its hash.
        usage: the part of the data set.
        tta: test-time augmentation, one of `mien.choices.TTA_MODES`.
        rows: row numbers in the data set, (N,), N at least 1.
        labels: true class numbers, (N,).
        logits: finite, float32 (N, 7), before temperature.
        temperature: from the model's card.
        trained_on: how many of ``rows`` the model was trained on; None when its card does not say.
        seen: whether a row also stands in Training, pixel for pixel, (N,), at least one of them not; None when that was
            not asked.
        targets: where ``labels`` are from, one of `mien.choices.TARGETS`.
        without_target: rows of the usage that are not among ``rows``, since FER+'s votes give them no label.
        contempt: how many of these have contempt, FER+'s eighth class, for their label.
        qualities: measures of the faces by name, each (N,): accuracy is given by quarters of them.
    """

    model: str
    model_sha256: str | None
    source: str
    source_sha256: str
    usage: str
    tta: str
    rows: NDArray[np.intp]
    labels: NDArray[np.uint8]
    logits: NDArray[np.float32]
    temperature: float
    trained_on: TrainedOn | None = None
    seen: NDArray[np.bool_] | None = None
    targets: str = TARGETS[0]
    without_target: int = 0
    contempt: int = 0
    qualities: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def probabilities(self) -> NDArray[np.float64]:
        """Calibrated probabilities, (N, 7)."""
        return softmax(self.logits / self.temperature)

    @cached_property
    def predictions(self) -> NDArray[np.intp]:
        """Predicted class numbers, (N,)."""
        predictions: NDArray[np.intp] = self.logits.argmax(axis=1)
        return predictions

    @cached_property
    def accuracy(self) -> float:
        """Share of right predictions, 0..1."""
        return metrics.accuracy(self.predictions, self.labels)

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """Faces by true emotion (rows) and predicted emotion (columns), (7, 7)."""
        return metrics.confusion_matrix(self.predictions, self.labels)

    @cached_property
    def reliability(self) -> metrics.ReliabilityCurve:
        """Confidence against accuracy with the temperature."""
        return metrics.reliability_curve(self.probabilities, self.labels)

    @cached_property
    def reliability_uncalibrated(self) -> metrics.ReliabilityCurve:
        """Confidence against accuracy without the temperature."""
        return metrics.reliability_curve(softmax(self.logits), self.labels)

    @cached_property
    def ece_band(self) -> tuple[float, float]:
        """Where the ECE of a perfectly calibrated model with the same confidences lies, in nine cases of ten."""
        return calibrated_ece_band(self.probabilities.max(axis=1))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values; the keys are those of `mien evaluate --json`. Shares are 0..1, `nll` is in nats.

        Against FER+'s votes ``eight_classes`` counts the faces of contempt too, all of them wrong: the seven emotions
        of a model do not include it.
        """
        return {
            "model": {"name": self.model, "sha256": self.model_sha256},
            "data": {"source": self.source, "sha256": self.source_sha256},
            "usage": self.usage,
            "tta": self.tta,
            **self._target_rule(),
            "n": len(self),
            "trained_on": asdict(self.trained_on) if self.trained_on else None,
            "accuracy": self.accuracy,
            "standard_error": metrics.standard_error(self.accuracy, len(self)),
            "accuracy_interval": list(metrics.wilson_interval(self.accuracy, len(self))),
            "top2_accuracy": metrics.top_k_accuracy(self.logits, self.labels),
            "macro_f1": metrics.macro_f1(self.confusion),
            "nll": metrics.negative_log_likelihood(self.logits / self.temperature, self.labels),
            "ece": self.reliability.expected_calibration_error,
            "ece_band": list(self.ece_band),
            "ece_uncalibrated": self.reliability_uncalibrated.expected_calibration_error,
            "temperature": float(self.temperature),
            "per_class": self._per_class(),
            "by_quality": self._by_quality(),
            "labels": list(EMOTIONS),
            "confusion": self.confusion.tolist(),
            **self._without_seen(),
        }

    def to_json(self) -> str:
        """`to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def _target_rule(self) -> dict[str, Any]:
        if self.targets == "fer2013":
            return {"targets": self.targets}
        eight = len(self) + self.contempt
        right = int(np.trace(self.confusion))
        return {
            "targets": self.targets,
            "target_rule": _FERPLUS_RULE,
            "without_target": self.without_target,
            "eight_classes": {"accuracy": right / eight, "contempt": self.contempt, "n": eight},
        }

    def _without_seen(self) -> dict[str, Any]:
        if self.seen is None:
            return {}
        predictions, labels = self.predictions[~self.seen], self.labels[~self.seen]
        figures = {
            "accuracy": metrics.accuracy(predictions, labels),
            "macro_f1": metrics.macro_f1(metrics.confusion_matrix(predictions, labels)),
            "n": len(labels),
        }
        return {"seen": int(self.seen.sum()), "without_seen": figures}

    def _by_quality(self) -> dict[str, list[dict[str, float]]]:
        if len(self) < _LEAST_FOR_QUARTERS:
            return {}
        right = self.predictions == self.labels
        return {
            name: [asdict(quarter) for quarter in accuracy_by_quarter(measure, right)]
            for name, measure in self.qualities.items()
        }

    def _per_class(self) -> dict[str, dict[str, float | int]]:
        scores = metrics.class_scores(self.confusion)
        return {
            emotion: {
                "precision": float(scores.precision[index]),
                "recall": float(scores.recall[index]),
                "f1": float(scores.f1[index]),
                "support": int(scores.support[index]),
            }
            for index, emotion in enumerate(EMOTIONS)
        }


def evaluate(
    classifier: Classifier,
    store: FaceStore,
    usage: str,
    tta: str = "none",
    *,
    drop_seen: bool = False,
    targets: str = "fer2013",
    track: Track = iter,
) -> Evaluation:
    """Evaluate a model on every face of one usage.

    Args:
        classifier: the model; its card gives preprocessing and temperature.
        store: the data set.
        usage: one of `mien.choices.EvaluatedUsage`; "held-out" are the rows that the model's training held out.
        tta: one of `mien.choices.TTA_MODES`.
        drop_seen: also give the figures without the rows that stand in Training, pixel for pixel.
        targets: "fer2013" takes its labels for true; "ferplus" the majority of FER+'s votes, and only the rows where
            one of the seven emotions has it (`mien.data.votes.vote_targets`).
        track: wraps the loop over chunks of faces, for a progress bar.

    Raises:
        DataError: an unknown usage, or one without rows; no Training rows to compare with, or no row that is not there;
            no FER+ votes, or none that give a row a label.
        UsageError: an unknown test-time augmentation, or unknown targets; a model whose training held no rows of this
            data set out, or ``drop_seen`` with such rows.
        ModelFileError: the model's answers are not finite.
    """
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
        seen=seen,
        targets=targets,
        without_target=len(left_out),
        contempt=int(is_contempt(store.votes[left_out]).sum()) if store.votes is not None else 0,
        qualities={"brightness": brightness(faces), "sharpness": sharpness(faces)},
    )


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
    majority = vote_targets(store.votes[rows], "majority")
    kept = majority.any(axis=1)
    if not kept.any():
        raise DataError(f"data set of {store.meta.source}: FER+'s votes give none of the {len(rows)} rows a label")
    return rows[kept], majority[kept].argmax(axis=1).astype(np.uint8), rows[~kept]


def _seen(store: FaceStore, usage: str, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
    if usage == HELD_OUT:
        raise UsageError("held-out rows are Training rows, whose copies were not trained on; leave drop_seen out")
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
