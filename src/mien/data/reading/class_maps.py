"""Class maps: what the class names of a data set mean, and which classes a data set then has.

A class map gives names the class that they mean, or None for a class whose pictures are skipped. Bare numbers are
ambiguous: 1 is disgust in FER2013, surprise in RAF-DB and happy in AffectNet. So a data set with numbered classes must
be given a map, or keep its numbers for names.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from mien.choices import AUTO_CLASSES, CLASS_SETS
from mien.errors import ConfigError, DataError, UsageError
from mien.labels import (
    EMOTIONS,
    FERPLUS_EMOTIONS,
    FEWEST_CLASSES,
    checked_classes,
    class_key,
    composed,
    is_class_name,
    known_name,
    known_set,
)
from mien.toml_json import read_toml

ClassMap = Mapping[str, str | None]
"""Class, as the user wrote it, by `mien.labels.class_key` of a name; None skips the name."""

SKIP: Final = "skip"

_SETS: Final = {"fer2013": EMOTIONS, "ferplus": FERPLUS_EMOTIONS}

_NAMED_IN_ERRORS: Final = 5

_KNOWN: Final[dict[str, dict[str, str]]] = {
    "fer2013": {str(number): emotion for number, emotion in enumerate(EMOTIONS)},
    "raf-db": {
        "1": "surprise", "2": "fear", "3": "disgust", "4": "happy", "5": "sad", "6": "angry", "7": "neutral",
    },
    "affectnet": {
        "0": "neutral", "1": "happy", "2": "sad", "3": "surprise", "4": "fear", "5": "disgust", "6": "angry",
        "7": SKIP, "contempt": SKIP,
    },
    "affectnet8": {
        "0": "neutral", "1": "happy", "2": "sad", "3": "surprise", "4": "fear", "5": "disgust", "6": "angry",
        "7": "contempt",
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


class _Mends(NamedTuple):
    """How to mend class names, as the commands can that read them: unknown ones, and two that are the same."""

    unknown: str
    same: str


_IMPORTED: Final = _Mends(
    "say what they are, such as --map {name}=CLASS or --map {name}=" + SKIP + ", or keep them all as they are with "
    "--classes keep",
    "rename one of them, or join them with --map {name}={before}",
)
_JUDGED: Final = _Mends(
    "say what they are, such as --map {name}=CLASS or --map {name}="
    + SKIP
    + " of `mien evaluate` or `mien data import`",
    "rename one of them, or join them with --map {name}={before} of `mien evaluate` or `mien data import`",
)
_IN_TABLE: Final = _Mends(
    "rename them in the file, or keep them all as they are with --classes keep",
    "rename one of them in the file",
)


@dataclass(frozen=True, slots=True)
class Naming:
    """The classes of a data set, and what its own names mean.

    Args:
        classes: class names by number.
        meanings: the class of each of the data set's names, None for one that is skipped.
        kept: whether the classes are the data set's own, not one of `mien.labels.KNOWN_SETS`.
    """

    classes: tuple[str, ...]
    meanings: Mapping[str, str | None]
    kept: bool = False

    def number(self, name: str) -> int | None:
        """Class number of one of the data set's names, None for one that is skipped."""
        meaning = self.meanings[name]
        return None if meaning is None else self.classes.index(meaning)


def class_map(options: Iterable[str]) -> ClassMap:
    """The map that several options give together, later ones over earlier ones.

    Args:
        options: each one of `mien.choices.CLASS_MAPS`, a pair such as ``contempt=skip`` or ``joy=happy``, or the path
            of a TOML file of such pairs (``contempt = "skip"``).

    Raises:
        UsageError: an option is none of these, or maps to something that is neither a class name nor ``skip``.
    """
    merged: dict[str, str | None] = {}
    for option in options:
        pairs = _pairs(option)
        merged.update((class_key(name), _target(name, target, option)) for name, target in pairs.items())
    return merged


def unused(options: Iterable[str], names: Iterable[str]) -> list[str]:
    """Those options of a map that are a pair whose name is none of some names, as a misspelt one is."""
    known = {class_key(name) for name in names}
    pairs = ((option, _pair(option)) for option in options if option.lower() not in _KNOWN)
    return [option for option, pair in pairs if pair and class_key(pair[0]) not in known]


def understood(
    names: Collection[str],
    mapping: ClassMap,
    wanted: str | tuple[str, ...] = AUTO_CLASSES,
    *,
    strict: bool = False,
    in_table: bool = False,
) -> Naming:
    """The classes of a data set whose own names for them are known.

    Args:
        names: the data set's own names, each once.
        mapping: what they mean, as far as it is said.
        wanted: one of `mien.choices.CLASS_SETS`. "auto": where all names mean FER2013's emotions, or FER+'s, by the map
            or by `mien.labels.known_name`, that set; else names that the map lacks stay as they are. "keep": these
            always stay as they are. "fer2013", "ferplus": every name must mean one of that set. Or the classes of a
            model that is to be judged on the data set: what the map makes of them is taken where all names mean some of
            it; where none does it is "auto".
        strict: whether "auto" takes FER2013's emotions only, for data sets that are known to have no others.
        in_table: whether the names stand in a table that takes no ``--map``, so that errors do not advise it.

    Raises:
        DataError: a name that means none of the classes, or none of the model's where others do; a number that is not
            said to mean one; or the names make no classes (`mien.labels.checked_classes`).
        UsageError: an unknown set of classes.
    """
    said = _said(names, mapping)
    mends = _JUDGED if isinstance(wanted, tuple) else _IN_TABLE if in_table else _IMPORTED
    if isinstance(wanted, tuple):
        theirs = tuple(dict.fromkeys(_meant(wanted, _said(wanted, mapping))))
        meanings = {name: meant(said.get(name, name), theirs) for name in names}
        if len(theirs) >= FEWEST_CLASSES and set(meanings.values()) - {None} <= set(theirs):
            return Naming(theirs, meanings)
        _refuse_what_the_model_lacks(meanings, said, theirs)
        wanted = AUTO_CLASSES
    if wanted not in CLASS_SETS:
        raise UsageError(f"unknown classes {wanted!r}: expected one of {', '.join(CLASS_SETS)}")
    known = _SETS.get(wanted)
    if wanted == AUTO_CLASSES:
        if numbers := sorted(name for name in names if name not in said and name.strip().isdigit()):
            raise DataError(_unknown_classes(numbers, EMOTIONS, mends))
        known = EMOTIONS if strict else known_set(_meant(names, said))
    if known is None:
        own = sorted({composed(name) for name in names if name not in said})
        _refuse_same(own, mends)
        meanings = {name: meant(said[name], own) if name in said else composed(name) for name in names}
        present = {meaning for meaning in meanings.values() if meaning is not None}
        return Naming(checked_classes(sorted(present)) if present else EMOTIONS, meanings, kept=True)
    meanings = {name: meant(said[name], known) if name in said else known_name(name) for name in names}
    if unknown := sorted(name for name, meaning in meanings.items() if not _fits(meaning, name in said, known)):
        raise DataError(_unknown_classes(unknown, known, mends))
    return Naming(known, meanings)


def _refuse_what_the_model_lacks(meanings: ClassMap, said: ClassMap, theirs: tuple[str, ...]) -> None:
    """Refuse names that a map gives a class that the model lacks, and those without one beside others that have one.

    Where no name means a class of the model, it is the model's classes that a map has yet to name.
    """
    unknown = {name: meaning for name, meaning in meanings.items() if meaning is not None and meaning not in theirs}
    if mistaken := [name for name in unknown if name in said]:
        name = mistaken[0]
        raise DataError(f"--map {name}={said[name]}: the model has no class {said[name]}: expected {', '.join(theirs)}")
    if len(theirs) >= FEWEST_CLASSES and unknown and set(meanings.values()) & set(theirs):
        raise DataError(_unknown_classes(sorted(unknown), theirs, _JUDGED))


def _refuse_same(names: Iterable[str], mends: _Mends) -> None:
    """Refuse names that are the same but for their case or the encoding of their accents, and say how to join them."""
    keys: dict[str, str] = {}
    for name in names:
        if (before := keys.setdefault(class_key(name), name)) != name:
            raise DataError(
                f"class names {before!r} and {name!r} are the same: expected each once; "
                f"{mends.same.format(name=name, before=before)}"
            )


def meant(target: str | None, classes: Collection[str]) -> str | None:
    """What the target of a map means among some classes.

    Args:
        target: a class as the user wrote it; None skips.
        classes: those that there are.

    Returns:
        The one that is spelled so, whatever its case; else one that is the same emotion; else the target.
    """
    if target is None:
        return None
    emotion = known_name(target)
    by_key, by_emotion = ({of(name): name for name in classes} for of in (class_key, known_name))
    return by_key.get(class_key(target)) or (by_emotion.get(emotion) if emotion else None) or target


def _unknown_classes(names: list[str], classes: Iterable[str], mends: _Mends) -> str:
    """What is wrong with class names that no map knows, and how to mend it."""
    shown = ", ".join(map(repr, names[:_NAMED_IN_ERRORS]))
    more = f" and {len(names) - _NAMED_IN_ERRORS} more" if len(names) > _NAMED_IN_ERRORS else ""
    return f"unknown classes {shown}{more}: expected {', '.join(classes)}; {mends.unknown.format(name=names[0])}"


def _said(names: Iterable[str], mapping: ClassMap) -> ClassMap:
    """What a map says of names, by these."""
    return {name: mapping[class_key(name)] for name in names if class_key(name) in mapping}


def _meant(names: Iterable[str], said: ClassMap) -> list[str]:
    """The classes that names mean; of a name without a meaning, the name."""
    meanings = (said.get(name, name) for name in names)
    return [meaning for meaning in meanings if meaning is not None]


def _fits(meaning: str | None, said: bool, classes: Iterable[str]) -> bool:
    return said if meaning is None else meaning in classes


def _pairs(option: str) -> Mapping[str, Any]:
    if option.lower() in _KNOWN:
        return _KNOWN[option.lower()]
    pair = _pair(option)
    return _read_toml(Path(option)) if pair is None else {pair[0]: pair[1]}


def _pair(option: str) -> tuple[str, str] | None:
    """Name and target of ``NAME=TARGET``; a name may begin with "="."""
    at = option.find("=", 1)
    return None if at < 0 else (option[:at], option[at + 1 :])


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return read_toml(path)
    except OSError:
        known = ", ".join(_KNOWN)
        raise UsageError(f"map {path}: expected NAME=CLASS, NAME={SKIP}, a TOML file, or one of {known}") from None
    except ConfigError as error:
        raise UsageError(f"map {error}") from None


def _target(name: str, target: Any, option: str) -> str | None:
    """The class that a name is said to mean."""
    text = composed(target) if isinstance(target, str) else ""
    if not is_class_name(text):
        raise UsageError(f"map {option}: {name.strip()!r} is {target!r}: expected {SKIP} or a class name")
    return None if text.lower() == SKIP else text
