"""Whether a face crop shows a face at all."""

from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.faces.detection import Detector
from mien.opencv import cv2

_SIDES: Final = (96, 144, 200, 256)
"""Sizes to which the crop is enlarged, the quickest first, pixels."""

_MARGIN: Final = 0.1
_MIN_COVER: Final = 0.2


class FacePresence:
    """Tells whether a crop that is filled by a face shows one.

    The crop is enlarged and laid in the middle of a larger canvas, since detectors look for faces with surroundings.
    It is shown at several sizes and mirrored, and one finding is enough: a crop is called faceless only when a face is
    found in no view.

    Args:
        detector: finds faces; its least score decides how doubtful a face may be.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def __call__(self, face: NDArray[np.uint8]) -> bool:
        """Whether a face is found in a crop, grayscale uint8 (S, S)."""
        return any(self._found(face[:, ::step], side) for side, step in product(_SIDES, (1, -1)))

    def _found(self, face: NDArray[np.uint8], side: int) -> bool:
        margin = round(side * _MARGIN)
        enlarged = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
        canvas = cv2.copyMakeBorder(enlarged, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
        boxes = [detection.box for detection in self._detector.detect(np.asarray(canvas, np.uint8))]
        return any(width * height >= _MIN_COVER * side**2 for _, _, width, height in boxes)
