"""Selective answers: how accurate a model is when it answers only where its probability is high enough.

Geifman and El-Yaniv, "Selective Classification for Deep Neural Networks", arXiv 1705.08500.
"""

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.errors import UsageError
from mien.evaluation.metrics import wilson_interval

COVERAGES: Final = (0.9, 0.8, 0.7)
"""Shares of the faces at which figures are given."""

_POINTS: Final = tuple(number / 20 for number in range(1, 21))
"""Shares of the faces at which a report states the curve."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What comes of answering only above a threshold.

    Args:
        coverage: share of the faces that are answered, 0..1.
        accuracy: share of right answers among them, 0..1.
        accuracy_interval: 95 % interval of it (Wilson).
        threshold: least probability of an answer, 0..1: `--min-probability` of `mien predict`.
        n: faces that are answered.
    """

    coverage: float
    accuracy: float
    accuracy_interval: tuple[float, float]
    threshold: float
    n: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return asdict(self) | {"accuracy_interval": list(self.accuracy_interval)}


@dataclass(frozen=True, slots=True, eq=False)
class RiskCoverage:
    """The risk-coverage curve: answers are given to the most confident faces first.

    Args:
        confidence: float64 (N,), descending.
        errors: float64 (N,), wrong answers among the first so many faces; among faces of equal confidence, whose
            order says nothing, the mean over their orders.
    """

    confidence: NDArray[np.float64]
    errors: NDArray[np.float64]

    @property
    def coverage(self) -> NDArray[np.float64]:
        """Share of the faces that are answered, (N,), ascending to 1."""
        return np.arange(1, len(self.errors) + 1) / len(self.errors)

    @property
    def risk(self) -> NDArray[np.float64]:
        """Share of wrong answers among those that are given, (N,)."""
        return self.errors / np.arange(1, len(self.errors) + 1)

    @property
    def area(self) -> float:
        """Area under the curve (AURC), 0..1: the mean risk over all coverages; the less, the better."""
        return float(self.risk.mean())

    @property
    def least_area(self) -> float:
        """The area when every wrong answer were less confident than every right one: what ranking alone could reach."""
        count, wrong = len(self.errors), round(self.errors[-1])
        return float((np.maximum(np.arange(1, count + 1) - (count - wrong), 0) / np.arange(1, count + 1)).mean())

    def at(self, coverage: float) -> Answered:
        """The highest threshold that answers at least a share of the faces, 0..1 (more where confidences are equal)."""
        least = self.confidence[max(1, int(np.ceil(coverage * len(self.errors) - 1e-9))) - 1]
        count = int(np.count_nonzero(self.confidence >= least))
        accuracy = float(1 - self.errors[count - 1] / count)
        return Answered(count / len(self.errors), accuracy, wilson_interval(accuracy, count), float(least), count)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "aurc": self.area,
            "aurc_least": self.least_area,
            "at": [self.at(coverage).to_dict() for coverage in COVERAGES],
            "curve": [self.at(coverage).to_dict() for coverage in _POINTS],
        }


def risk_coverage(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> RiskCoverage:
    """The risk-coverage curve of some answers.

    Args:
        confidence: of each answer, its probability as a rule, finite, (N,), N at least 1.
        right: whether it is right, (N,).

    Raises:
        UsageError: no answers, or arrays of other shapes.
    """
    if confidence.ndim != 1 or confidence.shape != right.shape or not len(confidence):
        raise UsageError(f"confidence {confidence.shape} and right {right.shape}: expected (N,) twice, N at least 1")
    order = np.argsort(-confidence, kind="stable")
    ranked, wrong = confidence[order], ~right[order]
    _, place, count = np.unique(-ranked, return_inverse=True, return_counts=True)
    tied = np.bincount(place, weights=wrong) / count
    return RiskCoverage(ranked.astype(np.float64), np.cumsum(tied[place]))
