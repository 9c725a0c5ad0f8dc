"""Where labels and bars of faces stand in a drawing, and how large their text is: geometry alone, nothing is drawn.

All labels of a picture have one size, the largest at which each finds a place beside its face that covers no face and
no other label.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from mien.output.places import Occupied, Place, Size

_TEXT_OF_FACE: Final = 0.18
_TEXT_OF_PICTURE: Final = 0.05
_SMALLEST_TEXT: Final = 11
_CROWDED_TEXT: Final = 8
_TINIEST_TEXT: Final = 6
"""Smaller than `_SMALLEST_TEXT` where labels find no place else, down to 6 pixels in pictures of up to 120."""

_LEAST_LINES: Final = 20

_STEP: Final = 0.88
"""From one size of text to the next one that is tried."""

_FILLS: Final = 0.5
"""Share of the picture from which faces fill it: what finds no place beside one may lie within it."""

_BARS_WITHIN: Final = 0.4
"""Share of such a face that its bars may cover."""


def around(canvas: Size, places: Iterable[Place]) -> Place:
    """The part of a canvas that some places cover, at least one."""
    edges = [(place.left, place.top, place.right, place.bottom) for place in places]
    lefts, tops, rights, bottoms = zip(*edges, strict=True)
    left, top = max(0, min(lefts)), max(0, min(tops))
    return Place(left, top, min(canvas[0], max(rights)) - left, min(canvas[1], max(bottoms)) - top)


def text_sizes(canvas: Size, boxes: Sequence[Place]) -> list[int]:
    """Sizes of text in pixels to try for the labels of a picture, the largest first.

    The first is a share of the geometric mean of the largest face's height and the median one's, within bounds of the
    picture's size.

    Args:
        canvas: size of the picture.
        boxes: of the faces; without any a size for notes.
    """
    least = max(_TINIEST_TEXT, min(_CROWDED_TEXT, min(canvas) // _LEAST_LINES))
    most = max(_SMALLEST_TEXT, round(_TEXT_OF_PICTURE * math.sqrt(canvas[0] * canvas[1])))
    heights = sorted(box.height for box in boxes)
    usual = math.sqrt(heights[-1] * heights[len(heights) // 2]) if heights else 0.0
    sizes = [max(_SMALLEST_TEXT, min(most, round(_TEXT_OF_FACE * usual if heights else most / 2)))]
    while sizes[-1] > least:
        sizes.append(max(least, min(sizes[-1] - 1, round(_STEP * sizes[-1]))))
    return sizes


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of a picture.

    Args:
        text: size of their text, pixels.
        places: one for each face, None where there is none that covers no other face.
    """

    text: int
    places: tuple[Place | None, ...]


def place_labels(canvas: Size, boxes: Sequence[Place], plates: Callable[[int], Sequence[Size]]) -> Labels:
    """The size of all labels, and a place for each.

    A label stands beside its face. Only where the faces fill the picture, labels that find no place there lie at the
    edge of their own faces. None lies on another face or label.

    Args:
        canvas: size of the picture.
        boxes: of the faces.
        plates: gives the sizes of the labels at a size of text.
    """
    sizes = text_sizes(canvas, boxes)
    best = Labels(sizes[0], (None,) * len(boxes))
    filling, faces = _fill(canvas, boxes), Occupied(boxes)
    for text in sizes:
        around = [_around(canvas, box, plate) for box, plate in zip(boxes, plates(text), strict=True)]
        free = [[place for place in places if not place.meets(faces.near(place))] for places in around]
        labels = Labels(text, tuple(_placed(free)))
        labels = _with_inner(canvas, boxes, plates, labels, faces) if filling else labels
        if labels.places.count(None) < best.places.count(None):
            best = labels
        if None not in best.places:
            return best
    return best


def _with_inner(
    canvas: Size, boxes: Sequence[Place], plates: Callable[[int], Sequence[Size]], labels: Labels, faces: Occupied
) -> Labels:
    """The same labels, and at the edges of their own faces those that have no other place."""
    places = list(labels.places)
    taken = Occupied(place for place in places if place is not None)
    for number, (box, plate) in enumerate(zip(boxes, plates(labels.text), strict=True)):
        if places[number] is None:
            inner = _within(canvas, box, plate)
            clear = (place for place in inner if not place.meets(chain(faces.near(place, box), taken.near(place))))
            place = places[number] = next(clear, None)
            if place is not None:
                taken.add(place)
    return Labels(labels.text, tuple(places))


def _within(canvas: Size, box: Place, plate: Size) -> list[Place]:
    """Places for a label at the upper and the lower edge of its own face."""
    places = [_pushed(Place(box.left, top, *plate), canvas) for top in (box.top, box.bottom - plate[1])]
    return [place for place in places if _fits(place, canvas)]


def _around(canvas: Size, box: Place, plate: Size) -> list[Place]:
    """Places for a label beside a box, within the canvas, the best first."""
    width, height = plate
    lefts = (box.left, box.right - width, box.left + (box.width - width) // 2)
    tops = (box.top, box.bottom - height, box.top + (box.height - height) // 2)
    above = [Place(left, box.top - height, width, height) for left in lefts]
    below = [Place(left, box.bottom, width, height) for left in lefts]
    right = [Place(box.right, top, width, height) for top in tops]
    left = [Place(box.left - width, top, width, height) for top in tops]
    pushed = (_pushed(place, canvas) for place in (*above, *below, *right, *left))
    return [place for place in dict.fromkeys(pushed) if _fits(place, canvas) and not place.meets((box,))]


def _placed(free: Sequence[Sequence[Place]]) -> list[Place | None]:
    """One of the places around each face that cover no face, and no label then; who has the fewest chooses first."""
    found: list[Place | None] = [None] * len(free)
    taken = Occupied()
    for number in sorted(range(len(free)), key=lambda number: len(free[number])):
        place = next((place for place in free[number] if not place.meets(taken.near(place))), None)
        if place is not None:
            found[number] = place
            taken.add(place)
    return found


def bar_places(canvas: Size, box: Place, panel: Size, faces: Occupied, taken: Occupied) -> Iterator[Place]:
    """Places for the bars of a face, the best first: beside it where they cover no face and nothing that is drawn;
    within it where it fills the picture and the bars are small.

    Args:
        canvas: size of the picture.
        box: of the face.
        panel: size of the bars.
        faces: boxes of all faces, ``box`` itself among them.
        taken: what is drawn already.
    """
    width, height = panel
    gap = max(4, height // 30)
    beside = (
        (box.right + gap, box.top),
        (box.left - gap - width, box.top),
        (box.left, box.bottom + gap),
        (box.left, box.top - gap - height),
    )
    outside = [_pushed(Place(*corner, width, height), canvas) for corner in beside]
    outside = [place for place in outside if not place.meets((box,))]
    small = width * height <= _BARS_WITHIN * box.width * box.height
    inside = (
        [Place(box.left + gap, box.bottom - gap - height, width, height)] if small and _fill(canvas, (box,)) else []
    )
    for place in (*outside, *inside):
        if _fits(place, canvas) and not place.meets(chain(faces.near(place, box), taken.near(place))):
            yield place


def _fill(canvas: Size, boxes: Iterable[Place]) -> bool:
    return sum(box.width * box.height for box in boxes) >= _FILLS * canvas[0] * canvas[1]


def _pushed(place: Place, canvas: Size) -> Place:
    """The same place moved into the canvas, as far as it fits."""
    left, top = max(0, min(place.left, canvas[0] - place.width)), max(0, min(place.top, canvas[1] - place.height))
    return place.moved(left, top)


def _fits(place: Place, canvas: Size) -> bool:
    return place.right <= canvas[0] and place.bottom <= canvas[1]
