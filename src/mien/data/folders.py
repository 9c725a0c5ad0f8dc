"""Data sets as folders of pictures: ``train|test|validation/<emotion>/*.jpg|jpeg|png|tiff``, or one folder per class.

The first level of the former says the usage, by one fixed map (`USAGE_OF_FOLDER`): train -> Training, validation ->
PublicTest, test -> PrivateTest. A data set with train and test only has therefore no PublicTest rows to choose a model
on; rename the folder to ``validation`` if that is what it is for. The second level is an emotion's name, an alias of
it, or its number. What the folders of the latter mean, a class map says (`mien.data.class_names`).
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from mien.data.class_names import SKIP, ClassMap, class_number
from mien.data.rows import FaceRows, ReportProgress, no_progress
from mien.data.store import TEST_USAGES, USAGES
from mien.errors import DataError, InputError
from mien.labels import EMOTIONS, emotion_index
from mien.pictures import decode_picture
from mien.preprocess import face_crop, to_gray

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

SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".tif", ".tiff")

_EXPECTED: Final = "train|validation|test/<emotion>/*.jpg|jpeg|png|tiff"
_FORMATS: Final = frozenset({"JPEG", "MPO", "PNG", "TIFF"})
_LITTER: Final = ("thumbs.db", "desktop.ini")
_NAMED_IN_ERRORS: Final = 5


_Label = TypeVar("_Label")


@dataclass(frozen=True, slots=True)
class _Picture:
    path: Path
    label: int
    usage: int


def read_folder(folder: Path, progress: ReportProgress = no_progress) -> tuple[FaceRows, str]:
    """Rows of a folder of pictures in the order of their relative paths, and the SHA-256 of it.

    A picture is decoded (`mien.pictures.decode_picture`), made gray and brought to 48x48 (`mien.preprocess.face_crop`)
    as prediction does it. Names that begin with a dot, and files beside ``train``, are ignored.

    Args:
        folder: the folder that holds ``train``, ``validation`` or ``test``.
        progress: told which part of the pictures has been read.

    Returns:
        The rows, and the lower-case hexadecimal SHA-256 over relative path (with slashes), size and content of every
        picture in that order.

    Raises:
        DataError: another layout, an unknown folder, a file that is no picture, or no picture at all; they are named.
    """
    pictures = list(_pictures(folder))
    if not pictures:
        raise DataError(f"{folder}: no pictures in it: expected {_EXPECTED}")
    return _read(folder, pictures, progress)


def read_class_folder(
    folder: Path, names: ClassMap, progress: ReportProgress = no_progress
) -> tuple[FaceRows, str, dict[str, int]]:
    """Rows of a folder with one folder of pictures per class, as `read_folder` reads them; all are PrivateTest rows.

    Args:
        folder: the folder that holds one folder for each class.
        names: what the names of those folders mean, beside what `mien.labels.emotion_index` knows.
        progress: told which part of the pictures has been read.

    Returns:
        The rows, their SHA-256 as in `read_folder`, and the pictures skipped, by class.

    Raises:
        DataError: an unknown class, a file that is no picture, or no picture at all; they are named.
    """
    usage = USAGES.index(TEST_USAGES[-1])
    classes = _class_folders(folder, names)
    pictures = [
        _Picture(path, label, usage) for entry, label in classes if label is not None for path in _picture_files(entry)
    ]
    if not pictures:
        raise DataError(
            f"{folder}: no pictures to read: expected <class>/*.jpg|jpeg|png|tiff, or what `mien data import` made"
        )
    skipped = {entry.name: len(_picture_files(entry)) for entry, label in classes if label is None}
    return *_read(folder, pictures, progress), skipped


def _read(folder: Path, pictures: Sequence[_Picture], progress: ReportProgress) -> tuple[FaceRows, str]:
    rows, digest = FaceRows(), hashlib.sha256()
    for number, picture in enumerate(pictures, start=1):
        content = _content(picture.path)
        name = picture.path.relative_to(folder).as_posix().encode("utf-8", "surrogateescape")
        digest.update(name + b"\0%d\0" % len(content))
        digest.update(content)
        rows.extend(_face(content, picture.path), [picture.label], [picture.usage])
        progress(number / len(pictures))
    return rows, digest.hexdigest()


def _pictures(folder: Path) -> Iterator[_Picture]:
    parts = [entry for entry in _entries(folder) if entry.is_dir()]
    unknown = [part for part in parts if part.name.lower() not in USAGE_OF_FOLDER]
    if unknown or not parts:
        found = f"unknown folders {_names(unknown)}" if unknown else "no folders"
        raise DataError(f"{folder}: {found} in it: expected {_EXPECTED} (or {', '.join(USAGE_OF_FOLDER)})")
    for part in parts:
        usage = USAGES.index(USAGE_OF_FOLDER[part.name.lower()])
        for emotion, label in _emotion_folders(part):
            yield from (_Picture(path, label, usage) for path in _picture_files(emotion))


def _emotion_folders(part: Path) -> list[tuple[Path, int]]:
    known, unknown = _sorted_out(_entries(part), emotion_index)
    if unknown:
        raise DataError(f"{part}: {_names(unknown)} in it: expected folders named {', '.join(EMOTIONS)}")
    return known


def _class_folders(folder: Path, names: ClassMap) -> list[tuple[Path, int | None]]:
    folders = [entry for entry in _entries(folder) if entry.is_dir()]
    known, unknown = _sorted_out(folders, lambda name: class_number(name, names))
    if parts := [entry for entry in unknown if entry.name.lower() in USAGE_OF_FOLDER]:
        raise DataError(f"{folder}: {_names(parts)} in it, not classes; name one of them, such as {parts[0]}")
    if unknown:
        raise DataError(
            f"{folder}: unknown classes {_names(unknown)}: expected {', '.join(EMOTIONS)}; "
            f"say what they are, such as --map {unknown[0].name}=EMOTION or --map {unknown[0].name}={SKIP}"
        )
    return known


def _sorted_out(entries: list[Path], label: Callable[[str], _Label]) -> tuple[list[tuple[Path, _Label]], list[Path]]:
    """Folders with their labels, and the entries that are no folders or have names without a label."""
    known, unknown = [], []
    for entry in entries:
        try:
            if not entry.is_dir():
                raise DataError(f"{entry}: not a folder")
            known.append((entry, label(entry.name)))
        except DataError:
            unknown.append(entry)
    return known, unknown


def _picture_files(folder: Path) -> list[Path]:
    files = _entries(folder)
    others = [path for path in files if path.suffix.lower() not in SUFFIXES or path.is_dir()]
    if others:
        raise DataError(
            f"{folder}: {_names(others)} in it: expected only {', '.join(SUFFIXES)} files; convert or remove the others"
        )
    return files


def _entries(folder: Path) -> list[Path]:
    """What a user sees in a folder, sorted by name."""
    try:
        visible = [path for path in folder.iterdir() if path.name[0] != "." and path.name.lower() not in _LITTER]
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror})") from None
    return sorted(visible, key=lambda path: path.name)


def _names(paths: list[Path]) -> str:
    shown = ", ".join(repr(path.name) for path in paths[:_NAMED_IN_ERRORS])
    more = len(paths) - _NAMED_IN_ERRORS
    return f"{shown} and {more} more" if more > 0 else shown


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


def _face(content: bytes, path: Path) -> NDArray[np.uint8]:
    """The face (48, 48) in an encoded picture."""
    try:
        return face_crop(to_gray(decode_picture(BytesIO(content), str(path), _FORMATS)))
    except InputError as error:
        raise DataError(f"{error}; replace or remove it") from None
