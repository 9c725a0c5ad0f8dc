"""No detection: the detector for images that are face crops already."""

import numpy as np
from numpy.typing import NDArray

from mien.faces.detection import Detection


class WholeImage:
    """No detection, for images that are face crops already: the whole image is one face."""

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        """The image itself as one face of score 1 without landmarks."""
        height, width = image.shape[:2]
        return [Detection((0.0, 0.0, float(width), float(height)), 1.0)]
