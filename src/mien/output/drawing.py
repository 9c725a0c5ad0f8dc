"""Drawing what was recognised: a box, the expression and bars of the probabilities for each face.

Sizes follow the picture and the face. Text stands on plates, so that it can be read on any background, and stays inside
the picture; bars are left out where they would cover another face. Colours are told apart with any common colour vision
(Okabe and Ito, 2008), and every colour stands beside the name of its emotion.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from mien.errors import UsageError
from mien.media.decode_picture import Pixels
from mien.opencv import cv2
from mien.output.colours import Colour, colours_of
from mien.output.fonts import Font, Lettering, lettering
from mien.results import Box, Face

LEAST_SIDE: Final = 400
"""Pictures with a shorter longest side are enlarged by a whole number first, or their text could not be read, pixels.
"""

_PLATE: Final = (0, 0, 0, 165)
_TRACK: Final = (255, 255, 255, 60)
_BLACK: Final = (0, 0, 0)
_WHITE: Final = (255, 255, 255)
_SMALLEST_TEXT: Final = 11
_TEXT_OF_PICTURE: Final = (0.016, 0.05)
_TEXT_OF_FACE: Final = 0.16
_TEXT_OF_BARS: Final = (0.75, 0.5)
_LINE_HEIGHT: Final = 1.3
_BAR_LENGTH: Final = 4.0
_OWN_FACE_SHARE: Final = 0.4
_MOST_BARS: Final = 12
"""Of a model with more classes the likeliest have bars."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A rectangle on the canvas, in whole pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.left + self.width

    @property
    def bottom(self) -> int:
        return self.top + self.height

    @property
    def corners(self) -> tuple[int, int, int, int]:
        return self.left, self.top, self.right - 1, self.bottom - 1

    def moved(self, left: int, top: int) -> "_Place":
        return _Place(left, top, self.width, self.height)

    def within(self, width: int, height: int) -> bool:
        return self.left >= 0 and self.top >= 0 and self.right <= width and self.bottom <= height

    def overlap(self, other: "_Place") -> int:
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0, across) * max(0, down)


def annotate(image: Pixels, faces: Sequence[Face]) -> Pixels:
    """A copy of a picture with its faces drawn in.

    Args:
        image: RGB uint8 (H, W, 3) or grayscale uint8 (H, W).
        faces: what was recognised in it, the most important first.

    Returns:
        RGB uint8 (H, W, 3), or (k H, k W, 3) with a whole k for pictures below 400 pixels.

    Example:
        >>> import numpy as np
        >>> import mien
        >>> face = mien.Face(mien.Box(100, 80, 60, 70), 0.9, {"happy": 0.8, "other": 0.2})
        >>> mien.annotate(np.zeros((480, 640), np.uint8), [face]).shape
        (480, 640, 3)

    Raises:
        UsageError: ``image`` is no such array.
    """
    _check(image)
    factor = max(1, -(-LEAST_SIDE // max(image.shape[:2])))
    canvas = Image.fromarray(_enlarged(image, factor))
    sheet = _Sheet(canvas, [_scaled(face.box, factor) for face in faces])
    sheet.draw(faces)
    return np.array(canvas)


def _check(image: Pixels) -> None:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.shape[2:] not in {(), (3,)}:
        found = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise UsageError(f"the image to annotate is {found}: expected an array of uint8, RGB (H, W, 3) or gray (H, W)")


class _Sheet:
    """A canvas on which the drawing of every face keeps clear of the others."""

    def __init__(self, canvas: Image.Image, boxes: Sequence[_Place]) -> None:
        self._pen = ImageDraw.Draw(canvas, "RGBA")
        self._size = canvas.size
        self._boxes = boxes
        self._taken: list[_Place] = []

    def draw(self, faces: Sequence[Face]) -> None:
        texts = [self._text_size(box) for box in self._boxes]
        for face, box, text in zip(reversed(faces), reversed(self._boxes), reversed(texts), strict=True):
            self._outline(box, _colours(face)[face.emotion], max(2, text // 6))
        for face, box, text in zip(faces, self._boxes, texts, strict=True):
            self._label(face, box, text)
        for face, box, text in zip(faces, self._boxes, texts, strict=True):
            self._bars(face, box, text)

    def _text_size(self, box: _Place) -> int:
        least, most = (round(share * math.sqrt(math.prod(self._size))) for share in _TEXT_OF_PICTURE)
        return max(_SMALLEST_TEXT, least, min(most, round(_TEXT_OF_FACE * box.height)))

    def _outline(self, box: _Place, colour: Colour, width: int) -> None:
        left, top, right, bottom = box.corners
        edge = max(1, width // 3)
        around = left - edge, top - edge, right + edge, bottom + edge
        self._pen.rectangle(around, outline=_BLACK, width=width + 2 * edge)
        self._pen.rectangle(box.corners, outline=colour, width=width)

    def _label(self, face: Face, box: _Place, text: int) -> None:
        person = "" if face.track is None else f"#{face.track} "
        letters = _lettering(face)
        words = f"{person}{letters.words[face.emotion]} {face.probability:.0%}"
        font, plate = self._fitting(words, text, letters)
        place = self._label_place(box, plate)
        colour = _colours(face)[face.emotion]
        self._pen.rounded_rectangle(place.corners, radius=place.height // 6, fill=colour, outline=_BLACK)
        middle = place.left + place.width / 2, place.top + place.height / 2
        self._pen.text(middle, words, font=font, fill=_ink(colour), anchor="mm")
        self._taken.append(place)

    def _fitting(self, words: str, text: int, letters: Lettering) -> tuple[Font, _Place]:
        """The font and the plate of a line of text, made smaller until it fits the picture's width."""
        for size in range(text, 5, -1):
            font = letters.font(size)
            plate = _Place(0, 0, round(font.getlength(words) + 0.7 * size), round(_LINE_HEIGHT * size))
            if plate.width <= self._size[0]:
                break
        return font, plate

    def _label_place(self, box: _Place, plate: _Place) -> _Place:
        """Above the box, below it or inside, wherever the label covers least of other labels and faces."""
        tops = (box.top - plate.height, box.bottom, box.top, box.bottom - plate.height)
        places = [self._pushed_inside(plate.moved(box.left, top)) for top in tops]
        others = [other for other in self._boxes if other is not box]
        return min(
            places, key=lambda place: self._covered(place, self._taken) * 4 + self._covered(place, [*others, box])
        )

    def _pushed_inside(self, place: _Place) -> _Place:
        width, height = self._size
        return place.moved(max(0, min(place.left, width - place.width)), max(0, min(place.top, height - place.height)))

    @staticmethod
    def _covered(place: _Place, others: Iterable[_Place]) -> int:
        return sum(place.overlap(other) for other in others)

    def _bars(self, face: Face, box: _Place, text: int) -> None:
        """The bars of a face, at the larger of two sizes that finds a place, or not at all."""
        for share in _TEXT_OF_BARS:
            size = max(_SMALLEST_TEXT, round(share * text))
            place = next(self._bar_places(box, _panel(face, size)), None)
            if place is not None:
                self._taken.append(place)
                self._draw_bars(face, place, size)
                return

    def _draw_bars(self, face: Face, place: _Place, text: int) -> None:
        pad, row = text // 2, round(_LINE_HEIGHT * text)
        start, letters, colours = place.left + 2 * pad + _names_width(face, text), _lettering(face), _colours(face)
        self._pen.rounded_rectangle(place.corners, radius=pad // 2, fill=_PLATE)
        for number, (name, share) in enumerate(_with_bars(face).items()):
            top = place.top + pad // 2 + number * row
            words, font = letters.words[name], letters.font(text)
            self._pen.text((place.left + pad, top + row / 2), words, font=font, fill=_WHITE, anchor="lm")
            track = _Place(start, top + row // 5, place.right - pad - start, row - 2 * (row // 5))
            self._pen.rectangle(track.corners, fill=_TRACK)
            filled = round(track.width * share)
            if filled:
                self._pen.rectangle(_Place(start, track.top, filled, track.height).corners, fill=colours[name])

    def _bar_places(self, box: _Place, panel: _Place) -> Iterator[_Place]:
        """Places for a panel beside the box, then inside the box if that is large, that cover nothing else."""
        gap = max(4, panel.height // 30)
        beside = (
            (box.right + gap, box.top),
            (box.left - gap - panel.width, box.top),
            (box.left, box.bottom + gap),
            (box.left, box.top - gap - panel.height),
        )
        outside = (self._pushed_inside(panel.moved(*corner)) for corner in beside)
        inside = [panel.moved(box.left + gap, box.bottom - gap - panel.height)]
        small = panel.width * panel.height <= _OWN_FACE_SHARE * box.width * box.height
        for place in chain((place for place in outside if not place.overlap(box)), inside if small else ()):
            others = chain(self._taken, (other for other in self._boxes if other is not box))
            if place.within(*self._size) and not self._covered(place, others):
                yield place


def _enlarged(image: Pixels, factor: int) -> Pixels:
    rgb = image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)
    if factor == 1:
        return rgb
    size = rgb.shape[1] * factor, rgb.shape[0] * factor
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def _scaled(box: Box, factor: int) -> _Place:
    return _Place(*(factor * value for value in box))


def _panel(face: Face, text: int) -> _Place:
    """The plate of a face's bars with their names at a size of text, in the corner of the canvas."""
    pad, row = text // 2, round(_LINE_HEIGHT * text)
    width = _names_width(face, text) + round(_BAR_LENGTH * text) + 3 * pad
    return _Place(0, 0, width, row * len(_with_bars(face)) + pad)


def _names_width(face: Face, text: int) -> int:
    letters = _lettering(face)
    font = letters.font(text)
    return round(max(font.getlength(words) for words in letters.words.values()))


def _with_bars(face: Face) -> dict[str, float]:
    """The probabilities that have bars, in the model's order."""
    likeliest = sorted(face.probabilities, key=face.probabilities.__getitem__, reverse=True)[:_MOST_BARS]
    return {name: share for name, share in face.probabilities.items() if name in likeliest}


def _lettering(face: Face) -> Lettering:
    return lettering(tuple(face.probabilities))


def _colours(face: Face) -> dict[str, Colour]:
    return colours_of(tuple(face.probabilities))


def _ink(background: Colour) -> Colour:
    """Black or white, whichever stands out from a colour."""
    red, green, blue = background
    return _BLACK if 0.299 * red + 0.587 * green + 0.114 * blue > 100 else _WHITE
