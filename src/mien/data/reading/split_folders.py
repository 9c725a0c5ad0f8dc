"""Data sets as folders of pictures: ``train|test|validation/<emotion>/*.jpg|jpeg|png|tiff``, or one folder per class.

The first level of the former says the usage, by one fixed map (`USAGE_OF_FOLDER`): train -> Training, validation ->
PublicTest, test -> PrivateTest. A data set with train and test only has therefore no PublicTest rows to choose a model
on; rename the folder to ``validation`` if that is what it is for. The second level is an emotion's name, an alias of
it, or its number. What the folders of the latter mean, a class map says (`mien.data.reading.class_maps`).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from mien.choices import USAGES
from mien.data.reading.class_maps import SKIP, ClassMap, class_map, class_number
from mien.data.reading.pictures import SUFFIXES, LabelledPicture, entries, listed
from mien.errors import DataError
from mien.labels import EMOTIONS

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

_EXPECTED: Final = "train|validation|test/<emotion>/*.jpg|jpeg|png|tiff"
_Label = TypeVar("_Label")


def split_pictures(folder: Path, names: ClassMap | None = None, *, nested: bool = False) -> list[LabelledPicture]:
    """Pictures in folders of emotions in folders of usages, by their relative paths.

    Names that begin with a dot, and files beside ``train``, are ignored.

    Args:
        folder: the folder that holds ``train``, ``validation`` or ``test``.
        names: what the names of the emotions' folders mean; by default numbers are FER2013's.
        nested: whether each of these holds folders of pictures, one for each group, instead of pictures.

    Raises:
        DataError: another layout, an unknown folder, a file that is no picture, or no picture at all; they are named.
    """
    names = class_map(["fer2013"]) if names is None else names
    pictures = [
        LabelledPicture(path, emotion.name, label, USAGES.index(USAGE_OF_FOLDER[part.name.lower()]))
        for part in usage_folders(folder)
        for emotion, label in _emotion_folders(part, names)
        for path in _pictures_of(emotion, nested=nested)
    ]
    if all(picture.label is None for picture in pictures):
        raise DataError(f"{folder}: no pictures in it: expected {_EXPECTED}")
    return pictures


def class_pictures(folder: Path, names: ClassMap, usage: str, *, nested: bool = False) -> list[LabelledPicture]:
    """Pictures in folders of classes, by their relative paths; all have the same usage.

    Args:
        folder: the folder that holds one folder for each class.
        names: what the names of those folders mean, beside what `mien.labels.emotion_index` knows.
        usage: one of `USAGES`.
        nested: whether each of these holds folders of pictures, one for each group, instead of pictures.

    Raises:
        DataError: an unknown class, a file that is no picture, or no picture at all; they are named.
    """
    pictures = [
        LabelledPicture(path, entry.name, label, USAGES.index(usage))
        for entry, label in _class_folders(folder, names)
        for path in _pictures_of(entry, nested=nested)
    ]
    if all(picture.label is None for picture in pictures):
        raise DataError(
            f"{folder}: no pictures to read: expected <class>/*.jpg|jpeg|png|tiff, or what `mien data import` made"
        )
    return pictures


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


def _emotion_folders(part: Path, names: ClassMap) -> list[tuple[Path, int | None]]:
    known, unknown = _sorted_out(entries(part), lambda name: class_number(name, names))
    if unknown:
        raise DataError(
            f"{part}: {_names(unknown)} in it: expected folders named {', '.join(EMOTIONS)}; "
            f"say what others are, such as --map {unknown[0].name}=EMOTION or --map {unknown[0].name}={SKIP}"
        )
    return known


def _class_folders(folder: Path, names: ClassMap) -> list[tuple[Path, int | None]]:
    folders = [entry for entry in entries(folder) if entry.is_dir()]
    known, unknown = _sorted_out(folders, lambda name: class_number(name, names))
    if parts := [entry for entry in unknown if entry.name.lower() in USAGE_OF_FOLDER]:
        raise DataError(f"{folder}: {_names(parts)} in it, not classes; name one of them, such as {parts[0]}")
    if unknown:
        raise DataError(f"{folder}: {unknown_classes([entry.name for entry in unknown])}")
    return known


def unknown_classes(names: list[str]) -> str:
    """What is wrong with classes that no map knows, and how to mend it."""
    return (
        f"unknown classes {listed(names)}: expected {', '.join(EMOTIONS)}; "
        f"say what they are, such as --map {names[0]}=EMOTION or --map {names[0]}={SKIP}"
    )


def _sorted_out(found: list[Path], label: Callable[[str], _Label]) -> tuple[list[tuple[Path, _Label]], list[Path]]:
    """Folders with their labels, and the entries that are no folders or have names without a label."""
    known, unknown = [], []
    for entry in found:
        try:
            if not entry.is_dir():
                raise DataError(f"{entry}: not a folder")
            known.append((entry, label(entry.name)))
        except DataError:
            unknown.append(entry)
    return known, unknown


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
        raise DataError(
            f"{folder}: {_names(others)} in it: expected only {', '.join(SUFFIXES)} files; convert or remove the others"
        )
    return files


def _names(paths: list[Path]) -> str:
    return listed([path.name for path in paths])
