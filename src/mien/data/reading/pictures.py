"""Labelled picture files as rows of a data set."""

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.data.rows import FaceRows, ReportProgress
from mien.errors import DataError, InputError
from mien.files import encodable
from mien.labels import EMOTIONS, KNOWN_SETS
from mien.media.decode_picture import decode_picture
from mien.preprocess import FACE_SIZE, face_crop, to_gray, to_rgb

SUFFIXES: Final = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".bmp", ".webp", ".avif", ".heic", ".heif", ".hif"),
    *(".jp2", ".pgm", ".ppm"),
)
"""Of pictures in data sets, lower-case: what `mien predict` reads, but for what are animations or icons as a rule."""

_FORMATS: Final = frozenset({"JPEG", "MPO", "PNG", "TIFF", "BMP", "DIB", "WEBP", "AVIF", "HEIF", "JPEG2000", "PPM"})
_LITTER: Final = ("thumbs.db", "desktop.ini")
_NAMED_IN_ERRORS: Final = 5
_DAMAGED_NAMED: Final = 20

log: Final = logging.getLogger("mien")


class FaceBox(NamedTuple):
    """Where a face lies in a picture, pixels; right and bottom are the first ones outside of it."""

    left: int
    top: int
    right: int
    bottom: int


class NamedPicture(NamedTuple):
    """A picture file before its class is understood.

    Args:
        path: the file.
        name: of its class, as the data set has it.
        usage: one of `mien.choices.USAGES`.
        box: the face in the picture; None takes the whole picture.
        group: name of the group that it belongs to, of all pictures or of none.
        votes: FER+'s for each of `mien.labels.VOTE_CLASSES`, likewise.
        file: what the face was cut out of before, where that is known.
        row: number of the row that it was in the data set it comes from, where that is known.
    """

    path: Path
    name: str
    usage: str
    box: FaceBox | None = None
    group: str = ""
    votes: bytes = b""
    file: str = ""
    row: int | None = None


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """A face in a picture file.

    Args:
        path: the file.
        name: of its class, as the data set has it.
        label: number of the class that this means, None when its pictures are to be skipped.
        usage: index into `mien.choices.USAGES`.
        box: the face in the picture; None takes the whole picture.
        group: name of the group that it belongs to (`mien.data.reading.groups`), of all pictures or of none.
        votes: FER+'s for each of `mien.labels.VOTE_CLASSES`, likewise.
        file: what the face was cut out of before, where that is known.
    """

    path: Path
    name: str
    label: int | None
    usage: int
    box: FaceBox | None = None
    group: str = ""
    votes: bytes = b""
    file: str = ""


FindFaces = Callable[[NDArray[np.uint8]], Sequence[NDArray[np.uint8]]]
"""The faces in a photo, RGB uint8 (H, W, 3) or grey (H, W): cut out and aligned, largest first."""


@dataclass(frozen=True, slots=True)
class FaceKind:
    """What faces of a data set are like.

    Args:
        side: in pixels.
        channels: 1, grey, or 3, RGB.
        find: finds the faces in photos, cut out at that side with those channels; None: pictures are faces already.
    """

    side: int = FACE_SIZE
    channels: int = 1
    find: FindFaces | None = None


FER2013_FACES: Final = FaceKind()
"""Grey, 48x48, one in each picture."""


def read_pictures(
    folder: Path,
    pictures: Sequence[LabelledPicture],
    progress: ReportProgress,
    lists: Sequence[Path] = (),
    *,
    skip_damaged: bool = False,
    kind: FaceKind = FER2013_FACES,
    classes: tuple[str, ...] = EMOTIONS,
) -> tuple[FaceRows, str]:
    """Rows of pictures in their order, without those to be skipped.

    A picture is decoded (`mien.media.decode_picture.decode_picture`), made grey where faces are, cut to its box and
    brought to the side of faces (`mien.preprocess.face_crop`) as prediction does it. In photos the faces are searched,
    and the largest is taken; photos without a face are left out, and they and those with several are named on the
    logger.

    Args:
        folder: the folder they all lie in.
        pictures: what to read.
        progress: told which part of them has been read.
        lists: files in the folder that say what the pictures show.
        skip_damaged: whether pictures that cannot be read are named on the logger and left out.
        kind: what the faces are to be like.
        classes: names of the classes.

    Returns:
        The rows, and the lower-case hexadecimal SHA-256 over relative path (with slashes), size and content of every
        list and picture in that order, also of those that cannot be decoded.

    Raises:
        DataError: files cannot be read, are no pictures, or a box lies outside of its picture: the first 20 of them are
            named, and their number; or nothing is left, of all pictures or of a class of the data set's own.
    """
    rows, digest = FaceRows(kind.side, kind.channels, classes), hashlib.sha256()
    damaged: list[str] = []
    found = _Photos()
    for path in lists:
        digest.update(_stated(folder, path, content(path)))
    for number, picture in enumerate(pictures, start=1):
        if picture.label is not None:
            try:
                encoded = content(picture.path)
                digest.update(_stated(folder, picture.path, encoded))
                face = _face(encoded, picture, kind, found)
                if face is not None:
                    rows.extend(face, [picture.label], [picture.usage])
                    rows.groups.extend([encodable(picture.group)] if picture.group else [])
                    rows.votes += picture.votes
                    rows.files.append(encodable(picture.file or picture.path.relative_to(folder).as_posix()))
            except DataError as error:
                damaged.append(str(error))
        progress(number / len(pictures))
    _report(damaged, folder, skipped=skip_damaged and len(rows) > 0)
    found.report(folder)
    if not len(rows):
        raise DataError(f"{folder}: no face found in any photo; leave out --detect where pictures are faces already")
    _refuse_emptied(folder, pictures, rows)
    return rows, digest.hexdigest()


def _refuse_emptied(folder: Path, pictures: Sequence[LabelledPicture], rows: FaceRows) -> None:
    """Refuse a class of one's own that had pictures, none of which could be used.

    Raises:
        DataError: as said; the data set's names for such classes are listed.
    """
    emptied = sorted({item.name for item in pictures if item.label is not None and item.label not in rows.labels})
    if emptied and rows.classes not in KNOWN_SETS:
        raise DataError(
            f"{folder}: no picture of {listed(emptied)} could be used: expected some of each class; add others, or "
            f"leave the class out where pictures are imported: --map {emptied[0]}=skip"
        )


def _report(damaged: Sequence[str], folder: Path, *, skipped: bool) -> None:
    """Say which pictures cannot be read.

    Raises:
        DataError: there are some, and they may not be skipped.
    """
    if not damaged:
        return
    count = "1 picture" if len(damaged) == 1 else f"{len(damaged):,} pictures"
    if skipped:
        for line in damaged:
            log.warning("%s", line)
        log.warning("%s: left out %s that cannot be read", folder, count)
        return
    more = f"; and {len(damaged) - _DAMAGED_NAMED:,} more" if len(damaged) > _DAMAGED_NAMED else ""
    shown = "; ".join(damaged[:_DAMAGED_NAMED])
    mend = "replace or remove them (`mien data import --skip-damaged` leaves them out)"
    raise DataError(f"{folder}: {count} cannot be read; {mend}: {shown}{more}")


def content(path: Path) -> bytes:
    """The bytes of a file of a data set.

    Raises:
        DataError: it cannot be read.
    """
    try:
        if path.exists() and not path.is_file():  # reading a pipe would wait for its writer
            raise DataError(f"{path}: not a regular file")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


def entries(folder: Path) -> list[Path]:
    """What a user sees in a folder, sorted by name.

    Raises:
        DataError: it cannot be read.
    """
    try:
        visible = [path for path in folder.iterdir() if path.name[0] != "." and path.name.lower() not in _LITTER]
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror})") from None
    return sorted(visible, key=lambda path: path.name)


def listed(names: Sequence[str]) -> str:
    """The first of some names for an error, and how many more there are."""
    shown = ", ".join(map(repr, names[:_NAMED_IN_ERRORS]))
    more = len(names) - _NAMED_IN_ERRORS
    return f"{shown} and {more} more" if more > 0 else shown


def _stated(folder: Path, path: Path, encoded: bytes) -> bytes:
    name = path.relative_to(folder).as_posix().encode("utf-8", "surrogateescape")
    return name + b"\0%d\0" % len(encoded) + encoded


class _Photos:
    """Photos in which not exactly one face was found."""

    def __init__(self) -> None:
        self._without: list[str] = []
        self._several: list[tuple[str, int]] = []

    def largest(self, faces: Sequence[NDArray[np.uint8]], path: Path) -> NDArray[np.uint8] | None:
        """The largest face of a photo, None where there is none."""
        if len(faces) > 1:
            self._several.append((str(path), len(faces)))
        if not faces:
            self._without.append(str(path))
        return faces[0] if len(faces) else None

    def report(self, folder: Path) -> None:
        """Name these photos on the logger."""
        for path in self._without:
            log.warning("%s: no face found, left out", path)
        for path, count in self._several:
            log.warning("%s: %d faces, the largest is taken", path, count)
        if self._without or self._several:
            numbers = len(self._without), len(self._several)
            log.warning("%s: %d photos without a face left out, %d with several faces", folder, *numbers)


def _face(encoded: bytes, picture: LabelledPicture, kind: FaceKind, photos: _Photos) -> NDArray[np.uint8] | None:
    """The face in an encoded picture; None where a photo shows none."""
    try:
        image = decode_picture(BytesIO(encoded), str(picture.path), _FORMATS)
    except InputError as error:
        raise DataError(str(error)) from None
    if kind.find is not None:
        return photos.largest(kind.find(image), picture.path)
    image = to_gray(image) if kind.channels == 1 else to_rgb(image)
    return face_crop(image if picture.box is None else _cut(image, picture.box, picture.path), kind.side)


def _cut(image: NDArray[np.uint8], box: FaceBox, path: Path) -> NDArray[np.uint8]:
    """What lies in a box and in the picture."""
    cut = image[max(box.top, 0) : max(box.bottom, 0), max(box.left, 0) : max(box.right, 0)]
    if not cut.size:
        height, width = image.shape[:2]
        place = f"{box.left}..{box.right} across and {box.top}..{box.bottom} down"
        raise DataError(f"{path}: nothing of the picture, {width}x{height}, lies in the face's box, {place}")
    return cut
