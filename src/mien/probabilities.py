"""Probabilities of expressions by name."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Self

from mien.errors import UsageError
from mien.given import wrong
from mien.labels import EMOTIONS

_TOLERANCE: Final = 1e-3
_EXPECTED: Final = "at least two by name, of at least 0, that sum to 1"


class Probabilities(Mapping[str, float]):
    """An immutable mapping from the name of an expression to its probability, in the model's order.

    Args:
        values: at least two probabilities of at least 0 that sum to 1, by name.

    Raises:
        UsageError: other values.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, float]) -> None:
        try:
            self._values = {str(name): float(value) for name, value in values.items()}
        except (TypeError, ValueError, AttributeError):
            raise wrong("probabilities", values, _EXPECTED) from None
        found = self._values.values()
        if len(found) < 2 or not (min(found) >= 0 and abs(sum(found) - 1) <= _TOLERANCE):  # so that NaN fails
            raise wrong("probabilities", self._values, _EXPECTED)

    @classmethod
    def of(cls, values: Iterable[float], names: Iterable[str] = EMOTIONS) -> Self:
        """Probabilities in the order of some names, by default FER2013's.

        Raises:
            UsageError: more or fewer values than names, or values that are no probabilities.
        """
        if not isinstance(values, Iterable):
            raise wrong("probabilities", values, _EXPECTED)
        values, names = tuple(values), tuple(names)
        if len(values) != len(names):
            raise UsageError(f"{len(values)} probabilities: expected {len(names)}")
        return cls(dict(zip(names, values, strict=True)))

    def __getitem__(self, name: str) -> float:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{name}: {value:.2f}" for name, value in self._values.items()) + "}"
