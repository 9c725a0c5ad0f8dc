"""What results say of a face beside its expression: how good it is to read, and how far to trust the reading."""

from dataclasses import dataclass, fields
from typing import Final


@dataclass(frozen=True, slots=True)
class Quality:
    """How good a face is to read, for rules that exclude some.

    Args:
        face_size: height of the face's box in pixels of the picture.
        sharpness: variance of the Laplacian of the face at 48x48 pixels, in squared grey levels.
        brightness: mean grey level of the face, 0..255.
        yaw: degrees by which the head is turned to the right side of the picture, -90..90; None without landmarks.
        pitch: degrees by which it is raised; likewise.
        roll: degrees by which it is tilted clockwise in the picture; likewise.
    """

    face_size: int
    sharpness: float
    brightness: float
    yaw: float | None = None
    pitch: float | None = None
    roll: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        """JSON-ready values, one digit after the point."""
        values = ((name, getattr(self, name)) for name in QUALITIES)
        return {name: None if value is None else round(value, 1) for name, value in values}


QUALITIES: Final = tuple(part.name for part in fields(Quality))
"""Names of the measures of quality, in results and columns."""

OUT_OF_PLACE: Final = 0.05
"""Typicality below which a face is out of place: of faces like the known ones so many are."""

JUDGED: Final = ("emotions", "typicality", "out_of_place")
"""What results say of a face only where it was asked for."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What a frame of a video alone says of a face.

    Args:
        emotion: the answer to this frame, before smoothing.
        still: whether the face looks as in the frame before; None where that one did not have it.
    """

    emotion: str
    still: bool | None
