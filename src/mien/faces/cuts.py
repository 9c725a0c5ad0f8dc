"""Cuts in a video: from one frame to the next another scene.

Two small copies of the frames are compared. After a cut neither their structure (normalized cross-correlation, which a
flash or a change of exposure leaves alone) nor their colours (histograms, which a pan or a zoom leaves alone) are those
of before. Where the scene was calm and half of the picture stays as it is, such as a wall behind people, fewer colours
suffice, if no shift of the picture explains the new structure (phase correlation). Dissolves and fades are no cuts.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.opencv import cv2

STRUCTURE: Final = 0.55
"""Correlation below which the structure is another one: at most 0.5 between 150 pairs of unrelated pictures, 0.65 and
more at an exposure up to 2.5 times as long.
"""

COLOURS: Final = 0.35
"""Share of the pixels that must have other colours: 0.48 and more between unrelated pictures, at most 0.26 in pans of a
quarter of the width from frame to frame.
"""

_CALM: Final = 0.9
_SHIFTED: Final = 0.8
_SAME: Final = 4
_BEHIND: Final = 0.5
_FEW_COLOURS: Final = 0.08
"""The same for a calm scene: 0.1 where a face takes the place of another one before the same wall."""

FLASH: Final = 0.25
"""Seconds within which a scene may come back, so that what was between is a flash and not two cuts."""

_SIZE: Final = (36, 64)
_BLANK: Final = 1e-3
_BITS: Final = 5


class Cuts:
    """Finds the cuts of one video, whose frames are shown to it in order."""

    def __init__(self) -> None:
        self._last: NDArray[np.uint8] | None = None
        self._calm = False
        self._before: tuple[NDArray[np.uint8], float] | None = None
        self.back = False
        """Whether the scene after the last cut is the one from before the cut before it, which was a flash."""

    def cut(self, image: NDArray[np.uint8], time: float) -> bool:
        """Whether the next frame begins another scene.

        Args:
            image: RGB uint8 (H, W, 3) or grayscale uint8 (H, W).
            time: of the frame, seconds.
        """
        small, last = _small(image), self._last
        self._last, self.back = small, False
        if last is None or last.shape != small.shape:
            self._calm = False
            return last is not None
        alike, calm = correlation(_luma(last), _luma(small)), self._calm
        self._calm = alike >= _CALM
        if self._before is not None and time - self._before[1] <= FLASH and _is_same(self._before[0], small):
            self._before, self.back = None, True
            return True
        if alike >= STRUCTURE or not _is_other(last, small, calm=calm):
            return False
        self._before = last, time
        return True


def correlation(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Normalized cross-correlation of two images of one shape, -1..1; of two without contrast 1, of one 0."""
    one, other = (image.ravel() - cv2.mean(image)[0] for image in (first, second))
    product, own, others = float(one @ other), float(one @ one), float(other @ other)
    if own > _BLANK and others > _BLANK:
        return product / math.sqrt(own * others)
    return float((own > _BLANK) == (others > _BLANK))


def _is_other(last: NDArray[np.uint8], image: NDArray[np.uint8], *, calm: bool) -> bool:
    """Whether a picture of another structure is of another scene."""
    changed = _recoloured(last, image)
    if changed > COLOURS or not (calm and changed > _FEW_COLOURS):
        return changed > COLOURS
    before, now = _luma(last), _luma(image)
    same = np.abs(before.astype(np.int16) - now) <= _SAME
    return bool(same.mean() >= _BEHIND) and _shifted(before, now) < _SHIFTED


def _is_same(before: NDArray[np.uint8], image: NDArray[np.uint8]) -> bool:
    """Whether a picture is of a scene from a moment before, which the camera may have left a little."""
    if before.shape != image.shape:
        return False
    first, second = _luma(before), _luma(image)
    return correlation(first, second) >= _SHIFTED or (
        _recoloured(before, image) <= COLOURS and _shifted(first, second) >= _SHIFTED
    )


def _recoloured(last: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
    """Share of the pixels that have other colours, wherever they are, 0..1."""
    return float(np.abs(_histogram(last) - _histogram(image)).sum()) / 2


def _shifted(last: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
    """The correlation where one picture is shifted as fits best, if they then share half of their pixels; else -1."""
    height, width = last.shape
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    (across, down), _ = cv2.phaseCorrelate(last.astype(np.float32), image.astype(np.float32), window)
    right, low = round(across), round(down)
    first = last[max(0, -low) : height - max(0, low), max(0, -right) : width - max(0, right)]
    second = image[max(0, low) : height - max(0, -low), max(0, right) : width - max(0, -right)]
    return correlation(first, second) if 2 * first.size >= last.size else -1.0


def _small(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """At most 64x36 of the pixels, evenly spaced: nothing is averaged, so that it costs the same at any size."""
    down, across = (max(1, side // most) for side, most in zip(image.shape[:2], _SIZE, strict=True))
    rows, columns = (slice(step // 2, step * most, step) for step, most in zip((down, across), _SIZE, strict=True))
    return np.ascontiguousarray(image[rows, columns])


def _luma(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return image if image.ndim == 2 else image[:, :, 1]


def _histogram(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Shares of the pixels in each of 8 levels of gray, or 8 x 8 x 8 of colour."""
    levels = (image >> _BITS).astype(np.intp).reshape(image.shape[0] * image.shape[1], -1)
    index = levels @ (8 ** np.arange(levels.shape[1]))
    return np.bincount(index, minlength=8 ** levels.shape[1]) / len(index)
