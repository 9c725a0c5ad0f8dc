"""Conformal sets of expressions, fitted on one half of some rows and tested on the other."""

import math
from functools import reduce
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.model.trust import Trust

LEVELS: Final = (0.8, 0.9, 0.95)
"""Wanted coverages that a report gives figures for."""

SEED: Final = 0
"""Of the halves."""

_TAIL: Final = 0.025


def halves(labels: NDArray[np.uint8], seed: int = SEED) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Places of the rows to fit on and of the rows to test on, each ascending: half of every class, drawn at random.

    Of an odd number the first half has one more.

    Args:
        labels: class numbers (N,).
        seed: of the draw.
    """
    random, first = np.random.default_rng(seed), np.zeros(len(labels), bool)
    for number in np.unique(labels):
        places = random.permutation(np.flatnonzero(labels == number))
        first[places[: (len(places) + 1) // 2]] = True
    return np.flatnonzero(first), np.flatnonzero(~first)


def true_probabilities(
    probabilities: NDArray[np.float64], labels: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], ...]:
    """For each class the probabilities that were given to it where it is true, ascending."""
    classes = range(probabilities.shape[1])
    return tuple(np.sort(probabilities[labels == number, number]).astype(np.float32) for number in classes)


def tested_sets(probabilities: NDArray[np.float64], labels: NDArray[np.uint8], classes: tuple[str, ...]) -> Any:
    """What sets of each of `LEVELS` come to when they are fitted on one half of some faces and tested on the other.

    Args:
        probabilities: (N, classes), calibrated.
        labels: true class numbers (N,).
        classes: their names.

    Returns:
        JSON-ready values; None where no class has a second face to test on.
    """
    fitted, tested = halves(labels)
    if not len(tested):
        return None
    known = true_probabilities(probabilities[fitted], labels[fitted])
    none = np.empty(0, np.float32)
    trust = Trust(sha256="", labels=classes, data="", true_probabilities=known, mean=none, factor=none, distances=none)
    levels = [tested_level(trust, level, probabilities[tested], labels[tested]) for level in LEVELS]
    return {"seed": SEED, "fitted": len(fitted), "tested": len(tested), "levels": levels}


def tested_level(
    trust: Trust, level: float, probabilities: NDArray[np.float64], labels: NDArray[np.uint8]
) -> dict[str, Any]:
    """Coverage and size of a model's sets on faces that they were not fitted on, as JSON-ready values.

    Args:
        trust: the model's calibration.
        level: wanted coverage.
        probabilities: (N, classes) of the faces.
        labels: true class numbers (N,).
    """
    sets = trust.sets(probabilities, level)
    held = np.array([trust.labels[label] in found for label, found in zip(labels, sets, strict=True)])
    sizes = np.array(list(map(len, sets)))
    chances, per_class = [np.ones(1)], {}
    for number, name in enumerate(trust.labels):
        mine = labels == number
        if count := int(mine.sum()):
            chances.append(covered_chances(len(trust.true_probabilities[number]), level, count))
            per_class[name] = _coverage(held[mine], chances[-1])
    return {
        "level": level,
        **_coverage(held, reduce(np.convolve, chances)),
        "mean_size": float(sizes.mean()),
        "single": float((sizes == 1).mean()),
        "per_class": per_class,
    }


def _coverage(held: NDArray[np.bool_], chances: NDArray[np.float64]) -> dict[str, Any]:
    """The share of ``n`` sets that hold the true class, and where it lies in 95 % of all draws of calibration and test
    faces, when they are drawn alike.
    """
    low, high = interval(chances)
    return {"coverage": float(held.mean()), "interval": [low / len(held), high / len(held)], "n": len(held)}


def covered_chances(fitted: int, level: float, tested: int) -> NDArray[np.float64]:
    """The chance (tested + 1,) that so many of the tested faces of a class are covered.

    A beta-binomial distribution, whatever the model (Vovk, arXiv 1209.2673; Angelopoulos and Bates, arXiv 2107.07511,
    section 3.2).

    Args:
        fitted: faces of the class that the threshold was fitted on.
        level: wanted coverage.
        tested: faces of the class that it is tested on.
    """
    rank = math.floor((fitted + 1) * (1 - level) + 1e-9)
    if not rank:  # the class is in every set
        return np.append(np.zeros(tested), 1.0)
    inside, outside = fitted + 1 - rank, rank
    logarithms = [
        _log_choose(tested, count) + _log_beta(count + inside, tested - count + outside) - _log_beta(inside, outside)
        for count in range(tested + 1)
    ]
    return np.exp(logarithms)


def interval(chances: NDArray[np.float64]) -> tuple[int, int]:
    """The least and the largest number that a distribution over 0, 1, ... gives to the middle 95 %."""
    below = np.cumsum(chances)
    return int(np.searchsorted(below, _TAIL)), int(np.searchsorted(below, 1 - _TAIL - 1e-12))


def _log_beta(a: int, b: int) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
