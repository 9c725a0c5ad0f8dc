"""The default detector: YuNet, a small convolutional network."""

from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.choices import MIN_SCORE
from mien.errors import UsageError
from mien.faces.detection import Detection, distinct, shrink
from mien.faces.yunet_network import YuNet

_MAX_SIDE: Final = 1280
"""A picture of 12 megapixels then loses no face above 40 px; twice as many pixels found 30 px at twice the time."""

_LEAST_SIDE: Final = 8
"""A picture that is narrower, in pixels, shows no face; once in many runs YuNet made one up in a line of pixels."""

_COARSE_SIDE: Final = 320
_COARSE_FACE: Final = 64


class YuNetDetector:
    """YuNet (Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023), run by onnxruntime.

    The network finds faces of about 12 to 350 pixels. So it looks at a large image twice: shrunk to ``max_side``, where
    small faces are found, and at 320 pixels, where faces that fill the image are. Threads may share it.

    Args:
        min_score: detections below are dropped, 0..1.
        max_side: images with a longer side are shrunk to it first, pixels.
        weights: another YuNet file in ONNX format; by default the one that comes with mien's dependencies.
        threads: threads of one detection; by default see `mien.threads.thread_count`.

    Raises:
        ModelFileError: the weights are missing, damaged or not YuNet's.
        UsageError: an argument out of range.
    """

    def __init__(
        self,
        *,
        min_score: float = MIN_SCORE,
        max_side: int = _MAX_SIDE,
        weights: str | Path | None = None,
        threads: int | None = None,
    ) -> None:
        if not 0 <= min_score <= 1:
            raise UsageError(f"the least score of a face is {min_score}: expected 0..1")
        if max_side < _COARSE_SIDE:
            raise UsageError(f"max_side is {max_side}: expected at least {_COARSE_SIDE} pixels")
        self._options: dict[str, Any] = {
            "min_score": min_score,
            "max_side": max_side,
            "weights": weights,
            "threads": threads,
        }
        self._max_side = max_side
        self._network = YuNet(weights, min_score, threads)

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Faces in an image, RGB uint8 (H, W, 3) or grayscale uint8 (H, W), best score first."""
        fine = self._detect_at(image, self._max_side)
        if max(image.shape[:2]) <= 2 * _COARSE_SIDE:
            return fine
        least = _COARSE_FACE * max(image.shape[:2]) / _COARSE_SIDE
        coarse = [face for face in self._detect_at(image, _COARSE_SIDE) if min(face.box[2:]) >= least]
        return distinct(fine + coarse)

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, or another process, loads a network of its own."""
        return partial(type(self), **self._options), ()

    def _detect_at(self, image: NDArray[np.uint8], max_side: int) -> list[Detection]:
        """Faces seen when the image is shrunk to a longest side, in coordinates of the image."""
        height, width = image.shape[:2]
        small = shrink(image, max_side)
        size = small.shape[1], small.shape[0]
        if min(size) < _LEAST_SIDE:
            return []
        stretch = np.array([width / size[0], height / size[1]])
        return [_detection(row, stretch) for row in self._network.rows(small) if _is_plausible(row, size)]


def _is_plausible(row: NDArray[np.float32], size: tuple[int, int]) -> bool:
    """Whether a box shows some of a picture (width, height)."""
    low, high = row[:2], row[:2] + row[2:4]
    return bool(row[2:4].min() >= 1 and (low < size).all() and (high > 0).all())


def _detection(row: NDArray[np.float32], stretch: NDArray[Any]) -> Detection:
    """YuNet's 15 numbers (box, five points, the subject's right eye first, score) in coordinates of the image."""
    points = (row[:14].astype(np.float64).reshape(7, 2) * stretch).tolist()
    (x, y), (width, height), *landmarks = points
    return Detection((x, y, width, height), min(1.0, float(row[14])), tuple((px, py) for px, py in landmarks))
