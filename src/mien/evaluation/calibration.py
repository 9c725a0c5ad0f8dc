"""Calibration: reliability curve, expected calibration error, and the band in which sampling alone puts it.

Guo et al., "On Calibration of Modern Neural Networks", arXiv 1706.04599.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.errors import UsageError
from mien.evaluation.metrics import checked_scores

CALIBRATION_BINS: Final = 15
"""Bins of the expected calibration error, as in Guo et al."""

_TOLERANCE: Final = 1e-3

BAND_COVERAGE: Final = 0.9
"""Share of perfectly calibrated models whose calibration error lies in their band."""


@dataclass(frozen=True, slots=True, eq=False)
class ReliabilityCurve:
    """Confidence against accuracy, bin by bin.

    Args:
        edges: float64 (bins + 1,), the numbers m / bins.
        confidence: float64 (bins,), mean confidence of the faces in each bin; NaN for an empty one.
        accuracy: float64 (bins,), share of them that is right; NaN for an empty one.
        count: int64 (bins,), faces in each bin.
    """

    edges: NDArray[np.float64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    count: NDArray[np.int64]

    @property
    def expected_calibration_error(self) -> float:
        """Mean over all faces of the distance between confidence and accuracy of their bin, 0..1."""
        filled = self.count > 0
        gaps = np.abs(self.confidence[filled] - self.accuracy[filled])
        return float(np.average(gaps, weights=self.count[filled]))


def reliability_curve(probabilities: ArrayLike, labels: ArrayLike, bins: int = CALIBRATION_BINS) -> ReliabilityCurve:
    """Confidence (the highest probability of a face) against accuracy in bins of equal width.

    Bin m = 1..bins holds the confidences in ((m - 1) / bins, m / bins], as in Guo et al.; the edges are the float64
    quotients m / bins.

    Args:
        probabilities: rows of at least 0 that sum to 1, shape (N, classes).
        labels: true class numbers, shape (N,).
        bins: at least 1.
    """
    values, true = checked_scores(probabilities, labels)
    if values.min() < 0 or np.abs(values.sum(axis=1) - 1).max() > _TOLERANCE:
        raise UsageError("probabilities are not rows of at least 0 that sum to 1: give softmax outputs, not logits")
    if bins < 1:
        raise UsageError(f"bins is {bins}: expected at least 1")
    confidence, hit = values.max(axis=1), values.argmax(axis=1) == true
    edges, place = confidence_bins(confidence, bins)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN of an empty bin
        means = [np.bincount(place, weights=what, minlength=bins) / count for what in (confidence, hit)]
    return ReliabilityCurve(edges, means[0], means[1], count.astype(np.int64))


def confidence_bins(
    confidence: NDArray[np.float64], bins: int = CALIBRATION_BINS
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Edges (bins + 1,) of bins of equal width, and the number of the bin of each confidence (N,)."""
    edges = np.arange(bins + 1) / bins
    return edges, np.searchsorted(edges[1:-1], confidence, side="left")


def expected_calibration_error(probabilities: ArrayLike, labels: ArrayLike, bins: int = CALIBRATION_BINS) -> float:
    """Expected calibration error, 0..1 (arguments and bins as in `reliability_curve`)."""
    return reliability_curve(probabilities, labels, bins).expected_calibration_error


def calibrated_ece_band(
    confidence: NDArray[np.float64],
    *,
    bins: int = CALIBRATION_BINS,
    coverage: float = BAND_COVERAGE,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Where the expected calibration error of a perfectly calibrated model with these confidences lies.

    Such a model is right with a probability of exactly its confidence. That is simulated: bins hold finitely many
    faces, so its error is above 0. An error above the band speaks against calibration, one within it does not (the
    consistency resampling of Bröcker and Smith, "Increasing the Reliability of Reliability Diagrams", 2007).

    Args:
        confidence: highest probability of each face, 0..1, (N,), N at least 1.
        bins: as in `reliability_curve`.
        coverage: share of the simulated errors inside the band, 0..1; as many lie below as above it.
        draws: simulations.
        seed: of the simulation.

    Returns:
        Its lower and its upper end.
    """
    random, (_, place) = np.random.default_rng(seed), confidence_bins(confidence, bins)
    errors = np.empty(draws)
    for number in range(draws):
        hits = random.random(len(confidence)) < confidence
        errors[number] = np.abs(np.bincount(place, hits - confidence, minlength=bins)).sum() / len(confidence)
    low, high = np.quantile(errors, [(1 - coverage) / 2, (1 + coverage) / 2])
    return float(low), float(high)
