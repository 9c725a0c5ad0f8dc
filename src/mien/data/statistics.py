"""Descriptive statistics of a data set: class counts, mean faces, brightness, contrast."""

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.choices import USAGES
from mien.data.store import FaceStore
from mien.labels import EMOTIONS

_ROWS_AT_ONCE: Final = 1024
_PERCENTILES: Final = (5, 25, 50, 75, 95)


@dataclass(frozen=True, slots=True)
class Statistics:
    """Measures of each row of a data set, and what follows from them.

    Args:
        store: the data set.
        brightness: see `brightness` (N,).
        contrast: see `contrast` (N,).
        mean_faces: see `mean_faces` (7, 48, 48).
    """

    store: FaceStore
    brightness: NDArray[np.float64]
    contrast: NDArray[np.float64]
    mean_faces: NDArray[np.float64]

    def to_dict(self) -> dict[str, Any]:
        """``{"rows", "source", "source_sha256", "counts", "brightness", "contrast"}``, JSON-ready.

        ``counts`` is that of `FaceStore.counts`; the measures have ``all``, ``per_usage`` and ``per_class``, each with
        the values of `spread`, in grey levels 0..255, for usages and emotions that occur.
        """
        meta = asdict(self.store.meta)
        named = {key: meta[key] for key in ("rows", "source", "source_sha256")}
        measures = {"brightness": self._spreads(self.brightness), "contrast": self._spreads(self.contrast)}
        return named | {"counts": self.store.counts()} | measures

    def _spreads(self, values: NDArray[np.float64]) -> dict[str, Any]:
        def by(numbers: NDArray[np.uint8], names: tuple[str, ...]) -> dict[str, dict[str, float]]:
            groups = {name: values[numbers == number] for number, name in enumerate(names)}
            return {name: spread(group) for name, group in groups.items() if len(group)}

        per_usage, per_class = by(self.store.usages, USAGES), by(self.store.labels, EMOTIONS)
        return {"all": spread(values), "per_usage": per_usage, "per_class": per_class}


def statistics(store: FaceStore) -> Statistics:
    """Measure every row of a data set; its faces are read in pieces.

    Args:
        store: the data set, at least one row.
    """
    pieces = [store.faces[start : start + _ROWS_AT_ONCE] for start in range(0, len(store), _ROWS_AT_ONCE)]
    return Statistics(
        store,
        np.concatenate([brightness(piece) for piece in pieces]),
        np.concatenate([contrast(piece) for piece in pieces]),
        mean_faces(store.faces, store.labels),
    )


def brightness(faces: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean grey level, 0..255, of grayscale faces (N, H, W); (N,)."""
    return np.asarray(faces.mean(axis=(1, 2)), np.float64)


def contrast(faces: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Standard deviation of the grey levels, 0..127.5, of grayscale faces (N, H, W); (N,)."""
    return np.asarray(faces.std(axis=(1, 2)), np.float64)


def mean_faces(faces: NDArray[np.uint8], labels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean of the faces of each emotion.

    Args:
        faces: grayscale (N, H, W).
        labels: class numbers 0..6 (N,).

    Returns:
        Grey levels 0..255, (7, H, W); NaN for an emotion without faces.
    """
    sums = np.zeros((len(EMOTIONS), *faces.shape[1:]), np.int64)
    for start in range(0, len(faces), _ROWS_AT_ONCE):
        piece, numbers = faces[start : start + _ROWS_AT_ONCE], labels[start : start + _ROWS_AT_ONCE]
        for label in np.unique(numbers):
            sums[label] += piece[numbers == label].sum(axis=0, dtype=np.int64)
    counts = np.bincount(labels, minlength=len(EMOTIONS))[:, None, None]
    means: NDArray[np.float64] = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return means


def spread(values: NDArray[np.float64]) -> dict[str, float]:
    """Mean, standard deviation (of the values, not of a sample) and percentiles of some values, at least one:
    ``{"mean", "deviation", "p5", "p25", "p50", "p75", "p95"}``.
    """
    percentiles = zip(_PERCENTILES, np.percentile(values, _PERCENTILES), strict=True)
    moments = {"mean": float(values.mean()), "deviation": float(values.std())}
    return moments | {f"p{share}": float(value) for share, value in percentiles}


def sample_rows(labels: NDArray[np.uint8], count: int, seed: int = 0) -> dict[str, NDArray[np.intp]]:
    """Stratified sample without replacement: for each emotion at most ``count`` of its rows, ascending.

    Args:
        labels: class numbers 0..6 (N,).
        count: rows for each emotion.
        seed: of the sample.
    """
    random = np.random.default_rng(seed)
    rows = {emotion: np.flatnonzero(labels == number) for number, emotion in enumerate(EMOTIONS)}
    return {
        emotion: np.sort(random.choice(found, min(count, len(found)), replace=False))
        for emotion, found in rows.items()
        if len(found)
    }
