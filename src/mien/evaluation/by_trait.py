"""Figures by a trait of the faces (age band, light, skin tone, site): each value's, with intervals, and the gap."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.errors import DataError
from mien.evaluation.bootstrap import INTERVALS_OF, bootstrap_intervals
from mien.evaluation.clustered import number_of_groups
from mien.evaluation.evaluated import Evaluation

FEW_FACES: Final = 50
"""Below this many faces a value's figures are no ground for a claim: an accuracy is known to 14 points at best."""

MOST_VALUES: Final = 40
"""Values of a trait; a column with more is a name or a number rather than a trait."""

_SHUFFLES: Final = 2000
_KEYS: Final = ("n", "groups", "accuracy", "standard_error", "accuracy_interval", *INTERVALS_OF, "ece_band", "absent",
                "per_class", "confusion")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Gap:
    """The largest difference in accuracy between two values of a trait.

    Args:
        low, high: the values with the lowest and the highest accuracy.
        share: the difference, 0..1.
        interval: of 95 %, as if these two values had been named before looking.
        p_value: chance of a gap as large between any two values if the trait had no say (permutation test).
    """

    low: str
    high: str
    share: float
    interval: tuple[float, float]
    p_value: float


@dataclass(frozen=True, eq=False)
class ByTrait:
    """An evaluation, value by value of a trait.

    Args:
        trait: its name.
        whole: the evaluation of all faces.
        values: the trait of each of its faces, text (N,).

    Raises:
        DataError: other faces than the evaluation's, one value only, or more than `MOST_VALUES`.
    """

    trait: str
    whole: Evaluation
    values: NDArray[np.str_]

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.whole),):
            raise DataError(f"{self.trait}: {self.values.shape} values for {len(self.whole)} faces: expected one each")
        check_values(self.trait, self.values)

    @cached_property
    def parts(self) -> Mapping[str, Evaluation]:
        """The evaluation of the faces of each value, in the order of their names."""
        return {str(value): _part(self.whole, self.values == value) for value in np.unique(self.values)}

    @property
    def few(self) -> tuple[str, ...]:
        """Values with fewer than `FEW_FACES` faces."""
        return tuple(value for value, part in self.parts.items() if len(part) < FEW_FACES)

    @cached_property
    def gap(self) -> Gap | None:
        """The largest gap among values with at least `FEW_FACES` faces; None where fewer than two have as many."""
        accuracies = {value: part.accuracy for value, part in self.parts.items() if value not in self.few}
        if len(accuracies) < 2:
            return None
        low, high = min(accuracies, key=accuracies.__getitem__), max(accuracies, key=accuracies.__getitem__)
        return Gap(
            low,
            high,
            accuracies[high] - accuracies[low],
            _interval_of_difference(self.parts[high], self.parts[low]),
            self._chance_of(accuracies[high] - accuracies[low]),
        )

    def _chance_of(self, gap: float) -> float:
        """Share of shuffles of the trait, and the trait as it is, whose largest gap is at least as large.

        Whole groups change their value where all faces of each group share one, else single faces.
        """
        kept = ~np.isin(self.values, self.few)
        right = (self.whole.predictions == self.whole.labels)[kept]
        value_of = np.unique(self.values[kept], return_inverse=True)[1]
        unit = _units(value_of, None if self.whole.groups is None else self.whole.groups[kept])
        value_of_unit, random = value_of[np.unique(unit, return_index=True)[1]], np.random.default_rng(0)
        gaps = [_largest_gap(random.permutation(value_of_unit)[unit], right) for _ in range(_SHUFFLES)]
        return float((1 + np.count_nonzero(np.array(gaps) >= gap - 1e-12)) / (1 + _SHUFFLES))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: ``trait``, ``values`` (figures of each, keys as in `Evaluation.to_dict`, and ``intervals`` of 95
        %), ``few`` (values of which too few faces are there), ``largest_gap``.
        """
        return {
            "trait": self.trait,
            "values": {value: _figures(part) for value, part in self.parts.items()},
            "few": list(self.few),
            "largest_gap": None if self.gap is None else _gap_to_dict(self.gap),
        }


def check_values(trait: str, values: NDArray[np.str_]) -> None:
    """Refuse a column that is no trait.

    Raises:
        DataError: one value only, or more than `MOST_VALUES`.
    """
    count = len(np.unique(values))
    if not 2 <= count <= MOST_VALUES:
        raise DataError(
            f"the column {trait} has {count:,} different {'value' if count == 1 else 'values'} among the "
            f"{len(values):,} faces: expected 2..{MOST_VALUES}; name another column, or put its values into bands"
        )


def _part(whole: Evaluation, chosen: NDArray[np.bool_]) -> Evaluation:
    return replace(
        whole,
        rows=whole.rows[chosen],
        labels=whole.labels[chosen],
        logits=whole.logits[chosen],
        groups=None if whole.groups is None else whole.groups[chosen],
        trained_on=None,
        seen=None,
        without_target=0,
        contempt=0,
        qualities={},
    )


def _figures(part: Evaluation) -> dict[str, Any]:
    values = part.to_dict()
    return {**{key: values[key] for key in _KEYS}, "intervals": bootstrap_intervals(part)}


def _gap_to_dict(gap: Gap) -> dict[str, Any]:
    return {
        "low": gap.low,
        "high": gap.high,
        "accuracy": gap.share,
        "interval": list(gap.interval),
        "p_value": gap.p_value,
    }


def _interval_of_difference(one: Evaluation, other: Evaluation) -> tuple[float, float]:
    """95 % interval of a difference of two accuracies on different faces, from the interval of each.

    Newcombe's method 10 ("Interval estimation for the difference between independent proportions", 1998), with
    clustered intervals where there are groups.
    """
    (low, high), (other_low, other_high) = one.accuracy_interval, other.accuracy_interval
    share = one.accuracy - other.accuracy
    below = np.hypot(one.accuracy - low, other_high - other.accuracy)
    above = np.hypot(high - one.accuracy, other.accuracy - other_low)
    return float(share - below), float(share + above)


def _units(value_of: NDArray[np.intp], groups: NDArray[np.str_] | None) -> NDArray[np.intp]:
    """Number of the unit that each face changes its value with (N,)."""
    alone = np.arange(len(value_of))
    if groups is None or not number_of_groups(groups):
        return alone
    unit: NDArray[np.intp] = np.unique(groups, return_inverse=True)[1]
    pairs = len(np.unique(np.stack([unit, value_of]), axis=1).T)
    return unit if pairs == unit.max() + 1 else alone


def _largest_gap(value_of: NDArray[np.intp], right: NDArray[np.bool_]) -> float:
    faces = np.bincount(value_of)
    return float(np.ptp(np.bincount(value_of, weights=right, minlength=len(faces)) / faces))
