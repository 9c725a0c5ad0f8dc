"""Animated pictures (GIF, WebP, APNG, AVIF) as short videos, read by Pillow."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

from PIL import Image

from mien.errors import InputError
from mien.media.decode_picture import pixels_of
from mien.media.video_source import VideoImage

_FORMATS: Final = ("GIF", "WEBP", "PNG", "AVIF")
_NO_DURATION: Final = 0.1
"""Seconds that browsers show an image whose duration is 0."""


class Animation:
    """An animated picture as a video; its images last as long as browsers show them, and are shown once.

    Args:
        path: a file for which `mien.media.animated.is_animation` is true.

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
