"""Temperature scaling, and the sampling band of the calibration error of a perfectly calibrated model.

Guo et al., "On Calibration of Modern Neural Networks", arXiv 1706.04599.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.evaluation.metrics import CALIBRATION_BINS, checked_scores, confidence_bins

TEMPERATURE_RANGE: Final = (0.05, 20.0)
"""Search range of the temperature; a minimum beyond it (few faces, all classified correctly) gives the nearer end."""

_HALVINGS: Final = 60
"""Enough to bring the range of log temperature below the resolution of float64."""

BAND_COVERAGE: Final = 0.9
"""Share of perfectly calibrated models whose calibration error lies in their band."""


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
        bins: as in `mien.evaluation.metrics.reliability_curve`.
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


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """The temperature T within `TEMPERATURE_RANGE` that minimises the negative log-likelihood of softmax(logits / T).

    That likelihood is convex in 1 / T, so its slope changes sign at most once and bisection finds the one minimum.
    Accuracy does not change, for dividing by T keeps the order of the logits.

    Args:
        logits: finite, shape (N, classes).
        labels: true class numbers, shape (N,).

    Raises:
        UsageError: wrong shapes or values.
    """
    values, true = checked_scores(logits, labels)
    shifted = values - values.max(axis=1, keepdims=True)
    low, high = np.log(TEMPERATURE_RANGE)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _slope(shifted, true, float(np.exp(-middle))) > 0:  # a smaller 1 / T is better
            low = middle
        else:
            high = middle
    return float(np.exp((low + high) / 2))


def _slope(logits: NDArray[np.float64], labels: NDArray[np.intp], inverse: float) -> float:
    """Derivative of the likelihood by 1 / T: the expected logit minus the label's, averaged over the rows."""
    weights = np.exp(logits * inverse)
    expected = (weights * logits).sum(axis=1) / weights.sum(axis=1)
    own = np.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
    return float(np.mean(expected - own))
