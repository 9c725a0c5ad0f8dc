"""Whether a followed face looks as it did in the frame before, so that an answer that changes is noise."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mien.preprocess import to_gray
from mien.recognition.finder import Candidate
from mien.recognition.pipeline import Searched

_SIDE: Final = 24
_FLAT: Final = 1.0
"""Grey levels that are added to the contrast, so that a blank face is like any other blank one."""

DIFFERENT: Final = 0.12
"""One minus the correlation from which two pictures of a face are different ones. Noise, JPEG and a pixel's jitter of
the landmarks gave 0.03 to 0.12 on a portrait, a mouth that closes 0.14, covered eyes 0.19, other people 0.3 and more.
"""


class Stillness:
    """Notes on every face of one video, given in order, whether it looks as in the frame before."""

    def __init__(self) -> None:
        self._before: dict[int, NDArray[np.float64]] = {}

    def noted(self, searched: Searched) -> Searched:
        """The same with `Candidate.still`: True or False; None for a face that the frame before did not have."""
        seen = {found.track: _small(found.crop) for found in searched.candidates if found.track is not None}
        candidates = tuple(self._noted(found, seen) for found in searched.candidates)
        self._before = seen
        return replace(searched, candidates=candidates)

    def _noted(self, found: Candidate, seen: dict[int, NDArray[np.float64]]) -> Candidate:
        if found.track is None or found.track not in self._before:
            return found
        return replace(found, still=_is_still(self._before[found.track], seen[found.track]))


def _is_still(before: NDArray[np.float64], now: NDArray[np.float64]) -> bool:
    """Whether a face looks as before; most do where they are, and only for others the shifts are tried."""
    middle = slice(1, -1)
    return _distance(before[middle, middle], now[middle, middle]) < DIFFERENT or difference(before, now) < DIFFERENT


def _distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """One minus the correlation of two images of one shape, 0..2."""
    return 1 - float(_standard(one.reshape(1, -1))[0] @ _standard(other.reshape(1, -1))[0]) / one.size


def difference(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """One minus the correlation of two small faces (24, 24), at the best of nine shifts by up to a pixel, 0..2."""
    end = len(other) - 2
    shifts = sliding_window_view(other, (end, end)).reshape(-1, end * end)
    return 1 - float((_standard(shifts) @ _standard(one[1:-1, 1:-1].reshape(1, -1))[0]).max()) / end**2


def _standard(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of values less their means, by their contrasts."""
    centred = values - values.mean(axis=1, keepdims=True)
    contrast = np.sqrt(np.einsum("ij,ij->i", centred, centred) / values.shape[1])
    return np.asarray(centred / (contrast[:, None] + _FLAT))


def _small(crop: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A face crop in grey at 24x24 pixels, each the mean of a block; what is left over at the edges is cut off."""
    grey, block = to_gray(crop), max(1, crop.shape[0] // _SIDE)
    start = (grey.shape[0] - block * _SIDE) // 2
    inner = grey[start : start + block * _SIDE, start : start + block * _SIDE]
    return np.asarray(inner.reshape(_SIDE, block, _SIDE, block).mean(axis=(1, 3), dtype=np.float64))
