"""Pictures turned and mirrored as they are to be seen, by their EXIF.

Images are loaded before: Pillow finds EXIF of PNG behind the pixels, and damage would be taken for damage of EXIF here.
"""

from typing import Final

from PIL import ExifTags, Image

from mien.media.tiff_structure import check_tiff

_TURNED: Final = frozenset({5, 6, 7, 8})
"""Orientations of EXIF that exchange width and height."""

_EXIF_AS_TEXT: Final = "Raw profile type exif"
"""Key of EXIF in hexadecimal as ImageMagick writes it into PNG, behind `_TEXT_HEAD` other lines."""
_TEXT_HEAD: Final = 3

_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What each orientation of EXIF asks for."""


def upright(image: Image.Image) -> Image.Image:
    """The image as it is to be seen; the same object, uncopied, when there is nothing to turn.

    `ImageOps.exif_transpose` would write all of EXIF anew, which may be large.
    """
    turn = _TURNS.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def is_turned(image: Image.Image) -> bool:
    """Whether an image is to be seen with width and height exchanged."""
    return _orientation(image) in _TURNED


def _orientation(image: Image.Image) -> int:
    """What EXIF says about the orientation, 1 where it says nothing sound."""
    try:
        check_tiff(_exif(image).removeprefix(b"Exif\0\0"), "")
        said = image.getexif().get(ExifTags.Base.Orientation, 1)
    except MemoryError:
        raise
    except Exception:  # a broken EXIF block leaves a readable picture
        return 1
    return said if isinstance(said, int) else 1


def _exif(image: Image.Image) -> bytes:
    """The block of EXIF where Pillow looks for it: in PNG behind the pixels, too, and as text."""
    text = str(image.info.get(_EXIF_AS_TEXT, ""))
    block: bytes = image.info.get("exif") or bytes.fromhex("".join(text.split("\n")[_TEXT_HEAD:]))
    return block
