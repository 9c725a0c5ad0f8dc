"""The default detector: YuNet, a small convolutional network, at the sizes where it finds what an image may hold."""

from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.choices import SMALLEST_FACE
from mien.defaults import MIN_FACE, MIN_SCORE
from mien.errors import UsageError
from mien.faces.detection import Detection, distinct, shrink
from mien.faces.tiles import LONGEST, OVERLAP, tiles
from mien.faces.yunet_network import YuNet

Rows = NDArray[np.float32]

_SIDE: Final = 1280
"""Images are looked at with at least so many pixels of their longer side, if they have them and `MIN_FACE` is asked."""

_SEEN: Final = 16
"""Height of a face, in pixels of the network's input, that leaves at least a weak trace (see `_TRACE`). From 24 on each
of 160 faces got a score of 0.74 and more; see docs/experiments.md.
"""

_TRACE: Final = 0.03
_SURE: Final = 0.7
_SMALL: Final = 28
"""A score from `_TRACE` to `_SURE` of a face that is lower than `_SMALL` pixels asks for a closer look, which counts
from `_SURE` on: with less, galaxies were taken for faces.
"""

_ZOOM: Final = 2.0
_LEAST_ZOOM: Final = 1.25
_ENOUGH_ZOOM: Final = 1.5
_CELL: Final = 64
_MARGIN: Final = 16
_CLOSE_LOOKS: Final = 4
"""One in so many cells is looked at closely at most, and `_FEW` of any image: a bound of the cost."""

_FEW: Final = 16
_ESTIMATE: Final = 0.6
"""The height of a face that left a trace may be underestimated down to this share."""

_LEAST_SIDE: Final = 8
"""A picture that is narrower, in pixels, shows no face."""

_COARSE_SIDE: Final = 320
_COARSER: Final = 4
_COARSE_FACE: Final = 64


class YuNetDetector:
    """YuNet (Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023), run by onnxruntime.

    The network finds faces of about 12 to 350 pixels of its input. So an image is looked at in a pyramid: first shrunk
    as far as faces of ``min_face`` pixels are still seen, then at quarters of that side down to 320 pixels, where faces
    that fill the image are found. Where the first look leaves a doubt about a small face, it is looked at once more,
    closely. Large levels are cut into tiles. Threads may share a detector.

    Args:
        min_score: detections below are dropped, 0..1.
        min_face: height in pixels from which faces are found in images of any size; smaller ones only where the image
            has no more than `_SIDE` pixels on its longer side, or little more.
        weights: another YuNet file in ONNX format; by default the one that comes with mien's dependencies.
        threads: threads of one detection; by default see `mien.threads.thread_count`.

    Raises:
        ModelFileError: the weights are missing, damaged or not YuNet's.
        UsageError: an argument out of range.
    """

    def __init__(
        self,
        *,
        min_score: float = MIN_SCORE,
        min_face: int = MIN_FACE,
        weights: str | Path | None = None,
        threads: int | None = None,
    ) -> None:
        if not 0 <= min_score <= 1:
            raise UsageError(f"the least score of a face is {min_score}: expected 0..1")
        if min_face < SMALLEST_FACE:
            raise UsageError(f"min_face is {min_face}: expected at least {SMALLEST_FACE} pixels")
        self._made_of = min_score, min_face, weights, threads
        self._min_score, self._min_face = min_score, min_face
        self._network = YuNet(weights, threads)

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, or another process, loads a network of its own."""
        return _again, (type(self), *self._made_of)

    def reduction(self, longer: int) -> int:
        """By how much a picture with that longer side (pixels) may be decoded smaller without losing a face: 1, 2, 4
        or 8.
        """
        needed = _ENOUGH_ZOOM * self._scale(longer)
        return next((factor for factor in (8, 4, 2) if needed * factor <= 1), 1)

    def detect(self, image: NDArray[np.uint8], reduced: int = 1) -> list[Detection]:
        """Faces in an image, RGB uint8 (H, W, 3) or grayscale uint8 (H, W), best score first.

        Args:
            image: the image.
            reduced: by how much it is smaller than the picture that ``min_face`` is meant for (see `reduction`).
        """
        longer = max(image.shape[:2])
        scale = min(1.0, self._scale(longer * reduced) * reduced)
        level = shrink(image, ceil(longer * scale))
        seen = [_detections(self._fine(image, level, scale, scale / reduced), level, image)]
        least = _COARSE_FACE if max(level.shape[:2]) <= LONGEST else OVERLAP // _COARSER
        for coarse in _coarser(level):
            rows = self._rows(coarse, self._min_score)
            seen.append(_detections(rows[rows[:, 2:4].min(axis=1) >= least], coarse, image))
            least = _COARSE_FACE
        return distinct([face for faces in seen for face in faces])

    def _scale(self, longer: int) -> float:
        """How far a picture with that longer side is shrunk for the first look, at most 1."""
        side = max(_SIDE * min(1.0, MIN_FACE / self._min_face), longer * _SEEN / self._min_face, _COARSE_SIDE)
        return min(1.0, side / longer)

    def _fine(self, image: NDArray[np.uint8], level: NDArray[np.uint8], scale: float, of_picture: float) -> Rows:
        """The faces of the first look and of the closer ones that it asks for, in its pixels.

        Args:
            image: the image.
            level: the image, shrunk.
            scale: how far.
            of_picture: how far the picture is shrunk, of which the image may be a reduction already.
        """
        zoom = min(_ZOOM, 1 / scale)
        closer = zoom >= _LEAST_ZOOM
        rows = self._rows(level, min(_TRACE, self._min_score) if closer else self._min_score)
        kept = [rows[rows[:, -1] >= self._min_score]]
        if closer:
            cells = _doubtful(rows, level, _ESTIMATE * self._min_face * of_picture)
            kept += [self._closely(image, cell, scale, zoom) for cell in cells]
        return np.concatenate(kept)

    def _rows(self, level: NDArray[np.uint8], min_score: float) -> Rows:
        """The faces of one level, tile by tile."""
        found = [np.empty((0, 15), np.float32)]
        for tile in tiles(*level.shape[:2]):
            rows = self._network.rows(tile.of(level), min_score) if min(level.shape[:2]) >= _LEAST_SIDE else found[0]
            rows = rows[tile.whole(rows[:, :4])]
            found.append(_moved(rows, (tile.left, tile.top), 1.0))
        return np.concatenate(found)

    def _closely(self, image: NDArray[np.uint8], cell: tuple[int, int], scale: float, zoom: float) -> Rows:
        """The faces with their centres in or near a cell (column, row), looked at closely; in pixels of the level."""
        corner = np.array(cell) * _CELL - _MARGIN
        low = np.maximum(0, np.floor(corner / scale)).astype(int)
        high = np.ceil((corner + _CELL + 2 * _MARGIN) / scale).astype(int)
        part = image[low[1] : high[1], low[0] : high[0]]
        close = shrink(part, round(max(part.shape[:2]) * scale * zoom))
        if min(close.shape[:2]) < _LEAST_SIDE:
            return np.empty((0, 15), np.float32)
        rows = self._network.rows(close, max(_SURE, self._min_score))
        rows = _moved(rows, low * scale, part.shape[1] * scale / close.shape[1])
        away = np.abs(rows[:, :2] + rows[:, 2:4] / 2 - (np.array(cell) + 0.5) * _CELL).max(axis=1)
        return np.asarray(rows[away < _CELL / 2 + _MARGIN / 2])


def _again(
    kind: type[YuNetDetector], min_score: float, min_face: int, weights: str | Path | None, threads: int | None
) -> YuNetDetector:
    return kind(min_score=min_score, min_face=min_face, weights=weights, threads=threads)


def _doubtful(rows: Rows, level: NDArray[np.uint8], least: float) -> list[tuple[int, int]]:
    """Cells (column, row) of the level in which small faces left a trace, the clearest first."""
    asked = rows[(rows[:, -1] < _SURE) & (rows[:, 3] < _SMALL) & (rows[:, 3] >= least)]
    centres = (asked[:, :2] + asked[:, 2:4] / 2) // _CELL
    count = ceil(level.shape[0] / _CELL) * ceil(level.shape[1] / _CELL)
    clearest = np.argsort(-asked[:, -1], kind="stable")
    cells = dict.fromkeys((int(column), int(row)) for column, row in centres[clearest])
    return list(cells)[: max(_FEW, count // _CLOSE_LOOKS)]


def _coarser(level: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Quarters of a level, the last of 320 pixels; none of a level that shows large faces itself."""
    while max(level.shape[:2]) > 2 * _COARSE_SIDE:
        level = shrink(level, max(_COARSE_SIDE, round(max(level.shape[:2]) / _COARSER)))
        yield level


def _moved(rows: Rows, corner: Any, stretch: float) -> Rows:
    """Faces of a part in coordinates of the whole: stretched, then moved to the part's corner (x, y)."""
    placed = rows.copy()
    placed[:, :14] *= stretch
    placed[:, [0, 1, *range(4, 14)]] += np.tile(corner, 6).astype(np.float32)
    return placed


def _detections(rows: Rows, level: NDArray[np.uint8], image: NDArray[np.uint8]) -> list[Detection]:
    """The faces of a level in coordinates of the image."""
    (height, width), (image_height, image_width) = level.shape[:2], image.shape[:2]
    stretch = np.array([image_width / width, image_height / height])
    return [_detection(row, stretch) for row in rows if _is_plausible(row, (width, height))]


def _is_plausible(row: NDArray[np.float32], size: tuple[int, int]) -> bool:
    """Whether a box shows some of a level (width, height)."""
    low, high = row[:2], row[:2] + row[2:4]
    return bool(row[2:4].min() >= 1 and (low < size).all() and (high > 0).all())


def _detection(row: NDArray[np.float32], stretch: NDArray[Any]) -> Detection:
    """YuNet's 15 numbers (box, five points, the subject's right eye first, score) in coordinates of the image."""
    points = (row[:14].astype(np.float64).reshape(7, 2) * stretch).tolist()
    (x, y), (width, height), *landmarks = points
    return Detection((x, y, width, height), min(1.0, float(row[14])), tuple((px, py) for px, py in landmarks))
