"""The detector of OpenCV's tutorials: a Haar cascade."""

from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.errors import UsageError
from mien.faces.detection import Detection
from mien.opencv import broken, cv2
from mien.preprocess import to_gray

_HAAR_FILE: Final = "haarcascade_frontalface_default.xml"


class HaarDetector:
    """The Haar cascade for frontal faces (Viola and Jones, 2001; Lienhart and Maydt, 2002) that comes with OpenCV.

    It finds fewer faces than YuNet and more that are none; it is here for comparison with systems built on it. It gives
    neither score nor landmarks: every face counts as sure. It may be shared by threads, which then wait for each other.

    Args:
        scale: step between the sizes of faces that are looked for, more than 1.
        neighbours: overlapping hits that make a face, at least 0.

    Raises:
        UsageError: an argument out of range.
        InstallationError: the OpenCV that is installed has no cascades.
    """

    def __init__(self, *, scale: float = 1.3, neighbours: int = 5) -> None:
        if not scale > 1 or neighbours < 0:
            raise UsageError(f"Haar steps are {scale}, {neighbours}: expected more than 1, at least 0")
        self._scale, self._neighbours = scale, neighbours
        self._cascade = _cascade()
        self._lock = Lock()

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Faces in an image, RGB uint8 (H, W, 3) or grayscale uint8 (H, W)."""
        with self._lock:
            boxes = self._cascade.detectMultiScale(to_gray(image), self._scale, self._neighbours)
        return [Detection((float(x), float(y), float(width), float(height)), 1.0) for x, y, width, height in boxes]

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, or another process, loads a cascade of its own."""
        return partial(type(self), scale=self._scale, neighbours=self._neighbours), ()


def _cascade() -> Any:
    if not hasattr(cv2, "CascadeClassifier"):
        raise broken(f"{cv2.__version__} has no Haar cascades")
    cascade = cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / _HAAR_FILE))
    if cascade.empty():
        raise broken(f"lacks {_HAAR_FILE}")
    return cascade
