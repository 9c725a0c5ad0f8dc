"""Tests of differences: exact McNemar, Student's t over paired seeds, Holm's correction for many comparisons."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Final

import numpy as np
from numpy.typing import NDArray

_NO_SPREAD: Final = 1e-12
"""What differences of accuracies may differ by from rounding alone; one face of a million is more."""


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Two-sided exact McNemar test (1947) of two networks on the same faces.

    Among the faces that only one of them classifies correctly (discordant pairs): how likely is a split this uneven?

    Args:
        first: which faces one classifies correctly (N,).
        second: likewise the other.
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    total, fewer = only_first + only_second, min(only_first, only_second)
    tail: int = sum(comb(total, k) for k in range(fewer + 1))
    return min(1.0, 2 * tail / (1 << total))


def holm(p_values: Sequence[float]) -> list[float]:
    """P values corrected for as many comparisons (Holm, 1979), in their order, each at most 1."""
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = highest
    return corrected


@dataclass(frozen=True, slots=True)
class PairedSeeds:
    """What two variants that were trained with the same seeds differ by: other networks on these very faces.

    Args:
        share: mean of the differences in accuracy, -1..1.
        low, high: its 95 % interval, Student's t of S - 1 degrees of freedom.
        p_value: two-sided.
        seeds: how many, S.
    """

    share: float
    low: float
    high: float
    p_value: float
    seeds: int


def paired_seeds(one: Sequence[float], other: Sequence[float]) -> PairedSeeds | None:
    """Paired t test of accuracies (S,), S at least 2, seed by seed in the same order.

    None where every seed differs by as much: without a spread over seeds the test says nothing of other seeds.
    """
    gains = np.asarray(one, np.float64) - np.asarray(other, np.float64)
    if np.ptp(gains) < _NO_SPREAD:
        return None
    count, mean = len(gains), float(gains.mean())
    error = float(gains.std(ddof=1)) / math.sqrt(count)
    half = t_quantile(count - 1) * error
    return PairedSeeds(mean, mean - half, mean + half, two_sided_t(mean / error, count - 1), count)


def two_sided_t(t: float, degrees: int) -> float:
    """Chance that Student's t of whole degrees of freedom lies further from 0 than ``t`` (Zelen and Severo, Handbook of
    Mathematical Functions, 26.7.3 and 26.7.4).
    """
    angle = math.atan(abs(t) / math.sqrt(degrees))
    cos, sin = math.cos(angle), math.sin(angle)
    odd = degrees % 2
    term = cos if odd else 1.0
    total = term if degrees > 1 else 0.0
    for k in range(2 + odd, degrees - 1, 2):
        term *= cos * cos * (k - 1) / k
        total += term
    inside = 2 / math.pi * (angle + sin * total) if odd else sin * total
    return max(0.0, 1 - inside)


def t_quantile(degrees: int, outside: float = 0.05) -> float:
    """The t that a share ``outside`` of Student's distribution lies beyond, on both sides together; by bisection."""
    low, high = 0.0, 1.0
    while two_sided_t(high, degrees) > outside:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if two_sided_t(middle, degrees) > outside else (low, middle)
    return (low + high) / 2
