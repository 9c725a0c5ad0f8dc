"""Figures of merit: pure functions on NumPy arrays that know nothing of models or data sets.

Arguments come in the order (prediction, label). Classes are numbered from 0. A quotient without a denominator is 0.0:
precision of a class that is never predicted, recall of a class without faces. Bad arguments raise `UsageError`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.errors import UsageError
from mien.labels import EMOTIONS


def confusion_matrix(predictions: ArrayLike, labels: ArrayLike, classes: int = len(EMOTIONS)) -> NDArray[np.int64]:
    """How often each class was taken for each: rows are the true class, columns the predicted one.

    Args:
        predictions: class numbers, integers 0..classes-1, shape (N,).
        labels: true class numbers, likewise.
        classes: number of classes.

    Returns:
        int64, shape (classes, classes); the sum is N.

    >>> confusion_matrix([1, 1, 0], [0, 1, 0], classes=2)
    array([[1, 1],
           [0, 1]])
    """
    predicted, true = _class_pair(predictions, labels, classes)
    return np.bincount(true * classes + predicted, minlength=classes**2).reshape(classes, classes).astype(np.int64)


def accuracy(predictions: ArrayLike, labels: ArrayLike, classes: int = len(EMOTIONS)) -> float:
    """Share of right predictions, 0..1 (arguments as in `confusion_matrix`)."""
    predicted, true = _class_pair(predictions, labels, classes)
    return float(np.mean(predicted == true))


def top_k_accuracy(scores: ArrayLike, labels: ArrayLike, k: int = 2) -> float:
    """Share of rows whose label is among the k highest scores, 0..1.

    Of equal scores the lower class number ranks first, as in argmax.

    Args:
        scores: finite numbers, any scale, shape (N, classes).
        labels: true class numbers, shape (N,).
        k: 1..classes.
    """
    values, true = checked_scores(scores, labels)
    if not 1 <= k <= values.shape[1]:
        raise UsageError(f"k is {k}: expected 1..{values.shape[1]}")
    own = np.take_along_axis(values, true[:, None], axis=1)
    earlier = np.arange(values.shape[1]) < true[:, None]
    rank = np.count_nonzero((values > own) | ((values == own) & earlier), axis=1)
    return float(np.mean(rank < k))


@dataclass(frozen=True, slots=True, eq=False)
class ClassScores:
    """Per-class figures, each of shape (classes,): precision, recall and f1 in 0..1 (float64), support in faces
    (int64).
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    support: NDArray[np.int64]


def class_scores(confusion: NDArray[np.int64]) -> ClassScores:
    """Precision, recall, F1 and support of every class from a confusion matrix (rows true, columns predicted)."""
    hits, support, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return ClassScores(
        precision=_quotient(hits, predicted),
        recall=_quotient(hits, support),
        f1=_quotient(2 * hits, support + predicted),
        support=support,
    )


def macro_f1(confusion: NDArray[np.int64]) -> float:
    """Unweighted mean F1, 0..1, over the classes that occur among labels or predictions.

    Scikit-learn and torchmetrics leave absent classes out too.
    """
    occurs = confusion.sum(axis=0) + confusion.sum(axis=1) > 0
    return float(class_scores(confusion).f1[occurs].mean()) if occurs.any() else 0.0


def balanced_accuracy(confusion: NDArray[np.int64]) -> float:
    """Unweighted mean recall, 0..1, over the classes that have faces (rows true, columns predicted)."""
    support = confusion.sum(axis=1) > 0
    return float(class_scores(confusion).recall[support].mean()) if support.any() else 0.0


def standard_error(share: float, n: int) -> float:
    """Standard error of a share (0..1) seen on n independent faces: 0.0074 for 0.73 on 3,589."""
    _check_share(share, n)
    return float(np.sqrt(share * (1 - share) / n))


def wilson_interval(share: float, n: float, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson's score interval (1927) of a share (0..1) seen on n faces; 95 % with the default z."""
    _check_share(share, n)
    weight = 1 / (1 + z**2 / n)
    centre = (share + z**2 / (2 * n)) * weight
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) * weight
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def negative_log_likelihood(logits: ArrayLike, labels: ArrayLike) -> float:
    """Mean of -log softmax(logits)[label] in nats, at least 0.

    Args:
        logits: finite, shape (N, classes).
        labels: true class numbers, shape (N,).
    """
    values, true = checked_scores(logits, labels)
    shifted = values - values.max(axis=1, keepdims=True)
    own = np.take_along_axis(shifted, true[:, None], axis=1)[:, 0]
    return float(np.mean(np.log(np.exp(shifted).sum(axis=1)) - own))


def checked_scores(scores: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Scores as float64 (N, classes) and labels as class numbers (N,).

    Raises:
        UsageError: other shapes, no rows, scores that are not finite, or labels out of range.
    """
    values = np.asarray(scores, np.float64)
    if values.ndim != 2 or not values.size:
        raise UsageError(f"scores have shape {values.shape}: expected (N, classes), N at least 1")
    if not np.isfinite(values).all():
        raise UsageError("scores hold NaN or infinity: expected finite numbers")
    true = _class_numbers("labels", labels, values.shape[1])
    if len(values) != len(true):
        raise UsageError(f"{len(values)} rows of scores and {len(true)} labels: expected as many of each")
    return values, true


def _class_pair(predictions: ArrayLike, labels: ArrayLike, classes: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    predicted, true = _class_numbers("predictions", predictions, classes), _class_numbers("labels", labels, classes)
    if len(predicted) != len(true):
        raise UsageError(f"{len(predicted)} predictions and {len(true)} labels: expected as many of each")
    return predicted, true


def _class_numbers(name: str, values: ArrayLike, classes: int) -> NDArray[np.intp]:
    numbers = np.asarray(values)
    if numbers.ndim != 1 or not numbers.size or not np.issubdtype(numbers.dtype, np.integer):
        raise UsageError(f"{name} are {numbers.dtype} {numbers.shape}: expected integers (N,), N at least 1")
    if numbers.min() < 0 or numbers.max() >= classes:
        raise UsageError(f"{name} lie in {numbers.min()}..{numbers.max()}: expected 0..{classes - 1}")
    return numbers.astype(np.intp)


def _check_share(share: float, n: float) -> None:
    if not 0 <= share <= 1 or n < 1:
        raise UsageError(f"share is {share} of {n}: expected 0..1 of at least 1")


def _quotient(numerator: NDArray[Any], denominator: NDArray[Any]) -> NDArray[np.float64]:
    quotient: NDArray[np.float64] = np.zeros(len(numerator))
    np.divide(numerator, denominator, out=quotient, where=denominator > 0)
    return quotient
