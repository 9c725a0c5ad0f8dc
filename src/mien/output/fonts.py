"""The font of drawings: Pillow's own, which knows Latin letters; for other names one that was named, or the system's.

Where no font has the letters of a model's class names, numbers stand for them, and a message says which number is what.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from PIL import ImageFont

from mien.errors import UsageError
from mien.labels import drawable, without_joiners

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont

_BUILT_IN: Final = ""
_SYSTEM: Final = (
    *("NotoSansCJK-Regular.ttc", "NotoSansSC-Regular.otf", "SourceHanSansSC-Regular.otf", "wqy-microhei.ttc"),
    *("msyh.ttc", "simhei.ttf", "PingFang.ttc", "Arial Unicode.ttf", "DejaVuSans.ttf", "arial.ttf"),
)
"""Files that Linux, Windows and macOS have, in the order in which they are tried; Pillow looks in the system's folders.
"""

_NO_LETTER: Final = "\U0010ffff"
"""A code point that no font draws: it shows what a font puts in the place of letters that it lacks."""

_UNSEEN: Final = {" ", "\ufe0e", "\ufe0f"}
"""Letters that leave no mark: the blank, and what asks for an emoji in black or in colours."""

_PROBED_SIZE: Final = 20

log: Final = logging.getLogger("mien")

_named: list[str] = []


@dataclass(frozen=True, slots=True)
class Lettering:
    """How class names are written.

    Args:
        words: what stands for each name.
        file: of the font; "" is Pillow's own.
    """

    words: Mapping[str, str]
    file: str

    def font(self, size: int) -> Font:
        """The font at a size in pixels."""
        return font_of(self.file, size)


def use_font(file: str | Path) -> None:
    """Write all names with a font of one's own from now on, in this process.

    Raises:
        UsageError: no font that FreeType can read.
    """
    try:
        ImageFont.truetype(str(file), _PROBED_SIZE)
    except OSError:
        raise UsageError(
            f"font {file}: cannot be read: expected a TrueType or OpenType file (.ttf, .otf, .ttc)"
        ) from None
    _named[:] = [str(file)]
    lettering.cache_clear()


@lru_cache(maxsize=32)
def lettering(labels: tuple[str, ...]) -> Lettering:
    """How the class names of a model are written; numbers that stand for names are said on the logger, once."""
    for file in (*_named, _BUILT_IN, *_SYSTEM):
        if _has_letters(file, labels):
            return Lettering(dict(zip(labels, labels, strict=True)), file)
    numbers = drawable(labels, lambda _name: False)
    meanings = ", ".join(f"{number} {name}" for number, name in zip(numbers, labels, strict=True))
    log.warning(
        "no font here has all letters of the class names, so drawings show numbers: %s; name one: --font", meanings
    )
    return Lettering(dict(zip(labels, numbers, strict=True)), _BUILT_IN)


@lru_cache(maxsize=64)
def font_of(file: str, size: int) -> Font:
    """A font at a size in pixels; "" is Pillow's own."""
    return ImageFont.truetype(file, size) if file else ImageFont.load_default(size)


def _has_letters(file: str, labels: tuple[str, ...]) -> bool:
    try:
        font = font_of(file, _PROBED_SIZE)
    except OSError:
        return False
    missing = _drawn(font, _NO_LETTER)
    return all(_drawn(font, letter) != missing for letter in set(without_joiners("".join(labels))) - _UNSEEN)


def _drawn(font: Font, letter: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(letter)
    return mask.size, bytes(mask)
