"""Class maps: names of classes in other data sets, mapped to emotions.

A class map gives each name, lower case, the number of an emotion, or None for a class whose pictures are skipped. Bare
numbers are ambiguous: 1 is disgust in FER2013, surprise in RAF-DB and happy in AffectNet. So a data set with numbered
classes must be given a map.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from mien.errors import ConfigError, DataError, UsageError
from mien.labels import EMOTIONS, emotion_index
from mien.toml_json import read_toml

ClassMap = Mapping[str, int | None]
"""Emotion's number by lower-case class name; None skips the class."""

SKIP: Final = "skip"

_KNOWN: Final[dict[str, dict[str, str]]] = {
    "fer2013": {str(number): emotion for number, emotion in enumerate(EMOTIONS)},
    "raf-db": {
        "1": "surprise", "2": "fear", "3": "disgust", "4": "happy", "5": "sad", "6": "angry", "7": "neutral",
    },
    "affectnet": {
        "0": "neutral", "1": "happy", "2": "sad", "3": "surprise", "4": "fear", "5": "disgust", "6": "angry",
        "7": SKIP, "contempt": SKIP,
    },
    "ck+48": {"contempt": SKIP},
    "jaffe": {
        "an": "angry", "di": "disgust", "fe": "fear", "ha": "happy", "sa": "sad", "su": "surprise", "ne": "neutral",
    },
}  # fmt: skip
"""RAF-DB: Li et al., CVPR 2017; AffectNet: Mollahosseini et al., 2017; CK+: Lucey et al., 2010; JAFFE: Lyons, 1998."""


TERMS: Final = {
    "raf-db": "non-commercial research (RAF-DB)",
    "affectnet": "non-commercial research (AffectNet)",
    "ck+48": "non-commercial research (CK+)",
    "jaffe": "non-commercial research (JAFFE)",
    "expw": "non-commercial research (ExpW)",
}
"""What the owners of data sets demand of those who get them, in short, by the name of their class map or layout: what
they say themselves counts."""


def terms_of(names: Iterable[str]) -> str:
    """The terms that go with the first of some names of class maps or layouts that has any; "" where none has."""
    return next((TERMS[name.lower()] for name in names if name.lower() in TERMS), "")


def class_map(options: Iterable[str]) -> ClassMap:
    """The map that several options give together, later ones over earlier ones.

    Args:
        options: each one of `mien.choices.CLASS_MAPS`, a pair such as ``contempt=skip`` or ``joy=happy``, or the path
            of a TOML file of such pairs (``contempt = "skip"``).

    Raises:
        UsageError: an option is none of these, or maps to something that is neither an emotion nor ``skip``.
    """
    merged: dict[str, int | None] = {}
    for option in options:
        pairs = _pairs(option)
        merged.update((name.strip().lower(), _target(name, target, option)) for name, target in pairs.items())
    return merged


def class_number(name: str, names: ClassMap) -> int | None:
    """Number of the emotion that a class name means, None for a class to skip.

    Raises:
        DataError: neither the map nor `emotion_index` knows the name, or it is a bare number that the map lacks.
    """
    key = name.strip().lower()
    if key in names:
        return names[key]
    if key.isdigit():
        raise DataError(f"{name}: a number, which means another emotion in every data set; name it in a map")
    return emotion_index(key)


def _pairs(option: str) -> Mapping[str, Any]:
    if option.lower() in _KNOWN:
        return _KNOWN[option.lower()]
    name, equals, target = option.partition("=")
    return {name: target} if equals else _read_toml(Path(option))


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return read_toml(path)
    except OSError:
        known = ", ".join(_KNOWN)
        raise UsageError(f"map {path}: expected NAME=EMOTION, NAME={SKIP}, a TOML file, or one of {known}") from None
    except ConfigError as error:
        raise UsageError(f"map {error}") from None


def _target(name: str, target: Any, option: str) -> int | None:
    try:
        return None if str(target).strip().lower() == SKIP else emotion_index(target)
    except (DataError, AttributeError):
        expected = f"expected {SKIP} or one of {', '.join(EMOTIONS)}"
        raise UsageError(f"map {option}: {name.strip()!r} is {target!r}: {expected}") from None
