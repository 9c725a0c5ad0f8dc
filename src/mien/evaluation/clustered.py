"""Errors, intervals and tests of faces that come in groups (people, sequences, photos): groups are drawn, not faces."""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.errors import UsageError
from mien.evaluation.metrics import wilson_interval
from mien.evaluation.significance import t_quantile

_DRAWS_AT_ONCE: Final = 10_000


def number_of_groups(groups: NDArray[np.str_] | None) -> int:
    """How many groups there are to draw from; 0 where faces have none, or all are of one, which tells no spread."""
    count = 0 if groups is None else len(np.unique(groups))
    return count if count > 1 else 0


def clustered_standard_error(values: ArrayLike, groups: NDArray[np.str_]) -> float:
    """Standard error of the mean of values of faces (N,) in G groups, at least 2.

    The linearised one of a ratio of sums over groups, with the factor G / (G - 1): Liang and Zeger's sandwich (1986)
    for a mean. With a face in each group it is the usual one.
    """
    sums, sizes = _by_group(values, groups)
    residuals = sums - sums.sum() / sizes.sum() * sizes
    count = len(sizes)
    return float(np.sqrt(count / (count - 1) * (residuals**2).sum()) / sizes.sum())


def clustered_interval(right: ArrayLike, groups: NDArray[np.str_]) -> tuple[float, float]:
    """95 % interval of the share of right answers among faces in G groups.

    Wilson's score interval with as many faces as would, if independent, have the clustered standard error, and with
    Student's t of G - 1 degrees of freedom (Korn and Graubard, 1998; Dean and Pagano, 2015). It is never narrower than
    the number of faces allows; where all answers are right, or all wrong, a group counts as one face.
    """
    values = np.asarray(right, np.float64)
    share, error, count = float(values.mean()), clustered_standard_error(values, groups), len(np.unique(groups))
    if share in (0.0, 1.0):
        effective = float(count)
    else:
        effective = min(float(len(values)), share * (1 - share) / error**2) if error else float(len(values))
    return wilson_interval(share, max(1.0, effective), t_quantile(count - 1))


def redrawn_group_means(
    gains: NDArray[np.float64], groups: NDArray[np.str_], draws: int, random: np.random.Generator
) -> NDArray[np.float64]:
    """Bootstrap means of the gains of N faces (N,), G whole groups drawn with replacement; (draws,)."""
    sums, sizes = _by_group(gains, groups)
    kinds, times = np.unique(np.stack([sums, sizes], axis=1), axis=0, return_counts=True)
    chances, parts = times / len(sums), []
    for start in range(0, draws, _DRAWS_AT_ONCE):
        drawn = random.multinomial(len(sums), chances, size=min(_DRAWS_AT_ONCE, draws - start)) @ kinds
        parts.append(drawn[:, 0] / drawn[:, 1])
    return np.concatenate(parts)


def clustered_mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_], groups: NDArray[np.str_]) -> float:
    """Two-sided exact test of two networks on the same faces in groups: McNemar's, whole groups changing sides.

    Within a group the networks may be named either way if they are equally good. How likely is then a difference at
    least as large as the one seen, over all 2**G ways of naming? With a face in each group it is McNemar's exact test.

    Args:
        first: which faces one classifies correctly (N,).
        second: likewise the other.
        groups: of the faces (N,).
    """
    sums, _ = _by_group(first.astype(np.int64) - second.astype(np.int64), groups)
    steps = np.abs(sums[sums != 0]).astype(np.intp)
    chances, reach = np.ones(1), int(steps.sum())
    for step in steps.tolist():
        moved = np.zeros(len(chances) + 2 * step)
        moved[: len(chances)] += chances / 2
        moved[2 * step :] += chances / 2
        chances = moved
    differences = np.arange(-reach, reach + 1)
    return min(1.0, float(chances[np.abs(differences) >= abs(int(sums.sum()))].sum()))


def _by_group(values: ArrayLike, groups: NDArray[np.str_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum of the values and number of the faces of each group (G,)."""
    numbers = np.asarray(values, np.float64)
    if numbers.shape != groups.shape or not len(groups):
        raise UsageError(f"{numbers.shape} values and {groups.shape} groups: expected as many of each, at least one")
    group_of = np.unique(groups, return_inverse=True)[1]
    sums = np.bincount(group_of, weights=numbers).astype(np.float64)
    return sums, np.bincount(group_of).astype(np.float64)
