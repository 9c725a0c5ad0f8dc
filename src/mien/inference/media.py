"""Pictures in: whatever holds one becomes RGB uint8 (H, W, 3) or grayscale uint8 (H, W), once and here.

Pillow decodes. The orientation in EXIF is applied, transparency is laid on white, deeper values are scaled to 0..255.
"""

import glob
import io
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from mien.errors import InputError, UsageError

Pixels = NDArray[np.uint8]
"""An image: RGB uint8 (H, W, 3) or grayscale uint8 (H, W)."""

Picture = str | Path | bytes | NDArray[Any] | Image.Image
"""What `read_image` accepts: a path, the content of a picture file, an array, a Pillow image."""

MAX_PIXELS: Final = 100_000_000
"""Pictures that declare more pixels are refused before they are decoded."""

PICTURE_SUFFIXES: Final = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".avif", ".jp2"}
    | {".pbm", ".pgm", ".ppm", ".pnm", ".tga", ".ico"}
)
"""Lower-case suffixes by which pictures are found in folders."""

_FORMATS: Final = frozenset(
    {"JPEG", "MPO", "PNG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM", "TGA", "ICO"}
)
"""Pillow's names of the formats that are read; others, such as PostScript, run programs of the machine."""

_WILDCARDS: Final = frozenset("*?[")
_GRAY_MODES: Final = frozenset({"1", "L"})
_ALPHA_MODES: Final = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})


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
        return _decode(source, "the image")
    if isinstance(source, bytes):
        return _open(io.BytesIO(source), f"the picture of {len(source):,} bytes", len(source))
    if isinstance(source, str | Path):
        return _read_file(Path(source))
    raise UsageError(f"a picture cannot be a {type(source).__name__}: expected a path, bytes, array or Pillow image")


def to_gray(image: Pixels) -> Pixels:
    """Grayscale uint8 (H, W) of an image, by the luma weights of ITU-R BT.601 (0.299 R + 0.587 G + 0.114 B)."""
    return image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def expand_sources(sources: Sequence[str]) -> list[Path]:
    """The picture files that files, folders and glob patterns name, each once, in the order given.

    Folders are searched to the bottom, their pictures sorted by path; hidden files, and files whose suffix is no
    picture's, are passed over. A file that is named but missing stays in the list, so that reading it reports it.

    Raises:
        InputError: a folder holds no picture, or a pattern matches nothing.
    """
    return list(dict.fromkeys(path for source in sources for path in _expand(source)))


def _expand(source: str) -> Iterable[Path]:
    path = Path(source)
    try:
        if path.is_dir():
            return _pictures_in(path) or _refuse(f"{source}: no pictures in this folder (looked for *.jpg, *.png, ...)")
        if path.exists() or not _WILDCARDS.intersection(source):
            return [path]
    except OSError:  # a name too long, a folder that must not be entered: reading it reports it
        return [path]
    matches = [Path(match) for match in sorted(glob.glob(source, recursive=True))]  # noqa: PTH207 - absolute patterns
    files = [file for match in matches for file in (_pictures_in(match) if match.is_dir() else [match])]
    return files or _refuse(f"{source}: no picture matches this pattern")


def _refuse(message: str) -> list[Path]:
    raise InputError(message)


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
            return _open(file, str(path), path.stat().st_size)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(f"{path!s}: cannot be read ({getattr(error, 'strerror', None) or error})") from None


def _open(file: Any, name: str, size: int) -> Pixels:
    """Decode an open picture file of a size in bytes."""
    if size == 0:
        raise InputError(f"{name}: an empty file, not a picture")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of odd metadata and its own limit of size; damage raises
        with _identified(file, name) as image:
            return _decode(image, name)


def _identified(file: Any, name: str) -> Image.Image:
    """The picture in an open file, its header read and its pixels not."""
    try:
        image = Image.open(file)
    except Image.DecompressionBombError:
        raise InputError(f"{name}: more than {MAX_PIXELS // 10**6} megapixels; shrink it first") from None
    except UnidentifiedImageError:
        raise InputError(f"{name}: not a picture (no known format, or damaged at its beginning)") from None
    except Exception as error:  # format plugins raise whatever their parsing meets
        raise InputError(f"{name}: a damaged picture ({_reason(error)})") from None
    if image.format not in _FORMATS:
        raise InputError(f"{name}: pictures in the format {image.format} are not read; convert it to JPEG or PNG")
    return image


def _decode(image: Image.Image, name: str) -> Pixels:
    width, height = image.size
    if width * height > MAX_PIXELS:
        limit = MAX_PIXELS // 10**6
        raise InputError(f"{name}: {width}x{height} pixels, more than {limit} megapixels; shrink it first")
    if not width * height:
        raise InputError(f"{name}: a picture without pixels ({width}x{height})")
    try:
        image.load()
        return _pixels(_upright(image))
    except Exception as error:  # decoders raise whatever a damaged file makes them
        raise InputError(f"{name}: a damaged or truncated picture ({_reason(error)})") from None


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
        return _on_white(np.asarray(image.convert("RGBA")))
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


def _on_white(rgba: NDArray[np.uint8]) -> Pixels:
    """RGB of RGBA laid on white, as a browser shows it."""
    alpha = rgba[:, :, 3:].astype(np.uint16)
    mixed = rgba[:, :, :3] * alpha + 255 * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def _from_array(array: NDArray[Any]) -> Pixels:
    if array.dtype != np.uint8:
        mend = "scale it to 0..255 and use .astype(np.uint8)"
        raise UsageError(f"the image array is {array.dtype}: expected uint8; {mend}")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)) or not array.size:
        raise UsageError(f"the image array has shape {array.shape}: expected (H, W), (H, W, 3) in RGB or (H, W, 4)")
    return _on_white(array) if array.ndim == 3 and array.shape[2] == 4 else np.ascontiguousarray(array)
