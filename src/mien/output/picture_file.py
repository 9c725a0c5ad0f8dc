"""A picture file out, whole or not at all."""

from pathlib import Path
from typing import Any, Final

from PIL import Image, PngImagePlugin

from mien.errors import InputError, UsageError
from mien.files import whole_file
from mien.media.decode_picture import Pixels
from mien.media.kinds import MARK

JPEG_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".jpe", ".jfif"})
_JPEG: Final[dict[str, Any]] = {"format": "JPEG", "quality": 92, "comment": MARK}


def write_picture(target: Path, image: Pixels) -> Path:
    """Write an image, RGB uint8 (H, W, 3) or grayscale uint8 (H, W), as JPEG or PNG by its suffix; returns the path.

    A comment in the file says that mien wrote it, so that it is not read back from a folder (`mien.media.kinds.MARK`).

    Raises:
        UsageError: another suffix.
        InputError: it cannot be written.
    """
    suffix = target.suffix.lower()
    if suffix not in JPEG_SUFFIXES | {".png"}:
        raise UsageError(f"{target}: expected a name that ends in .png or .jpg")
    with whole_file(target, InputError) as partial:
        Image.fromarray(image).save(partial, **(_JPEG if suffix in JPEG_SUFFIXES else _png()))
    return target


def _png() -> dict[str, Any]:
    comment = PngImagePlugin.PngInfo()
    comment.add_text("Comment", MARK)
    return {"format": "PNG", "pnginfo": comment}
