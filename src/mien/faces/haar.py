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
        least: side in pixels of the smallest face that is looked for.
        cascade: XML file of another cascade; by default OpenCV's for frontal faces.

    Raises:
        UsageError: an argument out of range, or a file that is no cascade.
        InstallationError: the OpenCV that is installed has no cascades.
    """

    def __init__(self, *, scale: float = 1.3, neighbours: int = 5, least: int = 0, cascade: Path | None = None) -> None:
        if not scale > 1 or neighbours < 0:
            raise UsageError(f"Haar steps are {scale}, {neighbours}: expected more than 1, at least 0")
        self._options: dict[str, Any] = {"scale": scale, "neighbours": neighbours, "least": least, "cascade": cascade}
        self._cascade = _cascade(cascade)
        self._lock = Lock()

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Faces in an image, RGB uint8 (H, W, 3) or grayscale uint8 (H, W)."""
        scale, neighbours, least = (self._options[name] for name in ("scale", "neighbours", "least"))
        with self._lock:
            boxes = self._cascade.detectMultiScale(to_gray(image), scale, neighbours, minSize=(least, least))
        return [Detection((float(x), float(y), float(width), float(height)), 1.0) for x, y, width, height in boxes]

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, or another process, loads a cascade of its own."""
        return partial(type(self), **self._options), ()


def _cascade(file: Path | None) -> Any:
    if not hasattr(cv2, "CascadeClassifier"):
        raise broken(f"{cv2.__version__} has no Haar cascades")
    if file is not None:
        return _cascade_of(file)
    cascade = cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / _HAAR_FILE))
    if cascade.empty():
        raise broken(f"lacks {_HAAR_FILE}")
    return cascade


def _cascade_of(file: Path) -> Any:
    """The cascade of a file; for one that is none, some versions of OpenCV raise and others give an empty one."""
    try:
        cascade = cv2.CascadeClassifier(str(file))
    except (cv2.error, SystemError):
        cascade = None
    if not file.is_file() or cascade is None or cascade.empty():
        raise UsageError(f"{file}: no Haar cascade; expected an XML file such as OpenCV's {_HAAR_FILE}")
    return cascade
