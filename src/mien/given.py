"""Values that callers give, checked once where they come in, and made plain Python.

A number may be any that Python or numpy knows: of numpy's many calls take theirs from arrays. True and False are none.
"""

from collections.abc import Callable, Iterable
from math import inf
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import Any, Final, TypeVar

from mien.errors import UsageError, nearest

Kind = TypeVar("Kind")

_LONGEST: Final = 100
"""Characters of a value in a message."""

_MOST: Final = 10**1000
"""Python writes no number of more than 4,300 digits, into JSON for example."""

_FLAGS: Final = frozenset({"bool", "bool_"})
"""Python's and numpy's names of the type of True and False; numpy itself is not imported for that."""


def wrong(name: str, value: object, expected: str) -> UsageError:
    """What is said of a value, in one line.

    Args:
        name: what the caller calls it.
        value: what it is.
        expected: what comes after "expected".
    """
    return UsageError(f"{name} is {shown(value)}: expected {expected}")


def shown(value: object) -> str:
    """A value in a message: in one line, cut where it is long; of arrays the shape."""
    try:
        text = " ".join(_text(value).split())
    except Exception:  # numbers of thousands of digits; objects of somebody else
        return f"an object of {type(value).__name__}"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _text(value: object) -> str:
    shape = getattr(value, "shape", ())
    if shape and hasattr(value, "dtype"):  # numpy's arrays, tensors
        return f"an array of shape {tuple(shape)}"
    if type(value) is list:
        return f"[{', '.join(map(_text, value))}]"
    if type(value) is tuple:
        return f"({', '.join(map(_text, value))}{',' if len(value) == 1 else ''})"
    return repr(value)


def whole(name: str, value: object, expected: str, least: float = -_MOST, most: float = _MOST) -> int:
    """A whole number between two bounds.

    Raises:
        UsageError: something else.
    """
    if isinstance(value, Integral) and type(value).__name__ not in _FLAGS and least <= int(value) <= most:
        return int(value)
    raise wrong(name, value, expected)


def real(name: str, value: object, expected: str, fits: Callable[[float], bool]) -> float:
    """A number for which a condition holds; NaN and infinities fit none that compares with a bound on both sides.

    Raises:
        UsageError: something else.
    """
    if isinstance(value, Real) and type(value).__name__ not in _FLAGS:
        try:
            number = float(value)
            if fits(number):
                return value if isinstance(value, int) else number
        except OverflowError:
            pass
    raise wrong(name, value, expected)


def share(name: str, value: object) -> float:
    """A number from 0 to 1.

    Raises:
        UsageError: something else.
    """
    return real(name, value, "0..1", lambda number: 0 <= number <= 1)


def finite(name: str, value: object, expected: str = "a finite number") -> float:
    """A finite number.

    Raises:
        UsageError: something else.
    """
    return real(name, value, expected, lambda number: -inf < number < inf)


def flag(name: str, value: object, expected: str = "True or False") -> bool:
    """True or False.

    Raises:
        UsageError: something else.
    """
    if type(value).__name__ in _FLAGS:
        return bool(value)
    raise wrong(name, value, expected)


def choice(name: str, value: object, known: Iterable[str]) -> str:
    """One of some names.

    Raises:
        UsageError: something else.
    """
    known = tuple(known)
    if isinstance(value, str) and value in known:
        return value
    raise wrong(name, value, f"one of {', '.join(known)}")


def instance(name: str, value: object, kind: type[Kind], expected: str) -> Kind:
    """An object of a class.

    Raises:
        UsageError: something else.
    """
    if isinstance(value, kind):
        return value
    raise wrong(name, value, expected)


def path(name: str, value: object, expected: str = "a path, as text or a Path") -> Path:
    """A path.

    Raises:
        UsageError: something else.
    """
    if isinstance(value, str | PathLike) and "\0" not in str(value):
        return Path(value)
    raise wrong(name, value, expected)


def several(name: str, values: object, kind: type[Kind] | tuple[type[Kind], ...], expected: str) -> tuple[Kind, ...]:
    """Objects of a class, of any iterable.

    Raises:
        UsageError: no iterable, or one with something else.
    """
    found = tuple(values) if isinstance(values, Iterable) else (None,)
    if all(isinstance(value, kind) for value in found):
        return found
    raise wrong(name, values, expected)


def options(given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse options that there are not: of a call that takes them by name they would be ignored.

    Raises:
        UsageError: there is one; the message names the nearest that there is.
    """
    known = tuple(known)
    for name in given:
        if name not in known:
            raise UsageError(f"unknown option {name!r}{nearest(name, known)}: expected one of {', '.join(known)}")


def keep(record: Any, **values: object) -> None:
    """Set fields of a frozen dataclass, in its ``__post_init__``, to what was made of them."""
    for name, value in values.items():
        if getattr(record, name) is not value:
            object.__setattr__(record, name, value)
