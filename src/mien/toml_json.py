"""Deserialisation and serialisation: plain values, as in TOML and JSON, to and from frozen dataclasses.

A key is a field, a section a nested dataclass. A key that is unknown or missing, or whose value is of the wrong type,
is an error that names it, the nearest key that exists, and what was expected. Bounds and contradictions are checked by
the dataclasses' own ``__post_init__``.
"""

import json
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import MISSING, asdict, field, fields, is_dataclass
from math import inf
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, TypeVar, get_args, get_origin, get_type_hints

from mien.errors import ConfigError, nearest
from mien.strict_json import strict_json, what_is_wrong

Record = TypeVar("Record")

_EXPECTED: Final = "expected"
_SCALARS: Final[dict[Any, tuple[tuple[type, ...], str, str]]] = {
    int: ((int,), "a whole number", "whole numbers"),
    float: ((int, float), "a number", "numbers"),
    str: ((str,), "text", "texts"),
    bool: ((bool,), "true or false", "true or false"),
}


def expected(words: str, **options: Any) -> Any:
    """A field whose errors say what is expected in words of its own, for example ``whole numbers, such as [0, 1]``.

    Args:
        words: what comes after "expected".
        options: as `dataclasses.field` takes them.
    """
    return field(metadata={_EXPECTED: words}, **options)


def parse_toml(text: str, source: object = "") -> dict[str, Any]:
    """The values in a TOML text.

    Args:
        text: the text.
        source: what to name in errors, nothing by default.

    Raises:
        ConfigError: not TOML.
    """
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{source}: not a TOML file ({what_is_wrong(error)})".removeprefix(": ")) from None


def read_toml(path: Path) -> dict[str, Any]:
    """The values in a TOML file.

    Raises:
        ConfigError: not TOML.
        OSError: the file cannot be read; the caller knows what it was to be.
    """
    try:
        return parse_toml(path.read_text(encoding="utf-8-sig"), path)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not a TOML file ({what_is_wrong(error)})") from None


def parse_json(text: str) -> dict[str, Any]:
    """The values in the text of a JSON object.

    Raises:
        ConfigError: not JSON (see `strict_json`), or no object.
    """
    try:
        values = strict_json(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"not JSON ({what_is_wrong(error)})") from None
    if not isinstance(values, dict):
        raise ConfigError("not JSON (expected an object)")
    return values


def from_values(kind: type[Record], values: Any, prefix: str = "", required: Collection[str] = ()) -> Record:
    """A dataclass of plain values.

    Args:
        kind: the dataclass.
        values: by field name; sections may be instances already.
        prefix: what stands before a key in errors, for example ``optimizer.``.
        required: fields that must be there although they have defaults.

    Raises:
        ConfigError: an unknown or missing key, a wrong type, or what the dataclass itself refuses.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{prefix.rstrip('.')} is {values!r}: expected a section of keys")
    known, needed = expectations(kind), {*required, *_without_default(kind)}
    refuse_unknown(values, known, prefix)
    require_keys(values, {key: words for key, words in known.items() if key in needed}, prefix)
    hints, words = get_type_hints(kind), _words(kind)
    return kind(**{key: converted(hints[key], value, prefix + key, words[key]) for key, value in values.items()})


def refuse_unknown(values: Collection[str], known: Collection[str], prefix: str = "") -> None:
    """Reject unknown keys.

    Args:
        values: the keys that are there.
        known: those that may be there.
        prefix: what stands before a key in errors.

    Raises:
        ConfigError: there is such a key.
    """
    for key in sorted(set(values) - set(known)):
        raise ConfigError(f"unknown key {prefix}{key}{nearest(key, known)}: expected one of {', '.join(sorted(known))}")


def require_keys(values: Collection[str], required: Mapping[str, str], prefix: str = "") -> None:
    """Reject missing keys.

    Args:
        values: the keys that are there.
        required: those that must be there, and what is expected of each.
        prefix: what stands before a key in errors.

    Raises:
        ConfigError: a key is missing.
    """
    for key, words in required.items():
        if key not in values:
            raise ConfigError(f"key {prefix}{key} is missing: expected {words}")


def check_types(record: Any) -> None:
    """Check the fields of a dataclass that was not made by `from_values`; for its ``__post_init__``.

    Raises:
        ConfigError: a field is of the wrong type.
    """
    hints, words = get_type_hints(type(record)), _words(type(record))
    for name, hint in hints.items():
        converted(hint, getattr(record, name), name, words[name])


def in_range(
    key: str,
    value: float,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> None:
    """Refuse a number that lies outside its bounds; NaN and the infinities lie outside all.

    Raises:
        ConfigError: it does; the message names the key and the bounds.
    """
    bounds: tuple[tuple[float | None, bool, str], ...] = (
        (low, low is not None and value >= low, "at least"),
        (above, above is not None and value > above, "more than"),
        (high, high is not None and value <= high, "at most"),
        (below, below is not None and value < below, "less than"),
    )
    wanted = " and ".join(f"{word} {bound:g}" for bound, _, word in bounds if bound is not None)
    if abs(value) == inf or value != value:  # noqa: PLR0124 - NaN; `isfinite` takes no number of 400 digits
        raise ConfigError(f"{key} is {value}: expected a finite number, {wanted}")
    if not all(holds for bound, holds, _ in bounds if bound is not None):
        raise ConfigError(f"{key} is {value}: expected {wanted}")


def expectations(kind: type) -> dict[str, str]:
    """What is expected of each field of a dataclass, in words."""
    hints = get_type_hints(kind)
    return {name: words or _described(hints[name]) for name, words in _words(kind).items()}


def _words(kind: Any) -> dict[str, str]:
    return {item.name: item.metadata.get(_EXPECTED, "") for item in fields(kind)}


def _without_default(kind: Any) -> Iterator[str]:
    return (item.name for item in fields(kind) if item.default is MISSING and item.default_factory is MISSING)


def converted(hint: Any, value: Any, key: str, words: str = "") -> Any:
    """A plain value as a field's type wants it: lists as tuples, sections as dataclasses, whole numbers as float.

    Args:
        hint: int, float, str, bool, a `Literal`, a tuple, a mapping, a dataclass, `Any`, or one of them or None.
        value: the value.
        key: what to call it in errors.
        words: what is expected; the type in words by default.

    Raises:
        ConfigError: of the wrong type, or not one of the choices.
    """
    kind: Any = get_origin(hint) or hint
    if kind is Any or (kind is UnionType and value is None):
        return value
    if kind is UnionType:
        return converted(next(arm for arm in get_args(hint) if arm is not NoneType), value, key, words)
    if isinstance(kind, type) and is_dataclass(kind):
        return value if isinstance(value, kind) else from_values(kind, value, f"{key}.")
    try:
        return _plain(kind, get_args(hint), value)
    except _WrongTypeError:
        near = nearest(str(value), map(str, get_args(hint))) if kind is Literal else ""
        raise ConfigError(f"{key} is {value!r}{near}: expected {words or _described(hint)}") from None


class _WrongTypeError(Exception):
    """A value is not of a type."""


def _plain(kind: Any, arguments: tuple[Any, ...], value: Any) -> Any:
    if kind is Literal:
        fits = any(value == choice and type(value) is type(choice) for choice in arguments)
    elif kind is tuple:
        return _items(arguments, value)
    elif kind in _SCALARS:
        fits = isinstance(value, _SCALARS[kind][0]) and isinstance(value, bool) == (kind is bool)
        value = kind(value) if fits else value
    else:
        fits = isinstance(value, kind)
    if not fits:
        raise _WrongTypeError
    return value


def _items(arguments: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise _WrongTypeError
    hints = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
    if len(hints) != len(value):
        raise _WrongTypeError
    return tuple(
        _plain(get_origin(hint) or hint, get_args(hint), item) for hint, item in zip(hints, value, strict=True)
    )


def _described(hint: Any) -> str:
    kind, arguments = get_origin(hint) or hint, get_args(hint)
    if kind is UnionType:
        return _described(arguments[0])
    if kind is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if kind is tuple:
        return f"a list of {_SCALARS[arguments[0]][2]}" if arguments[0] in _SCALARS else "a list"
    return _SCALARS[kind][1] if kind in _SCALARS else "a section of keys"


def dotted(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values in nested sections, each with its dotted name, such as ``optimizer.learning_rate``."""
    for key, value in values.items():
        yield from dotted(value, f"{prefix}{key}.") if isinstance(value, Mapping) else ((prefix + key, value),)


def to_json(values: Any) -> str:
    """Plain values as a JSON document for files and standard output, indented, its last line ended.

    Raises:
        ValueError: NaN or an infinity, which JSON does not know.
    """
    return json.dumps(values, indent=2, allow_nan=False) + "\n"


def to_toml(record: Any) -> str:
    """A dataclass as a TOML text that `parse_toml` and `from_values` read back to an equal one: one level of sections,
    and scalars and tuples of them.
    """
    values = asdict(record)
    sections = {key: value for key, value in values.items() if isinstance(value, dict)}
    lines = list(_toml_lines({key: value for key, value in values.items() if key not in sections}))
    for name, section in sections.items():
        lines += ["", f"[{name}]", *_toml_lines(section)]
    return "\n".join(lines) + "\n"


def _toml_lines(values: Mapping[str, Any]) -> Iterator[str]:
    return (f"{key} = {_toml_value(value)}" for key, value in values.items())


def _toml_value(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return _toml_text(value) if isinstance(value, str) else repr(value)


def _toml_text(text: str) -> str:
    """In quotes: TOML takes JSON's escapes, but neither surrogates nor a bare DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
