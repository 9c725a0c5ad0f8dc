"""Data sets as folders of pictures: ``train|test|validation/<emotion>/*.jpg|jpeg|png``.

The first level says the usage, by one fixed map (`USAGE_OF_FOLDER`): train -> Training, validation -> PublicTest,
test -> PrivateTest. A data set with train and test only has therefore no PublicTest rows to choose a model on; rename
the folder to ``validation`` if that is what it is for. The second level is an emotion's name, an alias of it, or its
number.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.data.rows import FaceRows, ReportProgress, no_progress
from mien.data.store import USAGES
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

SUFFIXES: Final = (".jpg", ".jpeg", ".png")

_EXPECTED: Final = "train|validation|test/<emotion>/*.jpg|jpeg|png"
_FORMATS: Final = frozenset({"JPEG", "MPO", "PNG"})
_LITTER: Final = ("thumbs.db", "desktop.ini")
_NAMED_IN_ERRORS: Final = 5


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
    labels = {entry: _label(entry) for entry in _entries(part)}
    if unknown := [entry for entry, label in labels.items() if label is None]:
        raise DataError(f"{part}: {_names(unknown)} in it: expected folders named {', '.join(EMOTIONS)}")
    return [(entry, label) for entry, label in labels.items() if label is not None]


def _label(folder: Path) -> int | None:
    try:
        return emotion_index(folder.name) if folder.is_dir() else None
    except DataError:
        return None


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
