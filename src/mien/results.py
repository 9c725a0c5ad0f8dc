"""Result types: boxes, faces, frames, and their schema in JSON and tables.

These immutable dataclasses are shared by recognition, output, the command line and the service. They hold plain Python
values only, so that they print, compare and serialise to JSON without help.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from mien.errors import UsageError
from mien.face_quality import OUT_OF_PLACE, QUALITIES, Moment, Quality
from mien.given import choice, finite, instance, keep, several, share, whole, wrong
from mien.labels import EMOTIONS
from mien.probabilities import Probabilities
from mien.version import __version__

SCHEMA: Final = 2
"""Version of the names and meanings of results in JSON and tables; keys may be added to a version."""

_PIXELS: Final = "a whole number of pixels"
_LANDMARKS: Final = "points (x, y) of finite numbers, or none"

_DIGITS: Final = 6
"""Decimals of probabilities in JSON and tables; further ones differ between machines."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in whole pixels, origin top left; x and y are the corner, width and height at least 1.

    Raises:
        UsageError: something else than whole numbers, or no pixel.

    Example:
        >>> import mien
        >>> x, y, width, height = mien.Box(178, 63, 90, 113)
        >>> width, height
        (90, 113)
    """

    x: int
    y: int
    width: int
    height: int

    def __post_init__(self) -> None:
        x, y, width, height = (whole(f"{name} of a box", getattr(self, name), _PIXELS) for name in self.__slots__)
        if width < 1 or height < 1:
            raise UsageError(f"box is {width}x{height} pixels: expected at least 1x1")
        keep(self, x=x, y=y, width=width, height=height)

    @classmethod
    def inside(cls, x: float, y: float, width: float, height: float, *, image: tuple[int, int]) -> Self | None:
        """The part of a rectangle that lies inside an image of (height, width), or None when nothing does.

        Raises:
            UsageError: something else than finite numbers.
        """
        x, y, width, height = (finite("a number of a box", number) for number in (x, y, width, height))
        if not isinstance(image, Sequence) or len(image) != 2:
            raise wrong("image", image, "its height and width in pixels")
        image_height, image_width = image
        left, top = max(0, round(x)), max(0, round(y))
        right, bottom = min(image_width, round(x + width)), min(image_height, round(y + height))
        return cls(left, top, right - left, bottom - top) if right > left and bottom > top else None

    @property
    def area(self) -> int:
        """Pixels inside."""
        return self.width * self.height

    def __iter__(self) -> Iterator[int]:
        """``x, y, width, height = box``."""
        return iter((self.x, self.y, self.width, self.height))


Point = tuple[float, float]
"""(x, y) in pixels of the image, origin top left."""


@dataclass(frozen=True, slots=True, repr=False)
class Face:
    """One face and its expression.

    Args:
        box: where the face is, inside the image.
        confidence: the detector's score that this is a face, 0..1 (1.0 when the whole image is declared to be a face).
        probabilities: calibrated, by name in the model's order, sum 1; numbers alone are taken in the order of
            `EMOTIONS`.
        landmarks: five points in the image as (x, y) pixels (the eye, then the mouth corner, that stands left in the
            picture comes first: left eye, right eye, nose tip, left mouth corner, right mouth corner); empty when the
            detector gives none.
        track: number of the person followed through a video, from 1; None for single pictures.
        steady: name of the expression that holds over time in a video; None: the likeliest of this moment.
        min_probability: probability from which the expression is certain, 0..1.
        quality: how good it is to read; None where nobody looked.
        raw: the probabilities of this moment alone, beside smoothed ones, where they were asked for.
        emotions: the conformal set of expressions, likeliest first, of this moment in a video; None where none was
            asked for.
        typicality: share of known faces that are as unusual as this one, or more, 0..1; likewise.
        moment: what the frame of a video alone says of it; None for pictures. It does not count in comparisons.

    Example:
        >>> import mien
        >>> face = mien.Face(mien.Box(178, 63, 90, 113), 0.9, {"happy": 0.75, "other": 0.25})
        >>> face.emotion, face.probability, face.probabilities["other"]
        ('happy', 0.75, 0.25)
    """

    box: Box
    confidence: float
    probabilities: Probabilities
    landmarks: tuple[Point, ...] = ()
    track: int | None = None
    steady: str | None = None
    min_probability: float = 0.0
    quality: Quality | None = None
    raw: Probabilities | None = None
    emotions: tuple[str, ...] | None = None
    typicality: float | None = None
    moment: Moment | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        instance("box of a face", self.box, Box, "a mien.Box")
        if self.quality is not None:
            instance("quality of a face", self.quality, Quality, "how good it is to read, or None")
        keep(
            self,
            confidence=share("confidence", self.confidence),
            probabilities=_probabilities(self.probabilities),
            landmarks=_points(self.landmarks),
            track=None if self.track is None else whole("track", self.track, "the number of a person, or None"),
            min_probability=share("min_probability", self.min_probability),
            raw=None if self.raw is None else _probabilities(self.raw),
            typicality=None if self.typicality is None else share("typicality", self.typicality),
        )
        if self.steady is not None:
            choice("the steady expression", self.steady, self.probabilities)

    @property
    def emotion(self) -> str:
        """The expression that holds over time if there is one, else the likeliest."""
        return self.steady or max(self.probabilities, key=self.probabilities.__getitem__)

    @property
    def probability(self) -> float:
        """Probability of `emotion`, 0..1."""
        return self.probabilities[self.emotion]

    @property
    def certain(self) -> bool:
        """Whether the probability of the expression is as high as was asked for."""
        return self.probability >= self.min_probability

    @property
    def out_of_place(self) -> bool | None:
        """Whether the face is unlike the known ones (`OUT_OF_PLACE`); None where `typicality` was not asked for."""
        return None if self.typicality is None else self.typicality < OUT_OF_PLACE

    def __repr__(self) -> str:
        track = "" if self.track is None else f", track {self.track}"
        doubt = "" if self.certain else "?"
        reading = f"{self.emotion}{doubt} {100 * self.probability:.0f} %"
        return f"Face({reading}, box={tuple(self.box)}, detector {self.confidence:.2f}{track})"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values; the keys are those of `mien predict --format jsonl`."""
        raw = {"raw_probabilities": _rounded(self.raw)} if self.raw is not None else {}
        return {
            "box": list(self.box),
            "confidence": self.confidence,
            "emotion": self.emotion,
            "probability": round(self.probability, _DIGITS),
            "certain": self.certain,
            **(dict.fromkeys(QUALITIES) if self.quality is None else self.quality.to_dict()),
            "probabilities": _rounded(self.probabilities),
            "landmarks": [list(point) for point in self.landmarks],
            "track": self.track,
            **raw,
            **self._judged(),
        }

    def _judged(self) -> dict[str, Any]:
        """What was asked for of `JUDGED`."""
        emotions = {} if self.emotions is None else {"emotions": list(self.emotions)}
        if self.typicality is None:
            return emotions
        return {**emotions, "typicality": round(self.typicality, _DIGITS), "out_of_place": self.out_of_place}


def _probabilities(values: Any) -> Probabilities:
    if isinstance(values, Probabilities):
        return values
    return Probabilities(values) if isinstance(values, Mapping) else Probabilities.of(values)


def _points(points: Any) -> tuple[Point, ...]:
    """Landmarks as tuples of Python's numbers, whatever holds them."""
    try:
        return tuple((finite("x", x), finite("y", y)) for x, y in points)
    except (TypeError, ValueError, UsageError):
        raise wrong("landmarks", points, _LANDMARKS) from None


def _rounded(probabilities: Probabilities) -> dict[str, float]:
    return {name: round(value, _DIGITS) for name, value in probabilities.items()}


@dataclass(frozen=True, slots=True)
class Header:
    """What results come from, so that a table can be traced.

    Args:
        model: name of the model.
        sha256: hash of its file, lower-case hexadecimal; None for a classifier of one's own.
        options: how faces were found and followed; values of JSON.
        labels: the model's class names, in its order.
    """

    model: str
    sha256: str | None
    options: Mapping[str, Any]
    labels: tuple[str, ...] = EMOTIONS

    def with_options(self, **options: Any) -> Self:
        """The header with more options."""
        return replace(self, options={**self.options, **options})

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values: ``schema``, the version of ``mien``, ``model``, ``labels`` and ``options``."""
        model, labels = {"name": self.model, "sha256": self.sha256}, list(self.labels)
        return {"schema": SCHEMA, "mien": __version__, "model": model, "labels": labels, "options": dict(self.options)}

    def to_json(self) -> str:
        """`to_dict` as one line of ASCII JSON."""
        return json.dumps(self.to_dict(), allow_nan=False)


@dataclass(frozen=True, slots=True, repr=False)
class Frame:
    """One picture, or one frame of a video, and the faces in it, largest first.

    Args:
        source: the path or address that was asked for.
        index: number within the source, from 0.
        time: seconds from the start of a video, None for pictures.
        width, height: pixels; 0 when the source could not be read.
        faces: the faces found.
        error: why the source could not be read, None when it could.
        header: what the frame comes from, if that is known; it does not count in comparisons.
    """

    source: str
    index: int = 0
    time: float | None = None
    width: int = 0
    height: int = 0
    faces: tuple[Face, ...] = ()
    error: str | None = None
    header: Header | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        instance("source of a frame", self.source, str, "text")
        keep(
            self,
            index=whole("index of a frame", self.index, "a whole number, at least 0", 0),
            time=None if self.time is None else finite("time of a frame", self.time, "seconds, or None"),
            width=whole("width of a frame", self.width, _PIXELS, 0),
            height=whole("height of a frame", self.height, _PIXELS, 0),
            faces=several("faces of a frame", self.faces, Face, "those of one picture, mien.Face each"),
        )
        if self.error is not None:
            instance("error of a frame", self.error, str, "text, or None")

    def __repr__(self) -> str:
        place = "" if self.time is None else f", index {self.index} at {self.time:.3f} s"
        found = f"error={self.error!r}" if self.error else f"faces={list(self.faces)}"
        return f"Frame({self.source!r}{place}, {found})"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values, one line of `mien predict --format jsonl`."""
        return {
            "schema": SCHEMA,
            "source": self.source,
            "index": self.index,
            "time": self.time,
            "width": self.width,
            "height": self.height,
            "faces": [{"face": number, **face.to_dict()} for number, face in enumerate(self.faces)],
            "error": self.error,
        }

    def to_json(self) -> str:
        """`to_dict` as one line of ASCII JSON, whatever bytes the name of the source is made of."""
        return json.dumps(self.to_dict(), allow_nan=False)
