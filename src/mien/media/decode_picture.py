"""Picture files decoded: whatever holds a picture becomes RGB uint8 (H, W, 3) or grayscale uint8 (H, W), here only.

Pillow decodes, and libheif what phones store as HEIC. The orientation in EXIF is applied, transparency is laid on
white, deeper values are scaled to 0..255.
"""

import warnings
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from mien.errors import InputError, TooLargeError
from mien.media.heif import open_heif
from mien.media.signatures import kind_of

Pixels = NDArray[np.uint8]
"""An image: RGB uint8 (H, W, 3) or grayscale uint8 (H, W)."""

MAX_PIXELS: Final = 100_000_000
"""Pictures that declare more pixels are refused before they are decoded (protects against decompression bombs)."""

FORMATS: Final = frozenset(
    {"JPEG", "MPO", "PNG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM", "TGA", "ICO", "HEIF"}
)
"""Pillow's names of the formats that are read (HEIF with an extra); others, such as PostScript, run programs."""

_GRAY_MODES: Final = frozenset({"1", "L"})
_ALPHA_MODES: Final = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})


def decode_picture(
    file: BinaryIO, name: str, formats: frozenset[str] = FORMATS, max_pixels: int = MAX_PIXELS
) -> Pixels:
    """The pixels of a picture file; of an animation or a document with several pages the first picture.

    Args:
        file: open for reading, at its beginning.
        name: what to call it in errors.
        formats: which of `FORMATS` are read.
        max_pixels: width times height that is allowed.

    Raises:
        InputError: empty, truncated, no picture, or of another format.
        TooLargeError: more pixels than are allowed.
    """
    if not file.read(1):
        raise InputError(f"{name}: an empty file, not a picture")
    file.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of odd metadata and its own limit of size; damage raises
        with _identified(file, name, formats) as image:
            return pixels_of(image, name, max_pixels)


def pixels_of(image: Image.Image, name: str, max_pixels: int = MAX_PIXELS) -> Pixels:
    """The pixels of a Pillow image.

    Raises:
        InputError: no pixels, or damage that shows while they are decoded.
        TooLargeError: more pixels than are allowed.
    """
    width, height = image.size
    if width * height > max_pixels:
        limit = max_pixels / 10**6
        raise TooLargeError(f"{name}: {width}x{height} pixels, more than {limit:g} megapixels; shrink it first")
    if not width * height:
        raise InputError(f"{name}: a picture without pixels ({width}x{height})")
    try:
        image.load()
        return _pixels(_upright(image))
    except Exception as error:  # decoders raise whatever a damaged file makes them
        raise InputError(f"{name}: a damaged or truncated picture ({_reason(error)})") from None


def on_white(rgba: NDArray[np.uint8]) -> Pixels:
    """RGB (H, W, 3) of RGBA (H, W, 4) laid on white, as a browser shows it."""
    alpha = rgba[:, :, 3:].astype(np.uint16)
    mixed = rgba[:, :, :3] * alpha + 255 * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def _identified(file: BinaryIO, name: str, formats: frozenset[str]) -> Image.Image:
    """The picture in an open file, its header read and its pixels not."""
    kind = kind_of(file.read(400))
    file.seek(0)
    if kind == "video":
        raise InputError(f"{name}: a video, not a picture; `mien predict` and Recognizer.stream read it by its name")
    # Readers of other formats are not tried at all. With all of ours, they are, so that the error can name the format.
    tried = None if formats == FORMATS else sorted(formats - {"MPO", "HEIF"})  # JPEG's reader opens MPO
    try:
        if kind == "heif" and "HEIF" in formats:
            return open_heif(file, name)
        image = Image.open(file, formats=tried)
    except InputError:
        raise
    except Image.DecompressionBombError:
        raise TooLargeError(f"{name}: more than {MAX_PIXELS // 10**6} megapixels; shrink it first") from None
    except UnidentifiedImageError:
        wanted = "no known format" if tried is None else f"none of {', '.join(tried)}"
        raise InputError(f"{name}: not a picture ({wanted}, or damaged at its beginning)") from None
    except Exception as error:  # format plugins raise whatever their parsing meets
        raise InputError(f"{name}: a damaged picture ({_reason(error)})") from None
    if image.format not in formats:
        raise InputError(f"{name}: pictures in the format {image.format} are not read; convert it to JPEG or PNG")
    return image


def _reason(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a broken EXIF block leaves a readable picture
        return image


def _pixels(image: Image.Image) -> Pixels:
    if image.mode in _GRAY_MODES and "transparency" not in image.info:
        return np.array(image.convert("L"))
    if image.mode.startswith("I") or image.mode == "F":
        return _scaled(np.asarray(image), sixteen_bit=image.mode.startswith("I;16"))
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        return on_white(np.asarray(image.convert("RGBA")))
    return np.array(image.convert("RGB"))


def _scaled(values: NDArray[Any], *, sixteen_bit: bool) -> Pixels:
    """Deep grey values as 0..255.

    16-bit values are divided by 257. Of the other types the range is not known: it is taken to be the smallest of 0..1
    (floats only), 0..255 and 0..65535 that holds all values; values beyond, or below 0, are stretched from the least to
    the largest.
    """
    finite = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = (0.0, 65535.0) if sixteen_bit else _range(finite, floats=values.dtype.kind == "f")
    return np.rint((finite - low) * (255.0 / ((high - low) or 1.0))).astype(np.uint8)


def _range(values: NDArray[np.float64], *, floats: bool) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    if low < 0:
        return low, high
    limits: Iterator[float] = (limit for limit in (1.0, 255.0, 65535.0)[not floats :] if high <= limit)
    return next(((0.0, limit) for limit in limits), (low, high))
