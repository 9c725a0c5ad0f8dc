"""Data sets as folders of pictures: ``train|test|validation/<class>/*.jpg|png|...``, or one folder per class.

The first level of the former says the usage, by one fixed map (`USAGE_OF_FOLDER`): train -> Training, validation ->
PublicTest, test -> PrivateTest. A data set with train and test only has therefore no PublicTest rows to choose a model
on; rename the folder to ``validation`` if that is what it is for. What the names of classes mean, says
`mien.data.reading.class_maps`.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from mien.data.reading.pictures import SUFFIXES, NamedPicture, entries, listed
from mien.errors import DataError

USAGE_OF_FOLDER: Final = {
    "train": "Training",
    "training": "Training",
    "val": "PublicTest",
    "valid": "PublicTest",
    "validation": "PublicTest",
    "publictest": "PublicTest",
    "test": "PrivateTest",
    "privatetest": "PrivateTest",
}
"""Usage by the lower-case name of the folder."""

FOLDER_OF_USAGE: Final = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
"""What mien calls the folder of a usage when it writes one."""

METADATA_FILE: Final = "metadata.csv"
"""Where Hugging Face's `datasets` looks for what is known of the pictures in a folder."""

log: Final = logging.getLogger("mien")

_EXPECTED: Final = "train|validation|test/<class>/*.jpg|png|tiff|..."


class FoundFolders(NamedTuple):
    """The pictures in folders of classes, and the names of the folders in which none was."""

    pictures: tuple[NamedPicture, ...]
    empty: tuple[str, ...]


def split_pictures(folder: Path, *, nested: bool = False) -> FoundFolders:
    """Pictures in folders of classes in folders of usages, by their relative paths.

    Names that begin with a dot, and files beside ``train``, are ignored; of pictures there that is said.

    Args:
        folder: the folder that holds ``train``, ``validation`` or ``test``.
        nested: whether each of these holds folders of pictures, one for each group, instead of pictures.

    Raises:
        DataError: another layout, a file that is no picture, or no picture at all; they are named.
    """
    parts = [(part, USAGE_OF_FOLDER[part.name.lower()]) for part in usage_folders(folder)]
    _say_loose(folder)
    found = _found([(entry, usage) for part, usage in parts for entry in _class_folders(part)], nested=nested)
    if not found.pictures:
        raise DataError(f"{folder}: no pictures in it: expected {_EXPECTED}")
    return found


def class_pictures(folder: Path, usage: str, *, nested: bool = False) -> FoundFolders:
    """Pictures in folders of classes, by their relative paths; all have the same usage.

    Args:
        folder: the folder that holds one folder for each class.
        usage: one of `USAGES`.
        nested: whether each of these holds folders of pictures, one for each group, instead of pictures.

    Raises:
        DataError: a file that is no picture, or no picture at all; they are named.
    """
    folders = [entry for entry in entries(folder) if entry.is_dir()]
    if parts := [entry for entry in folders if entry.name.lower() in USAGE_OF_FOLDER]:
        raise DataError(f"{folder}: {_names(parts)} in it, not classes; name one of them, such as {parts[0]}")
    _say_loose(folder)
    found = _found([(entry, usage) for entry in folders], nested=nested)
    if not found.pictures:
        raise DataError(
            f"{folder}: no pictures to read: expected <class>/*.jpg|png|tiff|..., or what `mien data import` made"
        )
    return found


def _say_loose(folder: Path) -> None:
    """Say which pictures lie beside the folders that are read, and are left out."""
    loose = [entry for entry in entries(folder) if entry.suffix.lower() in SUFFIXES and not entry.is_dir()]
    if loose:
        log.warning("%s: left out what lies beside its folders: %s", folder, _names(loose))


def _found(folders: Sequence[tuple[Path, str]], *, nested: bool) -> FoundFolders:
    """Pictures in folders of classes, each with its usage."""
    pictures, filled = [], set()
    for entry, usage in folders:
        files = _pictures_of(entry, nested=nested)
        pictures += [NamedPicture(path, entry.name, usage) for path in files]
        filled |= {entry.name} if files else set()
    return FoundFolders(tuple(pictures), tuple(sorted({entry.name for entry, _ in folders} - filled)))


def usage_folders(folder: Path) -> list[Path]:
    """The folders of usages in a folder, by their names.

    Raises:
        DataError: there are none, or others too.
    """
    parts = [entry for entry in entries(folder) if entry.is_dir()]
    unknown = [part for part in parts if part.name.lower() not in USAGE_OF_FOLDER]
    if unknown or not parts:
        found = f"unknown folders {_names(unknown)}" if unknown else "no folders"
        raise DataError(f"{folder}: {found} in it: expected {_EXPECTED} (or {', '.join(USAGE_OF_FOLDER)})")
    return parts


def _class_folders(part: Path) -> list[Path]:
    found = entries(part)
    if loose := [entry for entry in found if not entry.is_dir()]:
        raise DataError(f"{part}: {_names(loose)} in it: expected a folder for each class")
    return found


def _pictures_of(folder: Path, *, nested: bool) -> list[Path]:
    if not nested:
        return _picture_files(folder)
    groups = entries(folder)
    if loose := [entry for entry in groups if not entry.is_dir()]:
        raise DataError(f"{folder}: {_names(loose)} in it: expected a folder for each group")
    return [path for group in groups for path in _picture_files(group)]


def _picture_files(folder: Path) -> list[Path]:
    files = entries(folder)
    others = [path for path in files if path.suffix.lower() not in SUFFIXES or path.is_dir()]
    if others:
        nested = len(others) == len(files) and all(path.is_dir() for path in others)
        mend = "`mien data import --groups folder` takes them" if nested else "convert, move or remove the others"
        raise DataError(f"{folder}: {_names(others)} in it: expected only {', '.join(SUFFIXES)} files; {mend}")
    return files


def _names(paths: list[Path]) -> str:
    return listed([path.name for path in paths])
