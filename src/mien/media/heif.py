"""HEIF and HEIC, in which phones store photographs: decoded by libheif, which the extra `heif` brings.

`pi-heif` only decodes; `pillow-heif`, which also encodes and brings x265 under the GPL for it, is taken where it is
installed already.
"""

from importlib import import_module
from typing import Any, BinaryIO, Final

from PIL import Image

from mien.errors import InputError

_READERS: Final = ("pi_heif", "pillow_heif")


def open_heif(file: BinaryIO, name: str) -> Image.Image:
    """The primary picture of a HEIF file, its size known and its pixels not decoded yet; libheif turns it upright.

    Args:
        file: open for reading, at its beginning.
        name: what to call it in errors.

    Raises:
        InputError: no reader is installed.
        Exception: of many kinds, where the file is damaged.
    """
    image: Image.Image = _reader(name)(file)
    return image


def _reader(name: str) -> Any:
    for package in _READERS:
        try:
            return import_module(f"{package}.as_plugin").HeifImageFile
        except ImportError:
            continue
    raise InputError(f"{name}: a HEIC picture, whose reader is not installed: pip install 'mien[heif]'")
