"""The font of drawings: Pillow's own, which knows Latin letters; for other names one that was named, or the system's.

Where no font has the letters of all of a model's class names, that with the letters of most is taken, and numbers stand
for the others; a message says which number is what.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final
from unicodedata import category

from PIL import ImageFont

from mien.errors import UsageError
from mien.files import encodable
from mien.labels import drawable, legend, without_joiners

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
    best, most = _BUILT_IN, drawable(labels, lambda _name: False)
    for file in (*_named, _BUILT_IN, *_SYSTEM):
        shown = drawable(labels, _writer(file))
        if shown == labels:
            return Lettering(dict(zip(labels, labels, strict=True)), file)
        if _numbers(shown, labels) < _numbers(most, labels):
            best, most = file, shown
    log.warning(
        "no font here has all letters of the class names, so drawings show numbers: %s; name one: --font",
        encodable(legend(most, labels)),  # else who writes the log may fail
    )
    return Lettering(dict(zip(labels, most, strict=True)), best)


def _numbers(shown: Sequence[str], labels: Sequence[str]) -> int:
    """How many names a number stands for."""
    return sum(number != name for number, name in zip(shown, labels, strict=True))


@lru_cache(maxsize=64)
def font_of(file: str, size: int) -> Font:
    """A font at a size in pixels; "" is Pillow's own."""
    return ImageFont.truetype(file, size) if file else ImageFont.load_default(size)


def _writer(file: str) -> Callable[[str], bool]:
    """Whether a font has all letters of a text; one that is not here has none."""
    try:
        font = font_of(file, _PROBED_SIZE)
    except OSError:
        return lambda _text: False
    missing = _drawn(font, _NO_LETTER)
    return lambda text: (
        _is_text(text) and all(_drawn(font, letter) != missing for letter in set(without_joiners(text)) - _UNSEEN)
    )


def _is_text(text: str) -> bool:
    """Whether it has neither line breaks and their like nor half of a surrogate pair, which fonts refuse to draw."""
    return not any(category(letter) in {"Cc", "Cs"} for letter in text)


def _drawn(font: Font, letter: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(letter)
    return mask.size, bytes(mask)
