"""Class names: FER2013's seven, which are the default, FER+'s eight, aliases of other data sets, and what one may be.

Stores and model files carry class names of their own; this is the only module that knows FER2013's and their order,
0..6 (Goodfellow et al., "Challenges in Representation Learning", 2013).
"""

import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

from mien.errors import DataError

EMOTIONS: Final = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

FERPLUS_EMOTIONS: Final = (*EMOTIONS, "contempt")
"""FER+'s eight classes (Barsoum et al., arXiv 1608.01041): FER2013's seven in their order, and contempt."""

VOTE_CLASSES: Final = (*FERPLUS_EMOTIONS, "unknown", "not_a_face")
"""What FER+'s voters could answer, in the order of a data set's votes."""

KNOWN_SETS: Final = (EMOTIONS, FERPLUS_EMOTIONS)
"""Sets of classes that are told by their names and aliases, the smallest first."""

FEWEST_CLASSES: Final = 2
MOST_CLASSES: Final = 100
LONGEST_CLASS: Final = 60
"""Characters of a class name."""

_JOINERS: Final = "\u200c\u200d"
"""Zero width non-joiner and joiner."""

_ALIASES: Final = {
    "anger": "angry",
    "disgusted": "disgust",
    "afraid": "fear",
    "fearful": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "surprised": "surprise",
}


def emotion_index(name: str) -> int:
    """Class number of an emotion by its name, an alias (synonym), or its number as text.

    Case and surrounding blanks do not matter: ``"Happiness"``, ``"happy"`` and ``"3"`` are all 3.

    Raises:
        DataError: the name belongs to no class.
    """
    key = name.strip().lower()
    if key in map(str, range(len(EMOTIONS))):
        return int(key)
    key = _ALIASES.get(key, key)
    if key not in EMOTIONS:
        raise DataError(f"unknown emotion {name!r}: expected one of {', '.join(EMOTIONS)}, or 0..{len(EMOTIONS) - 1}")
    return EMOTIONS.index(key)


def known_name(name: str) -> str | None:
    """The class of `FERPLUS_EMOTIONS` that a name or an alias means, whatever its case; None for other names."""
    key = name.strip().lower()
    key = _ALIASES.get(key, key)
    return key if key in FERPLUS_EMOTIONS else None


def known_set(names: Iterable[str]) -> tuple[str, ...] | None:
    """The smallest of `KNOWN_SETS` that has every one of some names; None where one is in none of them."""
    found = {known_name(name) for name in names}
    return next((known for known in KNOWN_SETS if found <= set(known)), None)


def checked_classes(names: Sequence[str]) -> tuple[str, ...]:
    """Class names, after each was found to be usable and all to be distinct.

    Raises:
        DataError: fewer than 2 or more than 100; one that cannot be used (`is_class_name`); or two that differ at most
            in case.
    """
    if not FEWEST_CLASSES <= len(names) <= MOST_CLASSES:
        shown = f" ({', '.join(names)})" if names and len(names) < FEWEST_CLASSES else ""
        found = "1 class" if len(names) == 1 else f"{len(names)} classes"
        raise DataError(f"{found}{shown}: expected {FEWEST_CLASSES}..{MOST_CLASSES} distinct ones")
    keys: dict[str, str] = {}
    for name in names:
        if not is_class_name(name):
            raise DataError(
                f"class name {name[:LONGEST_CLASS]!r}: expected 1..{LONGEST_CLASS} printable characters, "
                "without slashes, without blanks around them and without a dot at the beginning"
            )
        if (before := keys.setdefault(class_key(name), name)) is not name or names.count(name) > 1:
            raise DataError(f"class names {before!r} and {name!r} are the same: expected each once")
    return tuple(names)


def class_key(name: str) -> str:
    """What class names are compared by: neither case, nor the way in which accents are encoded, nor joiners matter."""
    return composed(without_joiners(name)).casefold()


def composed(name: str) -> str:
    """A name without blanks around it, its accents encoded as most programs do it: macOS names folders otherwise."""
    return unicodedata.normalize("NFC", name.strip())


def is_class_name(name: str) -> bool:
    """Whether a text can name a class: 1 to 60 printable characters, which can name a folder that is not hidden."""
    fits = name == name.strip() and len(class_key(name)) > 0 and len(name) <= LONGEST_CLASS
    return fits and is_printable_name(name) and not set(name) & set("/\\") and name[0] != "."


def is_printable_name(name: str) -> bool:
    """Whether a text can name something in messages and tables: characters of one line, not blanks alone."""
    return bool(name.strip()) and without_joiners(name).isprintable()


def without_joiners(name: str) -> str:
    """A text without the characters that only say how their neighbours are joined, as Persian and emoji need them."""
    return "".join(letter for letter in name if letter not in _JOINERS)


def columns_of(classes: Iterable[str], taken: Collection[str]) -> tuple[str, ...]:
    """Names of table columns for classes, each once: their own, and ``p_NAME`` where another column is called so."""
    classes = tuple(classes)
    columns, used = [], {*taken, *classes}
    for name in classes:
        column = name
        while name in taken and column in used:
            column = f"p_{column}"
        columns.append(column)
        used.add(column)
    return tuple(columns)


def drawable(classes: Sequence[str], can_draw: Callable[[str], bool]) -> tuple[str, ...]:
    """What stands for classes in a drawing: their names, and the number, from 1, of one that a font lacks letters of.

    Where a number is another class's name, all have their numbers.

    Args:
        classes: class names.
        can_draw: whether the font has all letters of a text.
    """
    numbers = tuple(map(str, range(1, len(classes) + 1)))
    shown = tuple(name if can_draw(name) else number for name, number in zip(classes, numbers, strict=True))
    return shown if len(set(shown)) == len(classes) else numbers


def legend(shown: Sequence[str], classes: Sequence[str]) -> str:
    """What the numbers that stand for class names mean: "1 高兴, 3 难过".

    Args:
        shown: what stands for them, see `drawable`.
        classes: class names.
    """
    return ", ".join(f"{number} {name}" for number, name in zip(shown, classes, strict=True) if number != name)
