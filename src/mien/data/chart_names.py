"""What stands for class names in charts: matplotlib's font has Latin, Greek and Cyrillic letters, no Chinese ones."""

import logging
from functools import lru_cache
from typing import Final

from matplotlib.font_manager import FontProperties, findfont
from matplotlib.ft2font import FT2Font

from mien.labels import drawable

log: Final = logging.getLogger("mien")


@lru_cache(maxsize=32)
def chart_names(classes: tuple[str, ...]) -> tuple[str, ...]:
    """The names of classes, or numbers from 1 where matplotlib's font lacks letters, which is said once."""
    letters = FT2Font(findfont(FontProperties())).get_charmap()
    names = drawable(classes, lambda text: all(ord(letter) in letters for letter in text))
    if names != classes:
        meanings = ", ".join(f"{number} {name}" for number, name in zip(names, classes, strict=True))
        log.warning("the font of charts lacks letters of the class names, so charts show numbers: %s", meanings)
    return names
