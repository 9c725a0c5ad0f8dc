"""Drawing what was recognised: a box, the expression and bars of the probabilities for each face.

Sizes follow the faces (`mien.output.layout`). Text stands on plates, so that it can be read on any background; neither
labels nor bars cover another face. Colours are told apart with any common colour vision (Okabe and Ito, 2008), and
every colour stands beside the name of its emotion. What is not certain is paler and has a question mark.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Protocol, Unpack

import numpy as np
from PIL import Image, ImageDraw

from mien.given import several
from mien.media.decode_picture import Pixels, as_pixels
from mien.output.blur import blurred
from mien.output.colours import Colour, colours_of
from mien.output.drawing_options import DrawingOptions, checked
from mien.output.fonts import Font, Lettering, font_of, lettering
from mien.output.layout import around, bar_places, place_labels, text_sizes
from mien.output.places import Occupied, Place, Size
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
_SMALL_FACE: Final = 60
"""Height of a face in pixels below which its outline may be one pixel wide."""

_MOST_BARS: Final = 12
"""Of a model with more classes the likeliest have bars."""


class HasFaces(Protocol):
    """A result that carries its faces, such as `mien.Recognized` and `mien.Frame`."""

    @property
    def faces(self) -> Sequence[Face]:
        """What was recognised, the most important first."""
        ...


def annotate(image: Pixels, faces: Sequence[Face] | HasFaces, **options: Unpack[DrawingOptions]) -> Pixels:
    """A copy of a picture with its faces drawn in.

    Args:
        image: RGB uint8 (H, W, 3) or grayscale uint8 (H, W).
        faces: what was recognised in it, the most important first, or what has them as its ``faces``, such as the
            answer of `mien.recognize`; of their boxes what lies in the picture is drawn.
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
        UsageError: ``image`` is no such array, or ``faces`` are none; an unknown option.
    """
    image = as_pixels("the image to annotate", image)
    faces = several("faces", getattr(faces, "faces", faces), Face, "what mien.recognize finds in the picture")
    options = checked(options)
    image = blurred(image, (face.box for face in faces)) if options.get("blur") else image
    drawn = np.array(to_rgb(image))
    size = drawn.shape[1], drawn.shape[0]
    faces = [replace(face, box=box) for face in faces if (box := Box.inside(*face.box, image=size[::-1])) is not None]
    if faces:
        plan = _plan(size, faces, labels=options.get("labels", True), bars=options.get("bars", True))
        _draw(drawn, around(size, plan.places), plan.drawn_with)
    elif options.get("say_no_face"):
        note = _note_size(size)
        _draw(drawn, around(size, [Place(0, 0, *note)]), _write_note)
    return drawn


@dataclass(frozen=True, slots=True)
class _Part:
    """What is drawn of one face, and where.

    Args:
        face: the face.
        box: where it is.
        label: where its label stands, if it has one.
        bars: where its bars stand, if it has any, and the size of their text.
    """

    face: Face
    box: Place
    label: Place | None
    bars: tuple[Place, int] | None


@dataclass(frozen=True, slots=True)
class _Plan:
    """Everything that is drawn in a picture, and the size of the labels' text."""

    text: int
    parts: Sequence[_Part]

    @property
    def places(self) -> Iterator[Place]:
        """All that is drawn on, the outlines of boxes included."""
        for part in self.parts:
            line = 2 * _line(part.box, self.text)
            yield part.box.grown(line)
            yield from () if part.label is None else (part.label,)
            yield from () if part.bars is None else (part.bars[0],)

    def drawn_with(self, pen: "_Pen") -> None:
        """Draw it, the most important face last."""
        for part in reversed(self.parts):
            pen.outline(part.box, _colour(part.face), _line(part.box, self.text))
        for part in self.parts:
            if part.label is not None:
                pen.label(part.face, part.label, self.text)
        for part in self.parts:
            if part.bars is not None:
                pen.bars(part.face, *part.bars)


def _plan(size: Size, faces: Sequence[Face], *, labels: bool, bars: bool) -> _Plan:
    """Where labels and bars stand, so that they keep clear of the faces and of each other."""
    boxes = [Place(*face.box) for face in faces]
    placed = place_labels(size, boxes, lambda text: [_label_size(face, text) for face in faces])
    places = placed.places if labels else (None,) * len(faces)
    occupied, taken = Occupied(boxes), Occupied(place for place in places if place is not None)
    parts = []
    for face, box, label in zip(faces, boxes, places, strict=True):
        found = next(_bars_beside(size, face, box, occupied, taken, placed.text), None) if bars else None
        if found is not None:
            taken.add(found[0])
        parts.append(_Part(face, box, label, found))
    return _Plan(placed.text, parts)


def _bars_beside(
    size: Size, face: Face, box: Place, boxes: Occupied, taken: Occupied, text: int
) -> Iterator[tuple[Place, int]]:
    """Places for the bars of a face at the larger of two sizes of text, then at the smaller one."""
    for share in _TEXT_OF_BARS:
        small = max(_SMALLEST_BARS, round(share * text))
        for place in bar_places(size, box, _panel(face, small), boxes, taken):
            yield place, small


def _draw(picture: Pixels, part: Place, draw: Callable[["_Pen"], None]) -> None:
    """Draw into a part of a picture; the rest of a large one is not touched."""
    inside = np.s_[part.top : part.bottom, part.left : part.right]
    canvas = Image.fromarray(np.ascontiguousarray(picture[inside]))
    draw(_Pen(canvas, part.left, part.top, (picture.shape[1], picture.shape[0])))
    picture[inside] = np.asarray(canvas)


class _Pen:
    """Draws on a canvas that is a part of a picture, in the coordinates of the picture."""

    def __init__(self, canvas: Image.Image, left: int, top: int, size: Size) -> None:
        self._pen = ImageDraw.Draw(canvas, "RGBA")
        self._left, self._top, self.size = left, top, size

    def outline(self, box: Place, colour: Colour, width: int) -> None:
        """A frame within a box, with a dark edge around it."""
        edge = max(1, width // 3)
        self._pen.rectangle(self._corners(box.grown(edge)), outline=_BLACK, width=width + 2 * edge)
        self._pen.rectangle(self._corners(box), outline=colour, width=width)

    def label(self, face: Face, place: Place, text: int) -> None:
        """The expression of a face on a plate of its colour."""
        colour, font = _colour(face), _lettering(face).font(text)
        self._pen.rounded_rectangle(self._corners(place), radius=place.height // 6, fill=colour, outline=_BLACK)
        middle = place.left + place.width / 2, place.top + place.height / 2
        self._write(middle, _words(face), font, _ink(colour), "mm")

    def bars(self, face: Face, place: Place, text: int) -> None:
        """Names, bars and percents of the probabilities of a face."""
        pad, row, colours, letters = text // 2, round(_LINE_HEIGHT * text), _colours(face), _lettering(face)
        font, start = letters.font(text), place.left + 2 * pad + _names_width(face, text)
        self._pen.rounded_rectangle(self._corners(place), radius=pad // 2, fill=_PLATE)
        for number, (name, share) in enumerate(_with_bars(face).items()):
            top = place.top + pad // 2 + number * row
            self._write((place.left + pad, top + row / 2), letters.words[name], font, _WHITE, "lm")
            self._write((place.right - pad, top + row / 2), f"{share:.0%}", font, _WHITE, "rm")
            track = Place(start, top + row // 5, round(_BAR_LENGTH * text), row - 2 * (row // 5))
            self._pen.rectangle(self._corners(track), fill=_TRACK)
            filled = round(track.width * share)
            if filled:
                bar = Place(start, track.top, filled, track.height)
                self._pen.rectangle(self._corners(bar), fill=colours[name])

    def note(self, words: str, size: int, place: Place) -> None:
        """A line of text on a dark plate."""
        self._pen.rectangle(self._corners(place), fill=_PLATE)
        middle = place.left + place.width / 2, place.top + place.height / 2
        self._write(middle, words, font_of("", size), _WHITE, "mm")

    def _write(self, point: tuple[float, float], words: str, font: Font, colour: Colour, anchor: str) -> None:
        self._pen.text((point[0] - self._left, point[1] - self._top), words, font=font, fill=colour, anchor=anchor)

    def _corners(self, place: Place) -> tuple[int, int, int, int]:
        return place.moved(place.left - self._left, place.top - self._top).corners


def _line(box: Place, text: int) -> int:
    """Width of the outline of a face."""
    return max(1 if box.height < _SMALL_FACE else 2, text // 6)


def _note_size(size: Size) -> Size:
    text = text_sizes(size, ())[0]
    return _plate(font_of("", text).getlength(NO_FACE), text)


def _write_note(pen: _Pen) -> None:
    pen.note(NO_FACE, text_sizes(pen.size, ())[0], Place(0, 0, *_note_size(pen.size)))


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
