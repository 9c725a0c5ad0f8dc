"""The built-in face detectors by name: YuNet, Haar cascade, none.

A detector is any object with the method of `mien.faces.detection.Detector`; it knows nothing about expressions.
"""

from collections.abc import Callable
from typing import Final

from mien.choices import DETECTORS, MIN_SCORE
from mien.errors import UsageError
from mien.faces.detection import Detector
from mien.faces.haar import HaarDetector
from mien.faces.whole_image import WholeImage
from mien.faces.yunet import YuNetDetector

_DETECTORS: Final[dict[str, Callable[[float, int | None], Detector]]] = {
    "yunet": lambda min_score, threads: YuNetDetector(min_score=min_score, threads=threads),
    "haar": lambda _, __: HaarDetector(),
    "none": lambda _, __: WholeImage(),
}


def create_detector(name: str, *, min_score: float = MIN_SCORE, threads: int | None = None) -> Detector:
    """A built-in detector: ``yunet``, ``haar``, or ``none`` for images that are face crops already.

    Args:
        name: one of `mien.choices.DETECTORS`.
        min_score: least score of a face, 0..1.
        threads: threads of YuNet, see `mien.threads.thread_count`; the cascade has OpenCV's (`opencv_threads`).

    Raises:
        UsageError: no detector of that name, or a score or number of threads out of range.
    """
    if name not in _DETECTORS:
        raise UsageError(f"unknown face detector {name!r}: expected one of {', '.join(DETECTORS)}")
    return _DETECTORS[name](min_score, threads)
