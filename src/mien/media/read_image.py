"""Pictures in: a path, an address, the bytes of a file, an array or a Pillow image becomes an image, once and here.

How files are decoded, `mien.media.decode_picture` says.
"""

import io
import logging
import mmap
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.errors import InputError, UsageError
from mien.media.animated import images_of
from mien.media.boxes import Content
from mien.media.decode_picture import MOST_BYTES, Pixels, Reduced, decode_picture, decode_reduced, on_white, pixels_of
from mien.media.kinds import UNREAD, suffix
from mien.media.pipe import hint_for_missing, read_pipe
from mien.media.signatures import kind_of
from mien.media.tiff_structure import pages_of
from mien.media.video_source import is_address, without_password

Picture = str | Path | bytes | NDArray[Any] | Image.Image
"""What `read_image` accepts: a path or address, the content of a picture file, an array, a Pillow image."""

PICTURES: Final = (str, Path, bytes, np.ndarray, Image.Image)
"""Their types."""

log: Final = logging.getLogger("mien")

_Decoded = TypeVar("_Decoded")

_ADDRESS_AS_PATH: Final = re.compile(r"https?:/[^/]")
_TIFF: Final = (b"II*\0", b"MM\0*")


def read_image(source: Picture) -> Pixels:
    """The pixels of a picture.

    Args:
        source: a path, an http(s) address (the only case in which mien connects to anywhere for a picture), the content
            of a picture file as bytes, a Pillow image, or an array: uint8 (H, W), (H, W, 1), (H, W, 3) in the order RGB
            or (H, W, 4) RGBA. OpenCV's arrays are BGR: pass ``image[:, :, ::-1]``. Of an animation or a document with
            several pages the first is taken.

    Returns:
        uint8 (H, W, 3), RGB, or (H, W) for pictures without colour.

    Raises:
        InputError: the file is missing, empty, truncated, a video, no picture, or larger than 100 megapixels; or the
            address gives none (see `mien.media.fetch.fetch_picture`).
        UsageError: an array of another type or shape, or something that is no picture at all.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        return pixels_of(source, "the image")
    if isinstance(source, bytes):
        return decode_picture(io.BytesIO(source), _name_of(source))
    if isinstance(source, str) and is_address(source):
        return _read_address(source)
    if isinstance(source, str | Path):
        return _read_file(Path(source), decode_picture)
    raise UsageError(f"a picture cannot be a {type(source).__name__}: expected a path, bytes, array or Pillow image")


def read_reduced(source: Picture, reduction: Callable[[int], int]) -> Reduced:
    """`read_image`, but a JPEG file may be decoded smaller (see `decode_reduced`).

    Raises:
        InputError: see `read_image`.
        UsageError: likewise.
    """
    if isinstance(source, bytes):
        return decode_reduced(io.BytesIO(source), _name_of(source), reduction)
    if isinstance(source, Path) or (isinstance(source, str) and not is_address(source)):
        path = Path(source)
        if not _is_pipe(path):  # which can be read only once
            return _read_file(path, lambda file, name: decode_reduced(file, name, reduction))
    return Reduced.not_at_all(read_image(source))


def _is_pipe(path: Path) -> bool:
    try:
        return path.is_fifo()
    except (OSError, ValueError):  # a name too long, or with a NUL: reading it says so
        return False


def _name_of(content: bytes) -> str:
    return f"the picture of {len(content):,} bytes"


def _read_address(address: str) -> Pixels:
    if not address.lower().startswith(("http://", "https://")):
        raise InputError(f"{without_password(address)}: pictures are read from files and from http(s) addresses")
    from mien.media.fetch import fetch_picture  # which imports much that files do without

    content, name = fetch_picture(address), without_password(address)
    pixels = decode_picture(io.BytesIO(content), name)
    _say_what_is_left(content, name)
    return pixels


def _read_file(path: Path, decode: Callable[[BinaryIO, str], _Decoded]) -> _Decoded:
    try:
        if not path.exists():
            address = " (an address? give it as text: a Path drops a slash)"
            hint = address if _ADDRESS_AS_PATH.match(str(path)) else hint_for_missing(path)
            raise InputError(f"{path}: no such file{hint}")
        if path.is_fifo():
            return _decoded_pipe(path, decode)
        if not path.is_file():
            raise InputError(f"{path}: a folder or device, not a picture file")
        with path.open("rb") as file:
            _refuse_unread(path, file.read(400))
            file.seek(0)
            decoded = decode(file, str(path))
            file.seek(0)
            if file.read(2) in {b"II", b"MM"}:  # TIFF; an animation is a short video to whoever reads files
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                    _say_what_is_left(content, str(path))
            return decoded
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(f"{path!s}: cannot be read ({getattr(error, 'strerror', None) or error})") from None


def _decoded_pipe(path: Path, decode: Callable[[BinaryIO, str], _Decoded]) -> _Decoded:
    content = read_pipe(path, MOST_BYTES)
    if kind_of(content) == "video":
        raise InputError(f"{path}: a video in a pipe: give it as standard input: mien predict - < {path}")
    _refuse_unread(path, content[:400])
    decoded = decode(io.BytesIO(content), str(path))
    _say_what_is_left(content, str(path))
    return decoded


def _say_what_is_left(content: Content, name: str) -> None:
    """Say how many pages or images of a picture are not read, where nobody else reads them."""
    if (pages := pages_of(content)) > 1:
        log.warning("%s: the first of %d pages is read; save the others as pictures", name, pages)
    if (images := images_of(content)) > 1:
        log.warning("%s: the first of %d images is read; a file on this machine is read whole", name, images)


def _refuse_unread(path: Path, content: bytes) -> None:
    """Refuse formats of which Pillow would read a preview at best; TIFF is what most camera raw files are built on."""
    what = UNREAD.get(suffix(path))
    if what and content and (kind_of(content) is None or content.startswith(_TIFF)):
        raise InputError(f"{path}: {what}, which is not read; convert it to JPEG or PNG")


def check_array(array: NDArray[Any]) -> None:
    """Refuse an array that is no picture.

    Raises:
        UsageError: another type or shape than `read_image` takes.
    """
    if array.dtype != np.uint8:
        mend = "scale it to 0..255 and use .astype(np.uint8)"
        raise UsageError(f"the image array is {array.dtype}: expected uint8; {mend}")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)) or not array.size:
        raise UsageError(f"the image array has shape {array.shape}: expected (H, W), (H, W, 3) in RGB or (H, W, 4)")


def _from_array(array: NDArray[Any]) -> Pixels:
    check_array(array)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    return on_white(array) if array.ndim == 3 and array.shape[2] == 4 else np.ascontiguousarray(array)
