"""Temperature scaling (Guo et al., "On Calibration of Modern Neural Networks", arXiv 1706.04599)."""

import logging
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.evaluation.metrics import checked_scores

log: Final = logging.getLogger("mien")

TEMPERATURE_RANGE: Final = (0.05, 20.0)
"""Search range of the temperature; a minimum beyond it gives the nearer end."""

_HALVINGS: Final = 60
"""Enough to bring the range of log temperature below the resolution of float64."""


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """The temperature T within `TEMPERATURE_RANGE` that suits softmax(logits / T) best, 1 where the rows say nothing.

    What is minimised is the negative log-likelihood, summed over the rows, plus 1 / T + log T, which is least at T = 1.
    That is the likeliest T if 1 / T was drawn from a gamma distribution of shape 2 and rate 1 beforehand. The sum grows
    with the rows and this does not: of thousands it moves T by less than a thousandth, and of ten, or of rows of which
    next to none is misclassified and which are the likelier the smaller T is, it keeps T from making every answer
    certain.

    Both are convex in 1 / T, so their slope changes sign at most once and bisection finds the one minimum. Accuracy
    does not change, for dividing by T keeps the order of the logits.

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


def warn_at_end(temperature: float, of: str) -> None:
    """Say on the logger that a fitted temperature is an end of `TEMPERATURE_RANGE`, if it is.

    Args:
        temperature: what `fit_temperature` gave.
        of: what has it, such as a run's folder.
    """
    if np.isclose(temperature, TEMPERATURE_RANGE).any():
        log.warning(
            "%s: the temperature is %g, an end of its range: do not trust the probabilities; fit it on more faces, "
            "and check their labels",
            of,
            temperature,
        )


def _slope(logits: NDArray[np.float64], labels: NDArray[np.intp], inverse: float) -> float:
    """Derivative of what is minimised by 1 / T: the expected logits minus the labels', and that of 1 / T + log T."""
    weights = np.exp(logits * inverse)
    expected = (weights * logits).sum(axis=1) / weights.sum(axis=1)
    own = np.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
    return float(np.sum(expected - own) + 1 - 1 / inverse)
