"""Face alignment: a detected face is warped into the frame of FER2013's training faces.

The networks were trained on FER2013, whose 48x48 pictures frame the face in one particular way. A face from a photo
must be framed alike.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.errors import UsageError
from mien.opencv import cv2
from mien.preprocess import FACE_SIZE, fill_square, to_gray
from mien.results import Box, Point

FRAME_LANDMARKS: Final[tuple[Point, ...]] = ((14.9, 18.4), (32.7, 18.5), (23.5, 28.5), (16.4, 35.9), (31.1, 36.1))
"""Where left eye, right eye, nose tip, left and right mouth corner (as seen in the picture) sit in a FER2013 face, (x,
y) in pixels of the 48x48 frame, pixel centres at halves: medians over Training, see docs/experiments.md and
benchmarks/measure_frame.py.
"""

_FITTED: Final = (0, 1, 3, 4)
"""Eyes and mouth corners. The nose tip moves most when a head turns; without it aligned faces came nearer to the
originals.
"""

_MAX_SUPERSAMPLING: Final = 16
_MAX_WARPED: Final = 32_000


def similarity(source: ArrayLike, target: ArrayLike) -> NDArray[np.float64]:
    """The similarity transform (rotation, uniform scale, shift) that maps points onto others by least squares.

    Umeyama ("Least-squares estimation of transformation parameters between two point patterns", 1991) in two
    dimensions, where points are complex numbers and the whole solution is one quotient. Mirroring is excluded.

    Args:
        source: points (N, 2).
        target: where they should come to lie, (N, 2).

    Returns:
        (2, 3) matrix that maps (x, y, 1).

    Raises:
        UsageError: the points have no extent, or the best fit shrinks them to nothing.
    """
    start, end = (np.asarray(points, np.float64) @ (1, 1j) for points in (source, target))
    centred = start - start.mean()
    extent = np.vdot(centred, centred).real
    turn = np.vdot(centred, end) / extent if extent > 0 else 0j
    if not abs(turn) > 0:
        raise UsageError("the landmarks of a face coincide: expected points apart from each other")
    shift = end.mean() - turn * start.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def align_face(
    image: NDArray[np.uint8], landmarks: Sequence[Point], size: int = FACE_SIZE, *, gray: bool = False
) -> NDArray[np.uint8]:
    """A face in FER2013's frame.

    Args:
        image: the picture, grayscale uint8 (H, W) or RGB (H, W, 3).
        landmarks: five points (x, y) in the order of `FRAME_LANDMARKS`, pixel centres at halves.
        size: side of the frame in pixels.
        gray: whether the face is to be gray; only the pixels around it are converted.

    Returns:
        uint8 (size, size), or with 3 channels. What lies beyond the picture repeats its edge.

    Raises:
        UsageError: not five landmarks, or they coincide.
    """
    return _warp(image, frame_of(landmarks) * (size / FACE_SIZE), size, gray=gray)


def frame_of(landmarks: Sequence[Point]) -> NDArray[np.float64]:
    """The similarity, as a (2, 3) matrix, that brings a face's landmarks onto `FRAME_LANDMARKS`.

    Raises:
        UsageError: not five landmarks, or they coincide.
    """
    if len(landmarks) != len(FRAME_LANDMARKS):
        raise UsageError(f"{len(landmarks)} landmarks: expected {len(FRAME_LANDMARKS)}")
    return similarity([landmarks[number] for number in _FITTED], [FRAME_LANDMARKS[number] for number in _FITTED])


def crop_face(
    image: NDArray[np.uint8], box: tuple[float, float, float, float], size: int = FACE_SIZE, *, gray: bool = False
) -> NDArray[np.uint8]:
    """The square around a box as a face, for detections without landmarks.

    Args:
        image: the picture, grayscale uint8 (H, W) or RGB (H, W, 3).
        box: (x, y, width, height) in pixels, overlapping the picture.
        size: side of the face in pixels.
        gray: whether the face is to be gray.

    Returns:
        uint8 (size, size), or with 3 channels. What lies beyond the picture repeats its edge. A box of as many whole
        pixels is copied unchanged; the box of the whole picture gives what `mien.preprocess.face_crop` gives.

    Raises:
        UsageError: no whole pixel of the square lies inside the picture.
    """
    x, y, width, height = box
    side = max(width, height)
    left, top = x + (width - side) / 2, y + (height - side) / 2
    part = Box.inside(left, top, side, side, image=(image.shape[0], image.shape[1]))
    if part is None:
        raise UsageError(f"the box {box} lies outside the picture of {image.shape[1]}x{image.shape[0]} pixels")
    piece = image[part.y : part.y + part.height, part.x : part.x + part.width]
    return fill_square(to_gray(piece) if gray else piece, part.x - left, part.y - top, side, size)


def _warp(image: NDArray[np.uint8], matrix: NDArray[np.float64], size: int, *, gray: bool) -> NDArray[np.uint8]:
    """The frame of size x size that a (2, 3) matrix maps a picture onto.

    A face larger than the frame is sampled on a finer grid first, about one sample per pixel of the picture, and
    averaged; one sample per pixel of the frame would alias, and training faces do not.
    """
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    finer = int(np.clip(np.ceil(1 / scale - 1e-6), 1, _MAX_SUPERSAMPLING))
    rows, columns = _window(matrix, (image.shape[0], image.shape[1]), size)
    grid = matrix * finer
    # OpenCV numbers pixel centres with integers, the landmarks put them at halves.
    grid[:, 2] += grid[:, :2] @ (columns.start + 0.5, rows.start + 0.5) - 0.5
    side, part = size * finer, image[rows, columns]
    fine: Any = cv2.warpAffine(
        to_gray(part) if gray else part, grid, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(cv2.resize(fine, (size, size), interpolation=cv2.INTER_AREA) if finer > 1 else fine)


def _window(matrix: NDArray[np.float64], shape: tuple[int, int], size: int) -> tuple[slice, slice]:
    """Rows and columns of a picture that a matrix brings into the frame, at least one of each: OpenCV warps no picture
    of 32,767 pixels.
    """
    corners = np.array([(0, 0), (0, size), (size, 0), (size, size)])
    places = np.linalg.solve(matrix[:, :2], (corners - matrix[:, 2]).T)
    (left, top), (right, bottom) = places.min(axis=1), places.max(axis=1)
    return _clipped(top, bottom, shape[0]), _clipped(left, right, shape[1])


def _clipped(low: float, high: float, length: int) -> slice:
    start = int(np.clip(np.floor(low) - 1, 0, length - 1))
    stop = int(np.clip(np.ceil(high) + 1, start + 1, length))
    return slice(start, min(stop, start + _MAX_WARPED))
