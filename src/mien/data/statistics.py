"""Descriptive statistics of a data set: class counts, mean faces, brightness, contrast."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.choices import USAGES
from mien.data.store import FaceStore
from mien.preprocess import grey_faces

_ROWS_AT_ONCE: Final = 1024
_PERCENTILES: Final = (5, 25, 50, 75, 95)


@dataclass(frozen=True, slots=True)
class Statistics:
    """Measures of each row of a data set, and what follows from them.

    Args:
        store: the data set.
        brightness: see `brightness` (N,).
        contrast: see `contrast` (N,).
        mean_faces: see `mean_faces` (classes, S, S).
    """

    store: FaceStore
    brightness: NDArray[np.float64]
    contrast: NDArray[np.float64]
    mean_faces: NDArray[np.float64]

    def to_dict(self) -> dict[str, Any]:
        """``{"rows", "source", "source_sha256", "counts", "brightness", "contrast"}``, JSON-ready.

        ``counts`` is that of `FaceStore.counts`; the measures have ``all``, ``per_usage`` and ``per_class``, each with
        the values of `spread`, in grey levels 0..255, for usages and classes that occur.
        """
        meta = asdict(self.store.meta)
        named = {key: meta[key] for key in ("rows", "source", "source_sha256")}
        measures = {"brightness": self._spreads(self.brightness), "contrast": self._spreads(self.contrast)}
        return named | {"counts": self.store.counts()} | measures

    def _spreads(self, values: NDArray[np.float64]) -> dict[str, Any]:
        def by(numbers: NDArray[np.uint8], names: tuple[str, ...]) -> dict[str, dict[str, float]]:
            groups = {name: values[numbers == number] for number, name in enumerate(names)}
            return {name: spread(group) for name, group in groups.items() if len(group)}

        per_usage, per_class = by(self.store.usages, USAGES), by(self.store.labels, self.store.classes)
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
        mean_faces(store.faces, store.labels, len(store.classes)),
    )


def brightness(faces: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean grey level, 0..255, of faces (N, H, W) or (N, H, W, 3); (N,)."""
    return np.asarray(grey_faces(faces).mean(axis=(1, 2)), np.float64)


def contrast(faces: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Standard deviation of the grey levels, 0..127.5, of faces (N, H, W) or (N, H, W, 3); (N,)."""
    return np.asarray(grey_faces(faces).std(axis=(1, 2)), np.float64)


def mean_faces(faces: NDArray[np.uint8], labels: NDArray[np.uint8], classes: int) -> NDArray[np.float64]:
    """Mean of the faces of each class.

    Args:
        faces: (N, H, W) or (N, H, W, 3).
        labels: class numbers (N,).
        classes: how many there are.

    Returns:
        Grey levels 0..255, (classes, H, W); NaN for a class without faces.
    """
    sums = np.zeros((classes, *faces.shape[1:3]), np.int64)
    for start in range(0, len(faces), _ROWS_AT_ONCE):
        piece, numbers = grey_faces(faces[start : start + _ROWS_AT_ONCE]), labels[start : start + _ROWS_AT_ONCE]
        for label in np.unique(numbers):
            sums[label] += piece[numbers == label].sum(axis=0, dtype=np.int64)
    counts = np.bincount(labels, minlength=classes)[:, None, None]
    means: NDArray[np.float64] = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return means


def spread(values: NDArray[np.float64]) -> dict[str, float]:
    """Mean, standard deviation (of the values, not of a sample) and percentiles of some values, at least one:
    ``{"mean", "deviation", "p5", "p25", "p50", "p75", "p95"}``.
    """
    percentiles = zip(_PERCENTILES, np.percentile(values, _PERCENTILES), strict=True)
    moments = {"mean": float(values.mean()), "deviation": float(values.std())}
    return moments | {f"p{share}": float(value) for share, value in percentiles}


def sample_rows(
    labels: NDArray[np.uint8], classes: Sequence[str], count: int, seed: int = 0
) -> dict[str, NDArray[np.intp]]:
    """Stratified sample without replacement: for each class at most ``count`` of its rows, ascending.

    Args:
        labels: class numbers (N,).
        classes: their names.
        count: rows for each class.
        seed: of the sample.
    """
    random = np.random.default_rng(seed)
    rows = {name: np.flatnonzero(labels == number) for number, name in enumerate(classes)}
    return {
        name: np.sort(random.choice(found, min(count, len(found)), replace=False))
        for name, found in rows.items()
        if len(found)
    }
