"""The protocol of face detectors, their result, and what they share: non-maximum suppression, shrinking."""

from dataclasses import dataclass
from itertools import chain
from math import isfinite
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from mien.errors import UsageError
from mien.given import keep, several, shown
from mien.opencv import cv2
from mien.results import Point

Rectangle = tuple[float, float, float, float]
"""(x, y, width, height) in pixels of the image, origin top left; may reach beyond the image."""

_SAME_FACE_COVER: Final = 0.5
_BOX: Final = len(("x", "y", "width", "height"))


@dataclass(frozen=True, slots=True)
class Detection:
    """A face found in an image.

    Numbers may be any that Python or numpy knows, and arrays may hold them; they are kept as tuples of Python's.

    Args:
        box: (x, y, width, height) in pixels, origin top left; may reach beyond the image.
        score: confidence of the detector, 0..1.
        landmarks: five points (x, y) in pixels, pixel centres at halves, in the order of `mien.results.Face.landmarks`
            (for an upright face: left eye, right eye, nose tip, left mouth corner, right mouth corner, as seen in the
            picture); empty when the detector gives none.

    Raises:
        UsageError: a number is infinite or not a number, or there are more or fewer of them.
    """

    box: Rectangle
    score: float
    landmarks: tuple[Point, ...] = ()

    def __post_init__(self) -> None:
        # Arrays compare element by element, and are neither true nor false; of an iterator there is one pass.
        try:
            box, landmarks = tuple(self.box), tuple((x, y) for x, y in self.landmarks)
            plain = len(box) == _BOX and all(map(isfinite, (*box, self.score, *chain(*landmarks))))
        except (TypeError, ValueError, OverflowError):  # no numbers, or points of more or fewer than two
            plain = False
        if not plain:
            given = f"box {shown(self.box)}, score {shown(self.score)}, landmarks {shown(self.landmarks)}"
            raise UsageError(
                f"detection with {given}: expected finite numbers, (x, y, width, height) and points (x, y)"
            )
        points = tuple((float(x), float(y)) for x, y in landmarks)
        keep(self, box=tuple(map(float, box)), score=float(self.score), landmarks=points)


def stretched(face: Detection, factor: float) -> Detection:
    """A detection in an image that is made larger by a factor."""
    if factor == 1:
        return face
    x, y, width, height = (number * factor for number in face.box)
    return Detection((x, y, width, height), face.score, tuple((px * factor, py * factor) for px, py in face.landmarks))


class Detector(Protocol):
    """Detects the faces in an image; one of your own has this method.

    One that needs fewer pixels of large pictures may have a second, ``reduction(longer: int) -> int``: by how much (1,
    2, 4 or 8) a picture of that longer side may be decoded smaller. `detect` then gets it as its second argument.
    """

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Faces in an image, RGB uint8 (H, W, 3) or grayscale uint8 (H, W), in any order; [] when there is none."""
        ...


def detected(found: Any) -> list[Detection]:
    """What a detector, perhaps somebody else's, found in an image.

    Raises:
        UsageError: something else than detections.
    """
    return list(several("what the detector gives", found, Detection, "a list of mien.Detection"))


def distinct(detections: list[Detection]) -> list[Detection]:
    """Non-maximum suppression: of detections that overlap by more than half of the smaller one, the best-scored."""
    ranked = sorted(detections, key=lambda face: -face.score)
    boxes = np.array([face.box for face in ranked]).reshape(-1, 4)
    kept: list[int] = []
    for number, box in enumerate(boxes):
        if not kept or _cover(box, boxes[kept]).max() <= _SAME_FACE_COVER:
            kept.append(number)
    return [ranked[number] for number in kept]


def _cover(box: NDArray[Any], others: NDArray[Any]) -> NDArray[Any]:
    """Intersection over minimum of a box and each of others (N, 4): shared area divided by the smaller area."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[:2] + box[2:], others[:, :2] + others[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    return np.asarray(shared / np.minimum(box[2:].prod(), others[:, 2:].prod(axis=1)))


def shrink(image: NDArray[np.uint8], max_side: int) -> NDArray[np.uint8]:
    """An image (H, W) or (H, W, 3), made smaller where its longer side exceeds ``max_side``."""
    height, width = image.shape[:2]
    if max(height, width) <= max_side:
        return image
    scale = max_side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
