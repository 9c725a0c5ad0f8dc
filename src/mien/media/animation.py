"""Animated pictures (GIF, WebP, APNG, AVIF) as short videos, read by Pillow."""

import warnings
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

from PIL import Image

from mien.errors import InputError
from mien.media.decode_picture import pixels_of
from mien.media.kinds import first_bytes
from mien.media.signatures import kind_of
from mien.media.video_source import VideoImage

_FORMATS: Final = ("GIF", "WEBP", "PNG", "AVIF")
_JPEG_OR_TIFF: Final = (b"\xff\xd8\xff", b"II*\0", b"MM\0*")
"""What most pictures begin with, and no animation."""

_NO_DURATION: Final = 0.1
"""Seconds that browsers show an image whose duration is 0."""


def is_animation(path: Path) -> bool:
    """Whether a file is a picture of more than one image, a GIF, WebP, PNG or AVIF by its content."""
    head = first_bytes(path)
    if kind_of(head) != "picture" or head.startswith(_JPEG_OR_TIFF):
        return False
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=_FORMATS) as picture:
            return bool(getattr(picture, "is_animated", False))
    except Exception:  # whatever is wrong with it: reading it as a picture says so
        return False


class Animation:
    """An animated picture as a video; its images last as long as browsers show them, and are shown once.

    Args:
        path: a file for which `is_animation` is true.

    Raises:
        InputError: it cannot be opened.
    """

    live = False

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        try:
            self._picture = Image.open(path, formats=_FORMATS)
        except (OSError, Image.DecompressionBombError) as error:
            raise InputError(f"{path}: cannot be read ({error})") from None

    def images(self) -> Iterator[VideoImage]:
        time = 0.0
        for number in count():
            try:
                self._picture.seek(number)
                image = pixels_of(self._picture.copy(), self.name)  # Pillow lays the next image on its own
            except EOFError:
                return
            except InputError:
                raise
            except Exception as error:  # decoders raise whatever a damaged file makes them
                read = f"the {number} images that could be read are there"
                raise InputError(f"{self.name}: a damaged or truncated animation ({error}); {read}") from None
            yield VideoImage(number, round(time, 6), image)
            time += self._picture.info.get("duration", 0) / 1000 or _NO_DURATION

    def close(self) -> None:
        self._picture.close()
