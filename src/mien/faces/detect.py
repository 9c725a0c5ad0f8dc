"""The built-in face detectors by name: YuNet, Haar cascade, none.

A detector is any object with the method of `mien.faces.detection.Detector`; it knows nothing about expressions.
"""

from collections.abc import Callable
from typing import Final

from mien.choices import DETECTORS
from mien.defaults import MIN_SCORE
from mien.errors import UsageError
from mien.faces.detection import Detector
from mien.faces.haar import HaarDetector
from mien.faces.whole_image import WholeImage
from mien.faces.yunet import YuNetDetector

_DETECTORS: Final[dict[str, Callable[[float], Detector]]] = {
    "yunet": lambda min_score: YuNetDetector(min_score=min_score),
    "haar": lambda _: HaarDetector(),
    "none": lambda _: WholeImage(),
}


def create_detector(name: str, *, min_score: float = MIN_SCORE) -> Detector:
    """A built-in detector: ``yunet``, ``haar``, or ``none`` for images that are face crops already.

    Raises:
        UsageError: no detector of that name, or a score out of range.
    """
    if name not in _DETECTORS:
        raise UsageError(f"unknown face detector {name!r}: expected one of {', '.join(DETECTORS)}")
    return _DETECTORS[name](min_score)
