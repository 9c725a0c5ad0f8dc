"""A model's answers to some rows of a data set, and every figure that follows from them."""

from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.choices import TARGETS
from mien.evaluation import calibration, metrics
from mien.evaluation.calibration import calibrated_ece_band
from mien.evaluation.clustered import clustered_interval, clustered_standard_error, number_of_groups
from mien.evaluation.conformal import tested_sets
from mien.evaluation.provenance import TrainedOn, named_rows
from mien.evaluation.quality import accuracy_by_quarter
from mien.evaluation.selective import RiskCoverage, risk_coverage
from mien.labels import EMOTIONS, FERPLUS_EMOTIONS
from mien.model.onnx_model import softmax

_LEAST_FOR_PARTS: Final = 40
"""Faces below which quarters and halves say nothing."""

_EIGHT_RULE: Final = (
    "one of FER+'s eight classes has more than half of the votes, those for answers that one person alone gave left out"
)
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
        logits: finite, float32 (N, classes), before temperature.
        temperature: from the model's card.
        trained_on: how many of ``rows`` the model was trained on; None when its card does not say.
        selected_on: the rows that the model's epoch was chosen on, as its card says; None when it does not.
        seen: whether a row also stands in Training, pixel for pixel, (N,), at least one of them not; None when that was
            not asked.
        restricted: whether the model could only answer classes that have faces among ``rows``.
        targets: where ``labels`` are from, one of `mien.choices.TARGETS`.
        without_target: rows of the usage that are not among ``rows``, since FER+'s votes give them no label.
        contempt: how many of these have contempt, FER+'s eighth class, for their label.
        groups: the group of each face (N,), None where the data set has none.
        qualities: measures of the faces by name, each (N,): accuracy is given by quarters of them.
        classes: names of the classes, by number.
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
    selected_on: str | None = None
    seen: NDArray[np.bool_] | None = None
    restricted: bool = False
    targets: str = TARGETS[0]
    without_target: int = 0
    contempt: int = 0
    groups: NDArray[np.str_] | None = None
    qualities: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    classes: tuple[str, ...] = EMOTIONS

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def where(self) -> str:
        """The data set and the rows, for titles."""
        return named_rows(self.source, self.usage)

    @property
    def absent(self) -> tuple[str, ...]:
        """Classes without a face among the rows."""
        support = np.bincount(self.labels, minlength=len(self.classes))
        return tuple(name for name, faces in zip(self.classes, support, strict=True) if not faces)

    @property
    def macro_f1_present(self) -> float:
        """Mean F1 over the classes that have faces, 0..1; `metrics.macro_f1` counts classes that are predicted too."""
        scores = metrics.class_scores(self.confusion)
        return float(scores.f1[scores.support > 0].mean())

    @cached_property
    def probabilities(self) -> NDArray[np.float64]:
        """Calibrated probabilities, (N, classes)."""
        return softmax(self.logits / self.temperature)

    @cached_property
    def predictions(self) -> NDArray[np.intp]:
        """Predicted class numbers, (N,)."""
        predictions: NDArray[np.intp] = self.logits.argmax(axis=1)
        return predictions

    @cached_property
    def accuracy(self) -> float:
        """Share of right predictions, 0..1."""
        return metrics.accuracy(self.predictions, self.labels, len(self.classes))

    @cached_property
    def accuracy_interval(self) -> tuple[float, float]:
        """95 % interval of the accuracy: Wilson's, over groups where there are at least two (`clustered_interval`)."""
        if self.groups is not None and number_of_groups(self.groups):
            return clustered_interval(self.predictions == self.labels, self.groups)
        return metrics.wilson_interval(self.accuracy, len(self))

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """Faces by true emotion (rows) and predicted emotion (columns), (classes, classes)."""
        return metrics.confusion_matrix(self.predictions, self.labels, len(self.classes))

    @cached_property
    def reliability(self) -> calibration.ReliabilityCurve:
        """Confidence against accuracy with the temperature."""
        return calibration.reliability_curve(self.probabilities, self.labels)

    @cached_property
    def reliability_uncalibrated(self) -> calibration.ReliabilityCurve:
        """Confidence against accuracy without the temperature."""
        return calibration.reliability_curve(softmax(self.logits), self.labels)

    @cached_property
    def ece_band(self) -> tuple[float, float]:
        """Where the ECE of a perfectly calibrated model with the same confidences lies, in nine cases of ten."""
        return calibrated_ece_band(self.probabilities.max(axis=1))

    @cached_property
    def risk_coverage(self) -> RiskCoverage:
        """Wrong answers when only the most confident faces are answered."""
        return risk_coverage(self.probabilities.max(axis=1), self.predictions == self.labels)

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
            "selected_on": self.selected_on,
            "accuracy": self.accuracy,
            **self._sampling(),
            "top2_accuracy": metrics.top_k_accuracy(self.logits, self.labels),
            "macro_f1": metrics.macro_f1(self.confusion),
            "macro_f1_over": [name for name in self.classes if name not in self._never],
            "macro_f1_present": self.macro_f1_present,
            "absent": list(self.absent),
            "restricted": self.restricted,
            "balanced_accuracy": metrics.balanced_accuracy(self.confusion),
            "nll": metrics.negative_log_likelihood(self.logits / self.temperature, self.labels),
            "ece": self.reliability.expected_calibration_error,
            "ece_band": list(self.ece_band),
            "ece_uncalibrated": self.reliability_uncalibrated.expected_calibration_error,
            "temperature": float(self.temperature),
            "selective": self.risk_coverage.to_dict(),
            "conformal": self._conformal(),
            "per_class": self._per_class(),
            "by_quality": self._by_quality(),
            "labels": list(self.classes),
            "confusion": self.confusion.tolist(),
            **self._without_seen(),
        }

    @property
    def _never(self) -> set[str]:
        """Classes that are neither label nor prediction of any face."""
        return set(self.absent) - {self.classes[number] for number in np.unique(self.predictions)}

    def _target_rule(self) -> dict[str, Any]:
        if self.targets == "fer2013":
            return {"targets": self.targets}
        if self.classes == FERPLUS_EMOTIONS:
            kept = {"kept": len(self), "of": len(self) + self.without_target}
            return {"targets": self.targets, "target_rule": _EIGHT_RULE, "without_target": self.without_target, **kept}
        eight = len(self) + self.contempt
        right = int(np.trace(self.confusion))
        return {
            "targets": self.targets,
            "target_rule": _FERPLUS_RULE,
            "without_target": self.without_target,
            "eight_classes": {"accuracy": right / eight, "contempt": self.contempt, "n": eight},
        }

    def _sampling(self) -> dict[str, Any]:
        """How accuracy varies with the faces, or the groups of them, that were drawn."""
        right, groups, drawn = self.predictions == self.labels, self.groups, number_of_groups(self.groups)
        error, interval = metrics.standard_error(self.accuracy, len(self)), self.accuracy_interval
        if groups is not None and drawn:
            error = clustered_standard_error(right, groups)
        return {
            "groups": drawn or None,
            "standard_error": error,
            "accuracy_interval": list(interval),
        }

    def _without_seen(self) -> dict[str, Any]:
        if self.seen is None:
            return {}
        predictions, labels = self.predictions[~self.seen], self.labels[~self.seen]
        figures = {
            "accuracy": metrics.accuracy(predictions, labels, len(self.classes)),
            "macro_f1": metrics.macro_f1(metrics.confusion_matrix(predictions, labels, len(self.classes))),
            "n": len(labels),
        }
        return {"seen": int(self.seen.sum()), "without_seen": figures}

    def _by_quality(self) -> dict[str, list[dict[str, float]]]:
        if len(self) < _LEAST_FOR_PARTS:
            return {}
        right = self.predictions == self.labels
        return {
            name: [asdict(quarter) for quarter in accuracy_by_quarter(measure, right)]
            for name, measure in self.qualities.items()
        }

    def _conformal(self) -> Any:
        if len(self) < _LEAST_FOR_PARTS:
            return None
        return tested_sets(self.probabilities, self.labels, self.classes)

    def _per_class(self) -> dict[str, dict[str, float | int]]:
        scores = metrics.class_scores(self.confusion)
        return {
            emotion: {
                "precision": float(scores.precision[index]),
                "recall": float(scores.recall[index]),
                "f1": float(scores.f1[index]),
                "support": int(scores.support[index]),
            }
            for index, emotion in enumerate(self.classes)
        }
