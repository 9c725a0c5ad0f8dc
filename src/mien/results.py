"""What a prediction is: boxes, faces, frames, and tables of them.

These dataclasses are the currency between detection, drawing, the command line and the service. They hold plain Python
values only, so that they print, compare and become JSON without help.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self

from mien.errors import UsageError
from mien.labels import EMOTIONS, by_emotion

_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in whole pixels, origin top left; x and y are the corner, width and height at least 1."""

    x: int
    y: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise UsageError(f"box is {self.width}x{self.height} pixels: expected at least 1x1")

    @classmethod
    def inside(cls, x: float, y: float, width: float, height: float, *, image: tuple[int, int]) -> Self | None:
        """The part of a rectangle that lies inside an image of (height, width), or None when nothing does."""
        image_height, image_width = image
        left, top = max(0, round(x)), max(0, round(y))
        right, bottom = min(image_width, round(x + width)), min(image_height, round(y + height))
        return cls(left, top, right - left, bottom - top) if right > left and bottom > top else None

    @property
    def area(self) -> int:
        """Pixels inside."""
        return self.width * self.height

    def to_list(self) -> list[int]:
        """``[x, y, width, height]``."""
        return [self.x, self.y, self.width, self.height]


Point = tuple[float, float]
"""(x, y) in pixels of the image, origin top left."""


@dataclass(frozen=True, slots=True)
class Face:
    """One face and its expression.

    Args:
        box: where the face is, inside the image.
        confidence: the detector's score that this is a face, 0..1 (1.0 when the whole image is declared to be a face).
        probabilities: seven calibrated probabilities in the order of `EMOTIONS`, sum 1.
        landmarks: five points in the image as (x, y) pixels (the eye, then the mouth corner, that stands left in the
            picture comes first: left eye, right eye, nose tip, left mouth corner, right mouth corner); empty when the
            detector gives none.
        track: number of the person followed through a video, None for single pictures.
        steady: name of the expression that holds over time in a video; None: the likeliest of this moment.
    """

    box: Box
    confidence: float
    probabilities: tuple[float, ...]
    landmarks: tuple[Point, ...] = ()
    track: int | None = None
    steady: str | None = None

    def __post_init__(self) -> None:
        if self.steady is not None and self.steady not in EMOTIONS:
            raise UsageError(f"the steady expression is {self.steady!r}: expected one of {', '.join(EMOTIONS)}")
        if len(self.probabilities) != len(EMOTIONS):
            raise UsageError(f"{len(self.probabilities)} probabilities: expected {len(EMOTIONS)}")
        if not (min(self.probabilities) >= 0 and abs(sum(self.probabilities) - 1) <= _TOLERANCE):  # so that NaN fails
            raise UsageError(f"probabilities {self.probabilities}: expected values of at least 0 that sum to 1")
        if not 0 <= self.confidence <= 1:
            raise UsageError(f"confidence is {self.confidence}: expected 0..1")

    @property
    def emotion(self) -> str:
        """The expression that holds over time if there is one, else the likeliest."""
        return self.steady or EMOTIONS[self.probabilities.index(max(self.probabilities))]

    @property
    def probability(self) -> float:
        """Probability of `emotion`, 0..1."""
        return self.probabilities[EMOTIONS.index(self.emotion)]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values; the keys are those of `mien predict --format jsonl`."""
        return {
            "box": self.box.to_list(),
            "confidence": self.confidence,
            "emotion": self.emotion,
            "probabilities": by_emotion(self.probabilities),
            "landmarks": [list(point) for point in self.landmarks],
            "track": self.track,
        }


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture, or one frame of a video, and the faces in it, largest first.

    Args:
        source: the path or address that was asked for.
        frame: number within the source, from 0.
        time: seconds from the start of a video, None for pictures.
        width, height: pixels; 0 when the source could not be read.
        faces: the faces found.
        error: why the source could not be read, None when it could.
    """

    source: str
    frame: int = 0
    time: float | None = None
    width: int = 0
    height: int = 0
    faces: tuple[Face, ...] = ()
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values, one line of `mien predict --format jsonl`."""
        return {
            "source": self.source,
            "frame": self.frame,
            "time": self.time,
            "width": self.width,
            "height": self.height,
            "faces": [face.to_dict() for face in self.faces],
            "error": self.error,
        }

    def to_json(self) -> str:
        """`to_dict` as one line of ASCII JSON, whatever bytes the name of the source is made of."""
        return json.dumps(self.to_dict(), allow_nan=False)


TABLE_COLUMNS = (
    *("source", "frame", "time", "face", "track", "x", "y", "width", "height"),
    *("confidence", "emotion", *EMOTIONS, "error"),
)
"""Columns of `table_rows`, in order."""


def table_rows(frames: Iterable[Frame]) -> Iterator[dict[str, Any]]:
    """One flat row per face, and one for every frame without a face, so that no frame is silently absent."""
    for frame in frames:
        shared = {"source": frame.source, "frame": frame.frame, "time": frame.time, "error": frame.error}
        blank = dict.fromkeys(TABLE_COLUMNS) | shared
        if not frame.faces:
            yield blank
        for number, face in enumerate(frame.faces):
            box = {"x": face.box.x, "y": face.box.y, "width": face.box.width, "height": face.box.height}
            reading = {"face": number, "track": face.track, "confidence": face.confidence, "emotion": face.emotion}
            yield blank | box | reading | by_emotion(face.probabilities)
