"""Rectangles on a canvas, and which of many lie near another one."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

_FINEST: Final = 4
"""Cells of a grid have at least 2 to the power of this many pixels at a side."""


@dataclass(frozen=True, slots=True)
class Place:
    """A rectangle on the canvas, in whole pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The first column beyond it."""
        return self.left + self.width

    @property
    def bottom(self) -> int:
        """The first row below it."""
        return self.top + self.height

    @property
    def corners(self) -> tuple[int, int, int, int]:
        """First and last column and row, as Pillow takes them."""
        return self.left, self.top, self.right - 1, self.bottom - 1

    def moved(self, left: int, top: int) -> "Place":
        """The same size elsewhere."""
        return Place(left, top, self.width, self.height)

    def grown(self, edge: int) -> "Place":
        """With so many pixels more at every side."""
        return Place(self.left - edge, self.top - edge, self.width + 2 * edge, self.height + 2 * edge)

    def meets(self, others: Iterable["Place"]) -> bool:
        """Whether it shares a pixel with one of others."""
        return any(
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
            for other in others
        )


Size = tuple[int, int]
"""Width and height in pixels."""


class Occupied:
    """Rectangles of which those near another one are found without a look at all of them: each lies in a grid whose
    cells are at least as large as it, and thus in four of them at most.

    Args:
        places: the first ones.
    """

    def __init__(self, places: Iterable[Place] = ()) -> None:
        self._grids: dict[int, dict[tuple[int, int], list[Place]]] = {}
        for place in places:
            self.add(place)

    def add(self, place: Place) -> None:
        """Take a rectangle in."""
        power = max(_FINEST, (max(place.width, place.height) - 1).bit_length())
        grid = self._grids.setdefault(power, {})
        for cell in _cells(place, power):
            grid.setdefault(cell, []).append(place)

    def near(self, place: Place, but: Place | None = None) -> Iterator[Place]:
        """All that may share a pixel with a rectangle, some more than once; of an equal one only ``but`` itself is left
        out.
        """
        for power, grid in self._grids.items():
            for cell in _cells(place, power):
                for other in grid.get(cell, ()):
                    if other is not but:
                        yield other


def _cells(place: Place, power: int) -> Iterator[tuple[int, int]]:
    """Column and row of the cells that a rectangle touches, in a grid of cells of 2 to a power of pixels."""
    rows = range(place.top >> power, (place.bottom - 1 >> power) + 1)
    for column in range(place.left >> power, (place.right - 1 >> power) + 1):
        for row in rows:
            yield column, row
