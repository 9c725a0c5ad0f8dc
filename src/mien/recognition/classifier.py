"""The interface of what reads expressions off faces."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Classifier(Protocol):
    """Reads expressions off faces; `mien.model.onnx_model.Bundle` is one.

    An attribute ``labels`` names the classes of one that is handed in; without it they are FER2013's seven.
    """

    def probabilities(self, faces: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Calibrated probabilities (N, classes), each row summing to 1, of face crops, uint8 (N, S, S)."""
        ...
