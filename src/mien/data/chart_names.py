"""What stands for class names in charts: matplotlib's font has Latin, Greek and Cyrillic letters, no Chinese ones."""

import logging
import textwrap
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from matplotlib import ft2font

from mien.chart_style import letters_of_charts
from mien.labels import drawable, legend, without_joiners

_MOST_UPRIGHT: Final = 10
_LONGEST_UPRIGHT: Final = 12
_LINE: Final = 24
"""Letters of a class name in one line."""

_GAP_INCHES, _LINE_INCHES = 0.12, 0.18

_SHAPES: Final = hasattr(ft2font, "__libraqm_version__")
"""Whether matplotlib joins letters and writes from right to left: it does from 3.11 on."""

log: Final = logging.getLogger("mien")


@lru_cache(maxsize=32)
def chart_names(classes: tuple[str, ...]) -> tuple[str, ...]:
    """The names of classes, and the number, from 1, of each that matplotlib cannot write, which is said once.

    Whoever draws them sets ``parse_math=False``, since a name may have dollar signs.
    """
    names = drawable(classes, _can_write)
    if names != classes:
        meanings = legend(names, classes)
        log.warning("the font of charts lacks letters of the class names, so charts show numbers: %s", meanings)
    return names


def wrapped_names(classes: tuple[str, ...]) -> list[str]:
    """`chart_names` in lines that are short enough to stand beside a chart."""
    return ["\n".join(textwrap.wrap(name, _LINE)) for name in chart_names(classes)]


def fit_upright(names: Sequence[str]) -> bool:
    """Whether names have room below upright bars; where there are many or long ones, bars lie and names stand beside
    them.
    """
    return len(names) <= _MOST_UPRIGHT and max(map(len, names)) <= _LONGEST_UPRIGHT


def inches_of(names: Sequence[str]) -> float:
    """How high a chart is in which names stand below each other."""
    return len(names) * (_GAP_INCHES + _LINE_INCHES * (1 + max(name.count("\n") for name in names)))


def _can_write(text: str) -> bool:
    letters = letters_of_charts()
    from_right = any(unicodedata.bidirectional(letter) in {"R", "AL"} for letter in text)
    return all(ord(letter) in letters for letter in without_joiners(text)) and (_SHAPES or not from_right)
