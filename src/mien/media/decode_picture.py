"""Picture files decoded: whatever holds a picture becomes RGB uint8 (H, W, 3) or grayscale uint8 (H, W), here only.

Pillow decodes, and libheif what phones store as HEIC. The orientation in EXIF is applied, transparency is laid on
white, deeper values are scaled to 0..255.
"""

import io
import mmap
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from mien.errors import InputError, TooLargeError, UsageError
from mien.media.boxes import Content
from mien.media.heif import open_heif
from mien.media.picture_orientation import is_turned, upright
from mien.media.picture_structure import check_picture
from mien.media.signatures import kind_of

Pixels = NDArray[np.uint8]
"""An image: RGB uint8 (H, W, 3) or grayscale uint8 (H, W)."""

MAX_PIXELS: Final = 100_000_000
"""Pictures that declare more pixels are refused before they are decoded (protects against decompression bombs)."""

FORMATS: Final = frozenset(
    {"JPEG", "MPO", "PNG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM", "TGA", "ICO", "HEIF"}
)
"""Pillow's names of the formats that are read (HEIF with an extra); others, such as PostScript, run programs."""

MOST_BYTES: Final = 100 << 20
"""Of a picture file that is fetched or comes through a pipe; those of 100 megapixels are seldom larger."""

_EXPECTED: Final = "expected an array of uint8, RGB (H, W, 3) or gray (H, W)"
_BAND: Final = 64
"""Rows of an image that are converted at a time, so that they stay in the processor's cache."""
_BAND_PIXELS: Final = 2**16
"""Of a narrow image so many pixels: one of 4,000,000 rows would be converted in 62,500 steps."""

_REDUCIBLE: Final = frozenset({"JPEG", "MPO"})

_GRAY_MODES: Final = frozenset({"1", "L"})
_ALPHA_MODES: Final = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})


@dataclass(frozen=True, slots=True, eq=False)
class Reduced:
    """A picture that may have been decoded smaller than it is.

    Args:
        pixels: what was decoded.
        width, height: of the picture itself, upright.
        factor: by how much each side of ``pixels`` is smaller, rounded up: 1, 2, 4 or 8.
    """

    pixels: Pixels
    width: int
    height: int
    factor: int = 1

    @classmethod
    def not_at_all(cls, pixels: Pixels) -> Self:
        """A picture as it is."""
        return cls(pixels, pixels.shape[1], pixels.shape[0])


def as_pixels(name: str, image: object) -> Pixels:
    """An array that a caller gives as an image.

    Raises:
        UsageError: something else.
    """
    if not isinstance(image, np.ndarray):
        raise UsageError(f"{name} is {type(image).__name__}: {_EXPECTED}")
    if image.dtype != np.uint8 or not image.size or image.ndim < 2 or image.shape[2:] not in {(), (3,)}:
        raise UsageError(f"{name} is {image.dtype} {image.shape}: {_EXPECTED}")
    return np.asarray(image)  # of a matrix or a masked array the plain one


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
        TooLargeError: more pixels than are allowed, or far more work than its pixels say
            (see `mien.media.picture_structure`).
    """
    with _opened(file, name, formats, max_pixels) as image:
        return pixels_of(image, name, max_pixels)


def decode_reduced(
    file: BinaryIO,
    name: str,
    reduction: Callable[[int], int],
    formats: frozenset[str] = FORMATS,
    max_pixels: int = MAX_PIXELS,
) -> Reduced:
    """`decode_picture`, but a JPEG is decoded smaller, which takes a fraction of the time and memory.

    JPEG is a sum of waves in blocks of 8x8 pixels; leaving the short ones out gives blocks of 4x4, 2x2 or 1.

    Args:
        file: open for reading, at its beginning.
        name: what to call it in errors.
        reduction: by how much (1, 2, 4 or 8) a picture of that longer side, in pixels, may be decoded smaller.
        formats: which of `FORMATS` are read.
        max_pixels: width times height that is allowed.

    Raises:
        InputError: see `decode_picture`.
        TooLargeError: likewise.
    """
    with _opened(file, name, formats, max_pixels) as image:
        _check_size(image, name, max_pixels)
        (width, height), factor = image.size, 1
        if image.format in _REDUCIBLE and (factor := reduction(max(image.size))) > 1:
            image.draft(None, (max(1, width // factor), max(1, height // factor)))  # None: the mode stays
            factor = round(max(width, height) / max(image.size))
        pixels = pixels_of(image, name, max_pixels)
        return Reduced(pixels, *((height, width) if is_turned(image) else (width, height)), factor)


@contextmanager
def _opened(file: BinaryIO, name: str, formats: frozenset[str], max_pixels: int) -> Iterator[Image.Image]:
    """The picture in an open file, its header read and its pixels not; without Pillow's warnings."""
    if not file.read(1):
        raise InputError(f"{name}: an empty file, not a picture")
    file.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of odd metadata and its own limit of size; damage raises
        with _identified(file, name, formats, max_pixels) as image:
            yield image


def pixels_of(image: Image.Image, name: str, max_pixels: int = MAX_PIXELS) -> Pixels:
    """The pixels of a Pillow image.

    Raises:
        InputError: no pixels, or damage that shows while they are decoded.
        TooLargeError: more pixels than are allowed.
    """
    _check_size(image, name, max_pixels)
    try:
        image.load()
        return _pixels(upright(image))
    except MemoryError:
        raise TooLargeError(f"{name}: not enough memory to decode it; shrink it") from None
    except Exception as error:  # decoders raise whatever a damaged file makes them
        raise InputError(f"{name}: a damaged or truncated picture ({_reason(error)})") from None


def _check_size(image: Image.Image, name: str, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        limit = max_pixels / 10**6
        raise TooLargeError(f"{name}: {width}x{height} pixels, more than {limit:g} megapixels; shrink it first")
    if not width * height:
        raise InputError(f"{name}: a picture without pixels ({width}x{height})")


def on_white(rgba: NDArray[np.uint8]) -> Pixels:
    """RGB (H, W, 3) of RGBA (H, W, 4) laid on white, as a browser shows it."""
    mixed = np.empty((*rgba.shape[:2], 3), np.uint8)
    for rows in _bands(*rgba.shape[:2]):
        alpha = rgba[rows, :, 3:].astype(np.uint16)
        mixed[rows] = (rgba[rows, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255
    return mixed


def _bands(height: int, width: int) -> Iterator[slice]:
    """The rows of a picture, a band at a time."""
    rows = max(_BAND, _BAND_PIXELS // width)
    return (slice(start, min(start + rows, height)) for start in range(0, height, rows))


@contextmanager
def _content(file: BinaryIO) -> Iterator[Content]:
    """All of a file, without reading more of it into memory than is looked at."""
    if isinstance(file, io.BytesIO):
        yield file.getvalue()
    else:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            yield content


def _identified(file: BinaryIO, name: str, formats: frozenset[str], max_pixels: int) -> Image.Image:
    """The picture in an open file, its header read and its pixels not."""
    kind = kind_of(file.read(400))
    file.seek(0)
    if kind == "video":
        raise InputError(f"{name}: a video, not a picture; `mien predict` and Recognizer.stream read it by its name")
    with _content(file) as content:
        check_picture(content, name, max_pixels)
    # Readers of other formats are not tried at all. With all of ours, they are, so that the error can name the format.
    tried = None if formats == FORMATS else sorted(formats - {"MPO", "HEIF"})  # JPEG's reader opens MPO
    try:
        if kind == "heif" and "HEIF" in formats:
            return open_heif(file, name)
        image = Image.open(file, formats=tried)
    except (InputError, MemoryError):
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


def _pixels(image: Image.Image) -> Pixels:
    if image.mode in _GRAY_MODES and "transparency" not in image.info:
        return _values(image, "L")
    if image.mode.startswith("I") or image.mode == "F":
        return _scaled(np.asarray(image), sixteen_bit=image.mode.startswith("I;16"))
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        return _values(image, "RGBA")
    return _values(image, "RGB")


def _values(image: Image.Image, mode: str) -> Pixels:
    """The values of an image in a mode, RGBA laid on white, band by band: Pillow's own conversion of the whole copies
    it three times.
    """
    width, height = image.size
    values = np.empty((height, width) if mode == "L" else (height, width, 3), np.uint8)
    for rows in _bands(height, width):
        band = image.crop((0, rows.start, width, rows.stop))
        converted = np.asarray(band if band.mode == mode else band.convert(mode))
        values[rows] = on_white(converted) if mode == "RGBA" else converted
    return values


def _scaled(values: NDArray[Any], *, sixteen_bit: bool) -> Pixels:
    """Deep grey values as 0..255.

    16-bit values are divided by 257. Of the other types the range is not known: it is taken to be the smallest of 0..1
    (floats only), 0..255 and 0..65535 that holds all values; values beyond, or below 0, are stretched from the least to
    the largest.
    """
    low, high = (0.0, 65535.0) if sixteen_bit else _range(values, floats=values.dtype.kind == "f")
    scaled = np.empty(values.shape, np.uint8)
    for rows in _bands(*values.shape):
        scaled[rows] = np.rint((_finite(values[rows]) - low) * (255.0 / ((high - low) or 1.0)))
    return scaled


def _banded(values: NDArray[Any]) -> Iterator[NDArray[Any]]:
    return (values[rows] for rows in _bands(*values.shape))


def _finite(values: NDArray[Any]) -> NDArray[np.float64]:
    return np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)


def _range(values: NDArray[Any], *, floats: bool) -> tuple[float, float]:
    extremes = [(float(band.min()), float(band.max())) for band in map(_finite, _banded(values))]
    low, high = min(low for low, _ in extremes), max(high for _, high in extremes)
    if low < 0:
        return low, high
    limits: Iterator[float] = (limit for limit in (1.0, 255.0, 65535.0)[not floats :] if high <= limit)
    return next(((0.0, limit) for limit in limits), (low, high))
