"""The built-in face detectors by name: YuNet, Haar cascade, none.

A detector is any object with the method of `mien.faces.detection.Detector`; it knows nothing about expressions.
"""

from collections.abc import Callable
from typing import Final

from mien.choices import DETECTORS
from mien.defaults import MIN_FACE, MIN_SCORE
from mien.errors import UsageError
from mien.faces.detection import Detector
from mien.faces.haar import HaarDetector
from mien.faces.whole_image import WholeImage
from mien.faces.yunet import YuNetDetector

_DETECTORS: Final[dict[str, Callable[[float, int, int | None], Detector]]] = {
    "yunet": lambda score, face, threads: YuNetDetector(min_score=score, min_face=face, threads=threads),
    "haar": lambda *_: HaarDetector(),
    "none": lambda *_: WholeImage(),
}

WITHOUT_LANDMARKS: Final = frozenset({"haar", "none"})
"""Names of those that give boxes alone."""


def create_detector(
    name: str, *, min_score: float = MIN_SCORE, min_face: int = MIN_FACE, threads: int | None = None
) -> Detector:
    """A built-in detector: ``yunet``, ``haar``, or ``none`` for images that are face crops already.

    Args:
        name: one of `mien.choices.DETECTORS`.
        min_score: least score of a face, 0..1.
        min_face: height in pixels from which YuNet finds faces in pictures of any size.
        threads: threads of YuNet, see `mien.threads.thread_count`; the cascade has OpenCV's (`opencv_threads`).

    Raises:
        UsageError: no detector of that name, or a value out of range.
    """
    if name not in _DETECTORS:
        raise UsageError(f"unknown face detector {name!r}: expected one of {', '.join(DETECTORS)}")
    return _DETECTORS[name](min_score, min_face, threads)
