"""Which of the faces in a picture are wanted: those in a region of it, the largest or the most central ones."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from mien.choices import PREFERENCES, Preference
from mien.defaults import DEFAULT_PREFERENCE
from mien.errors import InputError, UsageError
from mien.given import choice, keep, whole, wrong
from mien.results import Box


class _HasBox(Protocol):
    @property
    def box(self) -> Box: ...


_REGION: Final = "x, y, width and height in pixels, four whole numbers from 0"

_Found = TypeVar("_Found", bound=_HasBox)


@dataclass(frozen=True, slots=True)
class Selection:
    """The faces that are wanted.

    Args:
        max_faces: how many at most, at least 1; None: all.
        prefer: which then, one of `mien.choices.PREFERENCES`: the largest, or those whose middle is nearest to that of
            the region, or of the picture.
        region: (x, y, width, height) in pixels of the picture: faces whose middle lies outside are left out.

    Raises:
        UsageError: a value out of range.
    """

    max_faces: int | None = None
    prefer: Preference = DEFAULT_PREFERENCE
    region: tuple[int, int, int, int] | None = None

    def __post_init__(self) -> None:
        if self.max_faces is not None:
            keep(self, max_faces=whole("max_faces", self.max_faces, "a whole number, at least 1, or None", 1))
        choice("prefer", self.prefer, PREFERENCES)
        if self.prefer != DEFAULT_PREFERENCE and self.max_faces is None:
            raise UsageError(f"prefer {self.prefer} chooses among faces: say how many with max_faces")
        if self.region is not None:
            keep(self, region=_checked(self.region))

    def check(self, picture: tuple[int, int], name: str) -> None:
        """Refuse a picture in which the region cannot hold anything.

        Args:
            picture: its height and width in pixels.
            name: what results call it.

        Raises:
            InputError: the region lies outside.
        """
        if self.region is not None and (self.region[0] >= picture[1] or self.region[1] >= picture[0]):
            region, size = ",".join(map(str, self.region)), f"{picture[1]}x{picture[0]}"
            raise InputError(f"{name or 'a picture'}: the region {region} lies outside of its {size} pixels")

    def of(self, faces: Sequence[_Found], picture: tuple[int, int]) -> list[_Found]:
        """The wanted ones of some faces, in the same order.

        Args:
            faces: each with a box.
            picture: its height and width in pixels.
        """
        x, y, width, height = self.region or (0, 0, picture[1], picture[0])
        inside = list(faces)
        if self.region is not None:
            inside = [face for face in faces if _within(face.box, self.region)]
        if self.max_faces is None or len(inside) <= self.max_faces:
            return inside
        middle = x + width / 2, y + height / 2
        if self.prefer == "central":
            ranked = sorted(inside, key=lambda face: math.dist(_middle(face.box), middle))
        else:
            ranked = sorted(inside, key=lambda face: -face.box.area)
        kept = {id(face) for face in ranked[: self.max_faces]}
        return [face for face in inside if id(face) in kept]


ALL: Final = Selection()
"""Every face."""


def region_of(text: str) -> tuple[int, int, int, int]:
    """A region that is written as ``x,y,w,h``.

    Raises:
        UsageError: it is not.
    """
    parts = text.split(",")
    if not all(part.strip().isascii() and part.strip().isdigit() for part in parts):
        raise UsageError(f"region is {text!r}: expected x,y,w,h in pixels, four whole numbers from 0")
    return _checked(tuple(map(int, parts)))


def _checked(region: object) -> tuple[int, int, int, int]:
    try:
        x, y, width, height = (whole("region", number, _REGION, 0) for number in region)  # type: ignore[attr-defined]
    except (TypeError, ValueError, UsageError):
        raise wrong("region", region, _REGION) from None
    if not width or not height:
        raise UsageError(f"region is {width}x{height} pixels: expected at least 1x1")
    return x, y, width, height


def _within(box: Box, region: tuple[int, int, int, int]) -> bool:
    (across, down), (x, y, width, height) = _middle(box), region
    return x <= across < x + width and y <= down < y + height


def _middle(box: Box) -> tuple[float, float]:
    return box.x + box.width / 2, box.y + box.height / 2
