"""Pictures in: a path, the bytes of a file, an array or a Pillow image becomes an image, once and here.

How files are decoded, `mien.media.pictures` says.
"""

import glob
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.errors import InputError, UsageError
from mien.media.pictures import Pixels, decode_picture, on_white, pixels_of

Picture = str | Path | bytes | NDArray[Any] | Image.Image
"""What `read_image` accepts: a path, the content of a picture file, an array, a Pillow image."""

PICTURE_SUFFIXES: Final = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".avif", ".jp2"}
    | {".pbm", ".pgm", ".ppm", ".pnm", ".tga", ".ico"}
)
"""Lower-case suffixes by which pictures are found in folders."""

_WILDCARDS: Final = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class EmptySource:
    """A folder or glob pattern that was asked for and holds no picture.

    Args:
        source: the folder or pattern.
        error: one line that says so.
    """

    source: str
    error: str


def read_image(source: Picture) -> Pixels:
    """The pixels of a picture.

    Args:
        source: a path, the content of a picture file as bytes, a Pillow image, or an array: uint8 (H, W), (H, W, 1),
            (H, W, 3) in the order RGB or (H, W, 4) RGBA. OpenCV's arrays are BGR: pass ``image[:, :, ::-1]``.
            Of an animation or a document with several pages the first is taken.

    Returns:
        uint8 (H, W, 3), RGB, or (H, W) for pictures without colour.

    Raises:
        InputError: the file is missing, empty, truncated, no picture, or larger than 100 megapixels.
        UsageError: an array of another type or shape, or something that is no picture at all.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        return pixels_of(source, "the image")
    if isinstance(source, bytes):
        return decode_picture(io.BytesIO(source), f"the picture of {len(source):,} bytes")
    if isinstance(source, str | Path):
        return _read_file(Path(source))
    raise UsageError(f"a picture cannot be a {type(source).__name__}: expected a path, bytes, array or Pillow image")


def expand_sources(sources: Sequence[str]) -> list[Path | EmptySource]:
    """The picture files that files, folders and glob patterns name, each once, in the order given.

    Folders are searched to the bottom, their pictures sorted by path; hidden files, and files whose suffix is no
    picture's, are passed over. A file that is named but missing stays in the list, so that reading it reports it; an
    `EmptySource` stands for a folder or pattern without pictures.

    Raises:
        InputError: there is not one file.
    """
    found = list(dict.fromkeys(entry for source in sources for entry in _expand(source)))
    empty = [entry.error for entry in found if isinstance(entry, EmptySource)]
    if len(empty) == len(found):
        raise InputError("; ".join(empty) or "no sources: expected pictures, folders or patterns")
    return found


def _expand(source: str) -> Sequence[Path | EmptySource]:
    path = Path(source)
    try:
        if path.is_dir():
            empty = EmptySource(str(path), f"{path}: no pictures in this folder (looked for *.jpg, *.png, ...)")
            return _pictures_in(path) or [empty]
        if path.exists() or not _WILDCARDS.intersection(source):
            return [path]
    except OSError:  # a name too long, a folder that must not be entered: reading it reports it
        return [path]
    matches = [Path(match) for match in sorted(glob.glob(source, recursive=True))]  # noqa: PTH207 - absolute patterns
    files = [file for match in matches for file in (_pictures_in(match) if match.is_dir() else [match])]
    return files or [EmptySource(str(path), f"{path}: no picture matches this pattern")]


def _pictures_in(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def _read_file(path: Path) -> Pixels:
    try:
        if not path.exists():
            raise InputError(f"{path}: no such file")
        if not path.is_file():
            raise InputError(f"{path}: a folder or device, not a picture file")
        with path.open("rb") as file:
            return decode_picture(file, str(path))
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(f"{path!s}: cannot be read ({getattr(error, 'strerror', None) or error})") from None


def _from_array(array: NDArray[Any]) -> Pixels:
    if array.dtype != np.uint8:
        mend = "scale it to 0..255 and use .astype(np.uint8)"
        raise UsageError(f"the image array is {array.dtype}: expected uint8; {mend}")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)) or not array.size:
        raise UsageError(f"the image array has shape {array.shape}: expected (H, W), (H, W, 3) in RGB or (H, W, 4)")
    return on_white(array) if array.ndim == 3 and array.shape[2] == 4 else np.ascontiguousarray(array)
