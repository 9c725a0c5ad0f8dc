"""How good a found face is to read: its size, sharpness and brightness, and how far it is turned away.

The head's pose comes from the five landmarks by scaled orthographic projection: the least-squares affine map from a
model of five points in space onto the landmarks, of which the nearest scaled rotation is taken. It needs no focal
length, which photos do not tell, and is as near as a fit by iterations (docs/experiments.md).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.face_quality import Quality
from mien.faces.align import FRAME_LANDMARKS
from mien.opencv import cv2
from mien.preprocess import FACE_SIZE, to_gray
from mien.results import Box, Point

_DEPTHS: Final = (0.0, 0.0, -10.5, -1.3, -1.3)
"""How far the model's points lie behind the eyes, in pixels of FER2013's frame: nose tip and mouth corners before them,
as in the canonical face of MediaPipe (`canonical_face_model.obj`, vertices 159 and 145, 4, 61) at the same distance
between the eyes.
"""


def _model() -> NDArray[np.float64]:
    """Five points (x right, y down, z away) of a face that looks into the camera: the median face of FER2013, made
    symmetric, so that its angles are 0.
    """
    flat = np.array(FRAME_LANDMARKS)
    mirrored = flat[[1, 0, 2, 4, 3]] * (-1, 1)
    return np.column_stack([(flat + mirrored) / 2, _DEPTHS])


MODEL: Final = _model()
"""The five points in space, (5, 3)."""

_INVERSE: Final = np.linalg.pinv(MODEL - MODEL.mean(axis=0)).tolist()
"""What landmarks are multiplied by for the affine map, 3 rows of 5 numbers, each row summing to 0."""


@dataclass(frozen=True, slots=True)
class QualityLimits:
    """Faces that are left out.

    Args:
        min_face: those that are lower, in pixels; None: none.
        max_yaw: those that are turned farther to either side, in degrees; None: none. Without landmarks it is not known
            how far a face is turned: such faces stay.
    """

    min_face: int | None = None
    max_yaw: float | None = None

    def hold(self, quality: Quality) -> bool:
        """Whether a face is good enough."""
        large = self.min_face is None or quality.face_size >= self.min_face
        return large and (self.max_yaw is None or quality.yaw is None or abs(quality.yaw) <= self.max_yaw)


NO_LIMITS: Final = QualityLimits()


def quality_of(box: Box, landmarks: Sequence[Point], crop: NDArray[np.uint8]) -> Quality:
    """The quality of a face that was found and cut out.

    Args:
        box: where it lies in the picture.
        landmarks: its landmarks, if there are any.
        crop: what was cut out of the picture, uint8 (S, S) or RGB (S, S, 3).
    """
    grey = to_gray(crop)
    if grey.shape[0] != FACE_SIZE:
        grey = np.asarray(cv2.resize(grey, (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_AREA), np.uint8)
    edges = cv2.Laplacian(grey, cv2.CV_32F)[1:-1, 1:-1]
    _, deviation = cv2.meanStdDev(edges)
    yaw, pitch, roll = pose(landmarks) or (None, None, None)
    sharpness, brightness = float(deviation[0, 0]) ** 2, float(cv2.mean(grey)[0])
    return Quality(box.height, sharpness, brightness, yaw, pitch, roll)


def pose(landmarks: Sequence[Point]) -> tuple[float, float, float] | None:
    """Yaw, pitch and roll of a head in degrees; None without five landmarks, or when they coincide.

    Positive: turned to the right side of the picture, -90..90; raised; tilted clockwise in the picture. The head is
    nodded first, then turned, then tilted: turning the picture changes the roll alone.

    Args:
        landmarks: five points (x, y) in the order of `FRAME_LANDMARKS`.
    """
    if len(landmarks) != len(MODEL):
        return None
    across, down = ([sum(map(_product, row, axis)) for row in _INVERSE] for axis in zip(*landmarks, strict=True))
    rotation = _nearest_rotation(across, down)
    if rotation is None:
        return None
    (right_x, right_y, right_z), (down_x, down_y, down_z) = rotation
    away = right_x * down_y - right_y * down_x
    yaw = math.asin(max(-1.0, min(1.0, right_y * down_z - right_z * down_y)))
    pitch = -math.atan2(right_z * down_x - right_x * down_z, away)
    return math.degrees(yaw), math.degrees(pitch), math.degrees(math.atan2(down_x, right_x))


def _product(one: float, other: float) -> float:
    return one * other


def _nearest_rotation(across: list[float], down: list[float]) -> tuple[list[float], list[float]] | None:
    """The two first rows of the scaled rotation nearest to two rows (polar decomposition), without its scale; None
    where they are parallel.
    """
    first, mixed, second = (sum(map(_product, *rows)) for rows in ((across, across), (across, down), (down, down)))
    determinant = first * second - mixed * mixed
    if not determinant > 1e-12 * (first + second) ** 2:
        return None
    root = math.sqrt(determinant)
    scale = math.sqrt(first + second + 2 * root) / (determinant + root * (first + second) + determinant)
    rows = ((second + root, -mixed), (-mixed, first + root))
    one, other = ([scale * (a * x + b * y) for x, y in zip(across, down, strict=True)] for a, b in rows)
    return one, other
