"""What the other packages take as a picture, and how they refuse what they cannot use."""

import base64
import binascii
from typing import Any, Final

import numpy as np

from mien.errors import InputError, MienError, UsageError
from mien.media.decode_picture import Pixels
from mien.media.read_image import read_image

_DATA_URI: Final = "data:image/"


class InvalidArgumentError(UsageError, ValueError):
    """An argument that is out of range, or that asks for what mien cannot do."""


def read_picture(source: Any, error: type[MienError]) -> Pixels:
    """A picture as RGB uint8 (H, W, 3) or grayscale uint8 (H, W).

    Args:
        source: what `mien.media.read_image.read_image` takes, but arrays are BGR, as OpenCV reads them, and may hold
            floating-point numbers 0..255; or ``data:image/...;base64,...``; or a file that is open for reading bytes.
        error: what to raise.

    Raises:
        MienError: of the kind of ``error``: the picture cannot be read.
    """
    try:
        return read_image(_as_mien_takes_it(source))
    except MienError as refused:
        raise error(str(refused)) from None


def _as_mien_takes_it(source: Any) -> Any:
    if isinstance(source, np.ndarray):
        return _rgb(_uint8(source))
    if isinstance(source, str) and source.startswith(_DATA_URI):
        return _decoded(source)
    return source.read() if hasattr(source, "read") and not hasattr(source, "getbands") else source


def _uint8(image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Floating-point pixels as whole ones; others, and those that are none, as they are."""
    if not np.issubdtype(image.dtype, np.floating) or not image.size or not (image.min() >= 0 and image.max() <= 255):
        return image
    return image.round().astype(np.uint8)


def _rgb(image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if image.ndim != 3 or image.shape[2] < 3:
        return image
    return image[:, :, [2, 1, 0, *range(3, image.shape[2])]]


def _decoded(address: str) -> bytes:
    try:
        return base64.b64decode(address.partition(",")[2], validate=True)
    except binascii.Error as error:
        raise InputError(f"the picture in base64 cannot be decoded ({error})") from None
