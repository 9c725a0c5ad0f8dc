"""Temperature scaling (Guo et al., "On Calibration of Modern Neural Networks", arXiv 1706.04599)."""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.evaluation.metrics import checked_scores

TEMPERATURE_RANGE: Final = (0.05, 20.0)
"""Search range of the temperature; a minimum beyond it gives the nearer end."""

_HALVINGS: Final = 60
"""Enough to bring the range of log temperature below the resolution of float64."""


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """The temperature T within `TEMPERATURE_RANGE` that minimises the negative log-likelihood of softmax(logits / T).

    That likelihood is convex in 1 / T, so its slope changes sign at most once and bisection finds the one minimum.
    Accuracy does not change, for dividing by T keeps the order of the logits.

    Rows of which none is misclassified are the likelier the smaller T is: they do not say how sure is too sure, and
    every later answer would get a probability of 1. Then T is 1, as without a fit.

    Args:
        logits: finite, shape (N, classes).
        labels: true class numbers, shape (N,).

    Raises:
        UsageError: wrong shapes or values.
    """
    values, true = checked_scores(logits, labels)
    if (values.argmax(axis=1) == true).all():
        return 1.0
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
