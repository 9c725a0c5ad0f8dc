"""Tiles: a large image cut into overlapping parts, so that detection takes bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

LONGEST: Final = 1280
"""Pixels of a tile's longer side at most; the network's memory grows with a tile's area, about 100 MB here."""

OVERLAP: Final = 160
"""Pixels that two neighbours share: no face up to this size is cut by both."""

_CUT: Final = 2.0
"""A box that comes so near to an inner edge, in pixels, may be that of a face that goes on beyond it."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of an image: rows ``top:bottom``, columns ``left:right``, of an image of some (height, width)."""

    top: int
    bottom: int
    left: int
    right: int
    image: tuple[int, int]

    def of(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The pixels, a view."""
        return image[self.top : self.bottom, self.left : self.right]

    def whole(self, boxes: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which of the boxes (N, 4) of this tile, in its coordinates, no inner edge cuts."""
        height, width = self.image
        low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:4]
        size = self.right - self.left, self.bottom - self.top
        inner_low = np.array([self.left > 0, self.top > 0])
        inner_high = np.array([self.right < width, self.bottom < height])
        cut = (inner_low & (low < _CUT)) | (inner_high & (high > np.array(size) - _CUT))
        return np.asarray(~cut.any(axis=1))


def tiles(height: int, width: int) -> Iterator[Tile]:
    """Tiles that cover an image, row by row, of nearly equal sizes; one for an image that is not longer than a tile."""
    for (top, bottom), (left, right) in product(_spans(height), _spans(width)):
        yield Tile(top, bottom, left, right, (height, width))


def _spans(length: int) -> list[tuple[int, int]]:
    """Equal spans of at most `LONGEST` that share at least `OVERLAP` and cover a length."""
    count = max(1, ceil((length - OVERLAP) / (LONGEST - OVERLAP)))
    span = min(length, ceil((length + (count - 1) * OVERLAP) / count))
    starts = [round(number * (length - span) / max(1, count - 1)) for number in range(count)]
    return [(start, start + span) for start in starts]
