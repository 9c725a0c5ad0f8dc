"""Layouts: how published data sets arrange pictures and labels in folders. Add a data set here.

===========  ==============================================================================  ==========================
layout       where the class of a picture stands                                             usages
===========  ==============================================================================  ==========================
splits       ``train|validation|test/<class>/*.jpg``                                         by the folder
classes      ``<class>/*.jpg``, as CK+48                                                     to be said
imagefolder  ``train|validation|test/metadata.csv`` with file_name and emotion               by the folder
numbered     ``train_set|verify_set/image_emotion.csv``, ``0.jpg,3`` a line                  Training
raf-db       ``EmoLabel/list_patition_label.txt``, pictures in ``Image/aligned``             by the picture's name
jaffe        two letters in the name, ``KA.AN1.39.tiff``                                     to be said
expw         ``label/label.lst`` with the box of each face, pictures in ``image/origin``     to be said
===========  ==============================================================================  ==========================

RAF-DB: Li et al., CVPR 2017. JAFFE: Lyons et al., 1998. ExpW: Zhang et al., arXiv 1609.06426.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Final, NamedTuple

from mien.choices import AUTO_CLASSES, KEEP_CLASSES, USAGES
from mien.data.columns import FILE, FILE_NAME, GROUP, ROW, VOTE_COLUMNS, check_group, check_once, csv_lines
from mien.data.reading.class_maps import ClassMap, class_map, understood
from mien.data.reading.picture_tables import PICTURE_TABLE, each_once, has_usages, is_picture_table, table_pictures
from mien.data.reading.pictures import SUFFIXES, FaceBox, LabelledPicture, NamedPicture, content, entries, listed
from mien.data.reading.split_folders import (
    METADATA_FILE,
    USAGE_OF_FOLDER,
    class_pictures,
    split_pictures,
    usage_folders,
)
from mien.errors import DataError, UsageError, nearest
from mien.labels import EMOTIONS, class_key

_RAF_LIST: Final = "list_patition_label.txt"  # the publisher's own spelling
_RAF_USAGES: Final = {"train": "Training", "test": "PrivateTest"}
_EXPW_LIST: Final = "label.lst"
_NUMBERED_PARTS: Final = ("train_set", "verify_set")
_NUMBERED_LIST: Final = "image_emotion.csv"
_EXPW_FIELDS: Final = 8
_EMOTION: Final = "emotion"
JAFFE_NAME: Final = re.compile(r"([A-Z]{2})\.([A-Z]{2})\d\.\d+\.tiff?", re.IGNORECASE)
"""Person, then class."""


class ClassCount(NamedTuple):
    """What a name was taken for, None when it is skipped, and how many pictures it has."""

    meaning: str | None
    pictures: int


@dataclass(frozen=True, slots=True)
class FoundPictures:
    """The pictures of a data set, not read yet.

    Args:
        layout: one of `LAYOUTS`.
        pictures: in the order of the rows that they will be.
        lists: files that say what the pictures show.
        classes: names of the classes, by number.
        kept: whether these are the data set's own.
    """

    layout: str
    pictures: tuple[LabelledPicture, ...]
    lists: tuple[Path, ...] = ()
    classes: tuple[str, ...] = EMOTIONS
    kept: bool = False

    def counts(self) -> dict[str, ClassCount]:
        """Each class by the data set's own name for it, sorted."""
        counts: dict[str, ClassCount] = {}
        for picture in sorted(self.pictures, key=lambda picture: picture.name):
            meaning = None if picture.label is None else self.classes[picture.label]
            before = counts.get(picture.name, ClassCount(meaning, 0))
            counts[picture.name] = ClassCount(meaning, before.pictures + 1)
        return counts


class _Named(NamedTuple):
    """Pictures before their classes are understood, files that say what they show, and names without pictures."""

    pictures: Sequence[NamedPicture]
    lists: Sequence[Path] = ()
    empty: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class _Layout:
    """How to tell and to read a layout.

    Args:
        fits: whether a folder has it.
        find: its pictures, given the folder and the usage where the layout states none.
        names: the map that holds when none is given, as an option of `class_map`.
        states_usage: whether the layout says which usage a picture has.
        strict: whether its classes are known to be FER2013's.
    """

    fits: Callable[[Path], bool]
    find: Callable[[Path, str], _Named]
    names: tuple[str, ...] = ()
    states_usage: bool = False
    strict: bool = False


def find_pictures(
    folder: Path,
    layout: str | None = None,
    names: ClassMap | None = None,
    usage: str | None = None,
    *,
    classes: str | tuple[str, ...] = AUTO_CLASSES,
    nested: bool = False,
) -> FoundPictures:
    """The pictures in a folder, and what their classes mean.

    Args:
        folder: the data set.
        layout: one of `LAYOUTS`; by default the first of them that the folder has.
        names: what the names of classes mean; by default the layout's own map, if it has one. Of folders in ``splits``
            numbers are then FER2013's.
        usage: of all pictures, one of `USAGES`, where the layout says none.
        classes: see `mien.data.reading.class_maps.understood`.
        nested: whether pictures lie in a folder for each group in that of their class; of splits and classes only.

    Raises:
        DataError: a malformed data set, or a class that is not understood; files, lines and classes are named.
        UsageError: an unknown layout or usage, a usage too many or missing, or a layout without folders of classes.
    """
    name = _layout_of(folder) if layout is None else layout
    if name not in LAYOUTS:
        raise UsageError(f"unknown layout {name!r}{nearest(name, LAYOUTS)}: expected one of {', '.join(LAYOUTS)}")
    chosen = LAYOUTS[name]
    _check_usage(name, usage, states_usage=chosen.states_usage)
    if nested and name not in _WITH_FOLDERS:
        raise UsageError(f"the layout {name} has no folders of groups: name the groups in a csv")
    find = partial(_WITH_FOLDERS[name], nested=True) if nested else chosen.find
    if names is None:
        names = class_map(() if classes == KEEP_CLASSES else chosen.names)
    return _understood(name, folder, find(folder, usage or ""), names, classes, strict=chosen.strict)


def usage_is_stated(source: Path, layout: str | None = None) -> bool:
    """Whether pictures say their usage themselves: by their layout, or in a column of their csv.

    Raises:
        DataError: a folder of no known layout.
    """
    if not source.is_dir():
        return not is_picture_table(source) or has_usages(source)
    name = _layout_of(source) if layout is None else layout
    return name in LAYOUTS and LAYOUTS[name].states_usage


def found_in_table(source: Path, names: ClassMap, usage: str | None, classes: str = AUTO_CLASSES) -> FoundPictures:
    """The pictures that a csv names (`mien.data.reading.picture_tables`), and what their classes mean.

    Raises:
        DataError: a malformed csv, or a class that is not understood; lines and classes are named.
    """
    found = _Named(table_pictures(source, usage), [source])
    return _understood(PICTURE_TABLE, source.parent, found, names, classes, strict=False)


def _layout_of(folder: Path) -> str:
    for name, layout in LAYOUTS.items():
        if layout.fits(folder):
            return name
    found = [entry.name for entry in entries(folder)]
    raise DataError(
        f"{folder}: {listed(found) if found else 'nothing'} in it: expected train|validation|test/<class>/, "
        f"<class>/, or what RAF-DB, JAFFE or ExpW come as"
    )


def _check_usage(layout: str, usage: str | None, *, states_usage: bool) -> None:
    choice = ", ".join(USAGES)
    if usage is not None and usage not in USAGES:
        raise UsageError(f"unknown usage {usage!r}: expected one of {choice}")
    if states_usage and usage is not None:
        raise UsageError(f"the layout {layout} says itself which usage a picture has: leave out --usage {usage}")
    if not states_usage and usage is None:
        raise UsageError(f"the layout {layout} says no usage of its pictures: add --usage, one of {choice}")


def _understood(
    layout: str,
    folder: Path,
    found: _Named,
    names: ClassMap,
    classes: str | tuple[str, ...],
    *,
    strict: bool,
) -> FoundPictures:
    """Pictures with their labels.

    Raises:
        DataError: no picture, unknown classes, or own classes without pictures; all of them are named.
    """
    place = ", ".join(map(str, found.lists or [folder]))
    try:
        naming = understood({picture.name for picture in found.pictures}, names, classes, strict=strict)
    except DataError as error:
        raise DataError(f"{place}: {error}") from None
    if all(meaning is None for meaning in naming.meanings.values()):
        raise DataError(f"{place}: no pictures to read")
    if naming.kept and (empty := [name for name in found.empty if class_key(name) not in names]):
        raise DataError(f"{place}: no pictures in {listed(empty)}: expected some of each class; remove the folder")
    pictures = (
        LabelledPicture(
            item.path,
            item.name,
            naming.number(item.name),
            USAGES.index(item.usage),
            item.box,
            item.group,
            item.votes,
            item.file,
        )
        for item in found.pictures
    )
    return FoundPictures(layout, tuple(pictures), tuple(found.lists), naming.classes, naming.kept)


def _find_splits(folder: Path, _usage: str, *, nested: bool = False) -> _Named:
    found = split_pictures(folder, nested=nested)
    return _Named(found.pictures, empty=found.empty)


def _find_classes(folder: Path, usage: str, *, nested: bool = False) -> _Named:
    found = class_pictures(folder, usage, nested=nested)
    return _Named(found.pictures, empty=found.empty)


_WITH_FOLDERS: Final = {"splits": _find_splits, "classes": _find_classes}


def _find_imagefolder(folder: Path, _usage: str) -> _Named:
    lists = [part / METADATA_FILE for part in usage_folders(folder)]
    found = [picture for path in lists for picture in each_once(path, _described(path))]
    for what, held in (("group", [item.group for item in found]), ("votes", [item.votes for item in found])):
        if any(held) and not all(held):
            raise DataError(f"{folder}: some of its {METADATA_FILE} state {what}, others do not: expected all or none")
    return _Named(_in_order_of_rows(found), lists)


def _in_order_of_rows(found: list[NamedPicture]) -> list[NamedPicture]:
    """By row number where each has its own, so that an export comes back in the order it had."""
    rows = {item.row for item in found}
    if None in rows or len(rows) < len(found):
        return found
    return sorted(found, key=lambda item: item.row or 0)


def _described(path: Path) -> Iterator[tuple[int, NamedPicture]]:
    """What a metadata.csv says of the pictures beside it, and in which line."""
    usage = USAGE_OF_FOLDER[path.parent.name.lower()]
    for line, row in csv_lines(path, partial(_metadata_columns, path)):
        where = f"{path}: line {line}"
        name, emotion, number = (row.get(key, "") for key in (FILE_NAME, _EMOTION, ROW))
        if not name or not emotion:
            raise DataError(f"{where} lacks file_name or emotion: expected a column of either name")
        place = int(number) if number.isascii() and number.isdigit() else None
        picture, group, file = _inside(path.parent, name, where), row.get(GROUP, ""), row.get(FILE, "")
        check_group(group, where)
        yield line, NamedPicture(picture, emotion, usage, None, group, _votes(row, where), file, place)


def _metadata_columns(path: Path, header: Sequence[str]) -> Sequence[str]:
    check_once(path, header, (FILE_NAME, _EMOTION, ROW, GROUP, FILE, *VOTE_COLUMNS))
    return header


def _votes(row: Mapping[str, str], where: str) -> bytes:
    """FER+'s votes in a line of a table; nothing where it has no such columns."""
    cells = [row.get(name) for name in VOTE_COLUMNS]
    if all(cell is None for cell in cells):
        return b""
    if not all(cell is not None and re.fullmatch(r"\d|10", cell) for cell in cells):
        raise DataError(f"{where} has the votes {cells}: expected 0..10 in each of {', '.join(VOTE_COLUMNS)}")
    return bytes(int(cell or 0) for cell in cells)


def _find_numbered(folder: Path, _usage: str) -> _Named:
    lists = [path for part in _NUMBERED_PARTS if (path := folder / part / _NUMBERED_LIST).is_file()]
    return _Named([picture for path in lists for picture in each_once(path, _numbered_pictures(path))], lists)


def _numbered_pictures(path: Path) -> Iterator[tuple[int, NamedPicture]]:
    """Pictures by the lines of a csv without a header; blank ones are left out."""
    lines = csv.reader(StringIO(_text(path), newline=""))
    try:
        for cells in filter(None, lines):
            where = f"{path}: line {lines.line_num}"
            if len(cells) != 2:
                raise DataError(f"{where} has {len(cells)} cells: expected a file name and an emotion")
            yield lines.line_num, NamedPicture(_inside(path.parent, cells[0], where), cells[1], USAGES[0])
    except csv.Error as error:
        raise DataError(f"{path}: not a csv ({error})") from None


def _find_raf(folder: Path, _usage: str) -> _Named:
    path = _first_file(folder, _RAF_PLACES)
    root = path.parent.parent if path.parent.name == "EmoLabel" else path.parent
    return _Named(each_once(path, _raf_pictures(path, root / "Image" / "aligned")), [path])


def _raf_pictures(path: Path, folder: Path) -> Iterator[tuple[int, NamedPicture]]:
    for line, (name, label) in _lines(path, 2):
        where = f"{path}: line {line}"
        stem = name.removesuffix(".jpg")
        part = stem.partition("_")[0]
        if part not in _RAF_USAGES:
            raise DataError(f"{where} names {name[:40]!r}: expected train_<number>.jpg or test_<number>.jpg")
        picture = _inside(folder, f"{stem}_aligned.jpg", where)
        yield line, NamedPicture(picture, label, _RAF_USAGES[part])


def _find_jaffe(folder: Path, usage: str) -> _Named:
    pictures = [path for path in entries(folder) if path.suffix.lower() in SUFFIXES]
    others = [path.name for path in pictures if not JAFFE_NAME.fullmatch(path.name)]
    if others:
        raise DataError(f"{folder}: {listed(others)} in it: expected pictures named as KA.AN1.39.tiff")
    found = [NamedPicture(path, path.name.split(".")[1][:2].upper(), usage) for path in pictures]
    return _Named(found)


def _find_expw(folder: Path, usage: str) -> _Named:
    path = _first_file(folder, _EXPW_PLACES)
    root = path.parent.parent if path.parent.name == "label" else path.parent
    found = []
    for line, (name, _face, *numbers, _confidence, label) in _lines(path, _EXPW_FIELDS):
        where = f"{path}: line {line}"
        if not all(re.fullmatch(r"-?\d{1,6}", number) for number in numbers):
            raise DataError(f"{where} has the box {' '.join(numbers)[:60]!r}: expected top, left, right and bottom")
        top, left, right, bottom = map(int, numbers)
        picture = _inside(root / "image" / "origin", name, where)
        found.append(NamedPicture(picture, label, usage, FaceBox(left, top, right, bottom)))
    return _Named(found, [path])


def _lines(path: Path, fields: int) -> Iterator[tuple[int, list[str]]]:
    """Lines with a fixed number of words, and their line numbers from 1; blank ones are left out."""
    for number, line in enumerate(_text(path).splitlines(), start=1):
        words = line.split()
        if words and len(words) != fields:
            raise DataError(f"{path}: line {number} has {len(words)} words: expected {fields}")
        if words:
            yield number, words


def _text(path: Path) -> str:
    try:
        return content(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path}: not text in UTF-8") from None


def _inside(folder: Path, name: str, where: str) -> Path:
    """The file of a name that a list gives, which must lie in the folder."""
    path = folder / name
    if ".." in Path(name).parts or Path(name).is_absolute() or not path.is_file():
        raise DataError(f"{where} names {name[:60]!r}: no such file in {folder}")
    return path


def _first_file(folder: Path, places: Iterable[str]) -> Path:
    found = next((folder / place for place in places if (folder / place).is_file()), None)
    if found is None:
        raise DataError(f"{folder}: none of {', '.join(places)} in it")
    return found


_RAF_PLACES: Final = (f"EmoLabel/{_RAF_LIST}", f"basic/EmoLabel/{_RAF_LIST}", _RAF_LIST)
_EXPW_PLACES: Final = (f"label/{_EXPW_LIST}", _EXPW_LIST)


def _has_file(*places: str) -> Callable[[Path], bool]:
    return lambda folder: any((folder / place).is_file() for place in places)


def _is_imagefolder(folder: Path) -> bool:
    return any((part / METADATA_FILE).is_file() for part in _usage_entries(folder))


def _usage_entries(folder: Path) -> list[Path]:
    return [entry for entry in entries(folder) if entry.is_dir() and entry.name.lower() in USAGE_OF_FOLDER]


def _is_numbered(folder: Path) -> bool:
    return any((folder / part / _NUMBERED_LIST).is_file() for part in _NUMBERED_PARTS)


def _is_jaffe(folder: Path) -> bool:
    return any(JAFFE_NAME.fullmatch(entry.name) for entry in entries(folder))


def _has_folders(folder: Path) -> bool:
    return any(entry.is_dir() for entry in entries(folder))


LAYOUTS: Final[dict[str, _Layout]] = {
    "raf-db": _Layout(_has_file(*_RAF_PLACES), _find_raf, ("raf-db",), states_usage=True, strict=True),
    "expw": _Layout(_has_file(*_EXPW_PLACES), _find_expw, ("fer2013",), strict=True),
    "imagefolder": _Layout(_is_imagefolder, _find_imagefolder, states_usage=True),
    "numbered": _Layout(_is_numbered, _find_numbered, ("fer2013",), states_usage=True),
    "splits": _Layout(lambda folder: bool(_usage_entries(folder)), _find_splits, ("fer2013",), states_usage=True),
    "jaffe": _Layout(_is_jaffe, _find_jaffe, ("jaffe",), strict=True),
    "classes": _Layout(_has_folders, _find_classes),
}
"""Layouts by name, in the order in which they are looked for."""
