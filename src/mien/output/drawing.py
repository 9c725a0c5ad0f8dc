"""Drawing what was recognised: a box, the expression and bars of the probabilities for each face.

Sizes follow the faces (`mien.output.layout`). Text stands on plates, so that it can be read on any background; neither
labels nor bars cover another face. Colours are told apart with any common colour vision (Okabe and Ito, 2008), and
every colour stands beside the name of its emotion. What is not certain is paler and has a question mark.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Unpack

import numpy as np
from PIL import Image, ImageDraw

from mien.errors import UsageError
from mien.media.decode_picture import Pixels
from mien.output.blur import blurred
from mien.output.colours import Colour, colours_of
from mien.output.drawing_options import DrawingOptions
from mien.output.fonts import Lettering, font_of, lettering
from mien.output.layout import Place, Size, bar_places, place_labels, text_sizes
from mien.preprocess import to_rgb
from mien.results import Box, Face

NO_FACE: Final = "no face found"

_PLATE: Final = (0, 0, 0, 165)
_TRACK: Final = (255, 255, 255, 60)
_BLACK: Final = (0, 0, 0)
_WHITE: Final = (255, 255, 255)
_PALENESS: Final = 0.6
_LINE_HEIGHT: Final = 1.3
_PADDING: Final = 0.7
_TEXT_OF_BARS: Final = (0.75, 0.6)
_SMALLEST_BARS: Final = 8
_BAR_LENGTH: Final = 4.0
_MOST_BARS: Final = 12
"""Of a model with more classes the likeliest have bars."""


def annotate(image: Pixels, faces: Sequence[Face], **options: Unpack[DrawingOptions]) -> Pixels:
    """A copy of a picture with its faces drawn in.

    Args:
        image: RGB uint8 (H, W, 3) or grayscale uint8 (H, W).
        faces: what was recognised in it, the most important first.
        options: ``labels`` (by default True): the expression and its probability beside each face; ``bars`` (True): a
            bar for every probability where there is room; ``blur`` (False): faces are made unrecognisable
            (`mien.output.blur`); ``say_no_face`` (False): a note in pictures without faces.

    Returns:
        RGB uint8 (H, W, 3), of the size of the picture.

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
    image = blurred(image, (face.box for face in faces)) if options.get("blur") else image
    canvas = Image.fromarray(to_rgb(image))
    sheet = _Sheet(canvas, [_place(face.box) for face in faces])
    if faces:
        sheet.draw(faces, labels=options.get("labels", True), bars=options.get("bars", True))
    elif options.get("say_no_face"):
        sheet.note(NO_FACE)
    return np.array(canvas)


def _check(image: Pixels) -> None:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.shape[2:] not in {(), (3,)}:
        found = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise UsageError(f"the image to annotate is {found}: expected an array of uint8, RGB (H, W, 3) or gray (H, W)")


class _Sheet:
    """A canvas on which the drawing of every face keeps clear of the others."""

    def __init__(self, canvas: Image.Image, boxes: Sequence[Place]) -> None:
        self._pen = ImageDraw.Draw(canvas, "RGBA")
        self._size = canvas.size
        self._boxes = boxes
        self._taken: list[Place] = []

    def note(self, words: str) -> None:
        """A line of text in the upper left corner."""
        text = text_sizes(self._size, ())[0]
        font = font_of("", text)
        width, height = _plate(font.getlength(words), text)
        self._pen.rectangle(Place(0, 0, width, height).corners, fill=_PLATE)
        self._pen.text((width / 2, height / 2), words, font=font, fill=_WHITE, anchor="mm")

    def draw(self, faces: Sequence[Face], *, labels: bool, bars: bool) -> None:
        placed = place_labels(self._size, self._boxes, lambda text: [_label_size(face, text) for face in faces])
        for face, box in zip(reversed(faces), reversed(self._boxes), strict=True):
            self._outline(box, _colour(face), max(1 if box.height < 60 else 2, placed.text // 6))
        if labels:
            for face, place in zip(faces, placed.places, strict=True):
                if place is not None:
                    self._label(face, place, placed.text)
        if bars:
            for face, box in zip(faces, self._boxes, strict=True):
                self._bars(face, box, placed.text)

    def _outline(self, box: Place, colour: Colour, width: int) -> None:
        left, top, right, bottom = box.corners
        edge = max(1, width // 3)
        around = left - edge, top - edge, right + edge, bottom + edge
        self._pen.rectangle(around, outline=_BLACK, width=width + 2 * edge)
        self._pen.rectangle(box.corners, outline=colour, width=width)

    def _label(self, face: Face, place: Place, text: int) -> None:
        colour, font = _colour(face), _lettering(face).font(text)
        self._pen.rounded_rectangle(place.corners, radius=place.height // 6, fill=colour, outline=_BLACK)
        middle = place.left + place.width / 2, place.top + place.height / 2
        self._pen.text(middle, _words(face), font=font, fill=_ink(colour), anchor="mm")
        self._taken.append(place)

    def _bars(self, face: Face, box: Place, text: int) -> None:
        """The bars of a face, at the larger of two sizes that finds a place, or not at all."""
        others = [other for other in self._boxes if other is not box]
        for share in _TEXT_OF_BARS:
            size = max(_SMALLEST_BARS, round(share * text))
            place = next(bar_places(self._size, box, _panel(face, size), others, self._taken), None)
            if place is not None:
                self._taken.append(place)
                self._draw_bars(face, place, size)
                return

    def _draw_bars(self, face: Face, place: Place, text: int) -> None:
        pad, row, colours, letters = text // 2, round(_LINE_HEIGHT * text), _colours(face), _lettering(face)
        font, start = letters.font(text), place.left + 2 * pad + _names_width(face, text)
        self._pen.rounded_rectangle(place.corners, radius=pad // 2, fill=_PLATE)
        for number, (name, share) in enumerate(_with_bars(face).items()):
            top = place.top + pad // 2 + number * row
            middle = top + row / 2
            self._pen.text((place.left + pad, middle), letters.words[name], font=font, fill=_WHITE, anchor="lm")
            self._pen.text((place.right - pad, middle), f"{share:.0%}", font=font, fill=_WHITE, anchor="rm")
            track = Place(start, top + row // 5, round(_BAR_LENGTH * text), row - 2 * (row // 5))
            self._pen.rectangle(track.corners, fill=_TRACK)
            filled = round(track.width * share)
            if filled:
                self._pen.rectangle(Place(start, track.top, filled, track.height).corners, fill=colours[name])


def _place(box: Box) -> Place:
    return Place(*box)


def _words(face: Face) -> str:
    """The label of a face."""
    person = "" if face.track is None else f"#{face.track} "
    doubt = "" if face.certain else "?"
    return f"{person}{_lettering(face).words[face.emotion]}{doubt} {face.probability:.0%}"


def _label_size(face: Face, text: int) -> Size:
    return _plate(_lettering(face).font(text).getlength(_words(face)), text)


def _plate(length: float, text: int) -> Size:
    """What a line of text of a length needs."""
    return round(length + _PADDING * text), round(_LINE_HEIGHT * text)


def _panel(face: Face, text: int) -> Size:
    """What the bars of a face need at a size of text: their names, the bars, and percents."""
    pad, row = text // 2, round(_LINE_HEIGHT * text)
    percents = round(_lettering(face).font(text).getlength("100%"))
    width = _names_width(face, text) + round(_BAR_LENGTH * text) + percents + 4 * pad
    return width, row * len(_with_bars(face)) + pad


def _names_width(face: Face, text: int) -> int:
    letters = _lettering(face)
    return _widest(letters.file, tuple(letters.words.values()), text)


@lru_cache(maxsize=64)
def _widest(file: str, words: tuple[str, ...], text: int) -> int:
    """Width in pixels of the longest of some words, kept for the frames of a video."""
    font = font_of(file, text)
    return round(max(map(font.getlength, words)))


def _with_bars(face: Face) -> dict[str, float]:
    """The probabilities that have bars, in the model's order."""
    likeliest = sorted(face.probabilities, key=face.probabilities.__getitem__, reverse=True)[:_MOST_BARS]
    return {name: share for name, share in face.probabilities.items() if name in likeliest}


def _lettering(face: Face) -> Lettering:
    return lettering(tuple(face.probabilities))


def _colours(face: Face) -> dict[str, Colour]:
    return colours_of(tuple(face.probabilities))


def _colour(face: Face) -> Colour:
    """That of the expression, paler where it is not certain."""
    colour = _colours(face)[face.emotion]
    if face.certain:
        return colour
    red, green, blue = (round(part + _PALENESS * (255 - part)) for part in colour)
    return red, green, blue


def _ink(background: Colour) -> Colour:
    """Black or white, whichever stands out from a colour."""
    red, green, blue = background
    return _BLACK if 0.299 * red + 0.587 * green + 0.114 * blue > 100 else _WHITE
