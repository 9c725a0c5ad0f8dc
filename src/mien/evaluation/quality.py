"""Image quality: sharpness of faces, and accuracy by quartile of such a measure."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.errors import UsageError

_QUARTERS: Final = 4


@dataclass(frozen=True, slots=True)
class Quarter:
    """One quartile of the faces in the order of some measure.

    Args:
        low, high: least and greatest value of the measure in it.
        n: faces.
        accuracy: share of right predictions among them, 0..1.
    """

    low: float
    high: float
    n: int
    accuracy: float


def sharpness(faces: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Variance of the Laplacian, in squared grey levels, of grayscale faces (N, H, W), H and W at least 3; (N,).

    Blurred faces have little of it, and so have faces of little contrast (Pech-Pacheco et al., "Diatom autofocusing in
    brightfield microscopy", 2000).
    """
    grey = faces.astype(np.float32)
    middle = grey[:, 1:-1, 1:-1]
    around = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
    return np.asarray((around - 4 * middle).var(axis=(1, 2), dtype=np.float64))


def accuracy_by_quarter(measure: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[Quarter, ...]:
    """Accuracy in each quarter of the faces, from the least to the greatest value of a measure.

    Quarters differ by one face at most; faces of equal value keep their order.

    Args:
        measure: of each face (N,), N at least 4.
        right: whether its prediction is right (N,).

    Raises:
        UsageError: fewer than four faces, or arrays of different lengths.
    """
    if len(measure) != len(right) or len(measure) < _QUARTERS:
        raise UsageError(f"{len(measure)} values of {len(right)} faces: expected as many, and at least {_QUARTERS}")
    order = np.argsort(measure, kind="stable")
    return tuple(
        Quarter(float(measure[rows[0]]), float(measure[rows[-1]]), len(rows), float(right[rows].mean()))
        for rows in np.array_split(order, _QUARTERS)
    )
