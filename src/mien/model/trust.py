"""The trust file of a model: its answers to labelled faces that it did not learn from, and how faces look to it.

From these follow, for a face of the same kind as those, a set of expressions that holds the true one with a wanted
probability (conformal prediction), and how unusual a face is (a conformal p-value).
"""

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelFileError, UsageError
from mien.files import whole_file
from mien.given import real

SUFFIX: Final = ".trust.npz"
"""Of the file beside a model file: ``model.onnx`` has ``model.trust.npz``."""

_EVEN: Final = 1e-9

_MAKE: Final = "make it with `mien evaluate MODEL --data DATA --usage PublicTest --trust FILE`"
"""What a user does about a trust file that is missing or no use."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Trust:
    """What is known of a model's answers to faces that it did not learn from, its calibration faces.

    Args:
        sha256: hash of the model file.
        labels: the model's classes, in its order.
        data: which faces they were, for people.
        true_probabilities: for each class, the probabilities that the model gave to it where it was true, ascending.
        mean: mean (D,) of the features, each divided by its length; empty where the model gives no features.
        factor: (D, K): the square of ``(features - mean) @ factor`` summed is Mahalanobis' distance. K is D and the
            matrix lower triangular, or K is less: the distance in the K principal components.
        distances: of the calibration faces, ascending; mean and factor are of other faces.
    """

    sha256: str
    labels: tuple[str, ...]
    data: str
    true_probabilities: tuple[NDArray[np.float32], ...]
    mean: NDArray[np.float32]
    factor: NDArray[np.float32]
    distances: NDArray[np.float32]

    @property
    def has_features(self) -> bool:
        """Whether `typicality` can be asked for."""
        return bool(len(self.mean))

    @cached_property
    def faces(self) -> int:
        """How many calibration faces there were."""
        return sum(map(len, self.true_probabilities))

    def thresholds(self, level: float) -> NDArray[np.float64]:
        """The least probability (classes,) with which each class belongs to a set of that level.

        Split conformal prediction for each class (Vovk, "Conditional validity of inductive conformal predictors",
        arXiv 1209.2673) with the score of Sadinle et al. ("Least Ambiguous Set-Valued Classifiers with Bounded Error
        Levels", arXiv 1609.00451): of n true probabilities, the floor((n + 1)(1 - level))-th from below. A class with
        too few faces for the level has 0, so that it is in every set.

        Raises:
            UsageError: the level is not between 0 and 1.
        """
        expected = "more than 0 and less than 1, for example 0.9"
        level = real("level of the sets", level, expected, lambda number: 0 < number < 1)
        found = []
        for values in self.true_probabilities:
            rank = math.floor((len(values) + 1) * (1 - level) + _EVEN)
            found.append(float(values[rank - 1]) if rank else 0.0)
        return np.array(found)

    def sets(self, probabilities: NDArray[np.float64], level: float) -> list[tuple[str, ...]]:
        """For each face the classes of which one is the true one with at least a probability, likeliest first.

        Args:
            probabilities: (N, classes), calibrated.
            level: that probability, more than 0, less than 1. It holds for each class, over faces drawn as the
                calibration faces were.

        Returns:
            Classes that reach their threshold; the likeliest alone where none does.
        """
        inside = probabilities >= self.thresholds(level) - _EVEN
        inside[np.arange(len(inside)), probabilities.argmax(axis=1)] |= ~inside.any(axis=1)
        ranked = np.argsort(-probabilities, axis=1, kind="stable")
        return [
            tuple(self.labels[number] for number in order if held[number])
            for order, held in zip(ranked, inside, strict=True)
        ]

    def typicality(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Share (N,) of the calibration faces that are as far from the mean as a face, or farther: a conformal p-value.

        Args:
            features: (N, D), see `mien.model.onnx_model.Bundle.features_of_input`.
        """
        nearer = np.searchsorted(self.distances, mahalanobis(features, self.mean, self.factor), side="left")
        return np.asarray((len(self.distances) - nearer + 1) / (len(self.distances) + 1))

    def save(self, path: Path) -> Path:
        """Write the file, whole or not at all; returns the path.

        Raises:
            UsageError: it cannot be written.
        """
        with whole_file(path, UsageError) as partial, partial.open("wb") as file:
            np.savez_compressed(
                file,
                sha256=np.array(self.sha256),
                labels=np.array(self.labels),
                data=np.array(self.data),
                counts=np.array([len(values) for values in self.true_probabilities]),
                true_probabilities=np.concatenate(self.true_probabilities),
                mean=self.mean,
                factor=_packed(self.factor),
                distances=self.distances,
            )
        return path

    @classmethod
    def load(cls, path: Any, model: bytes, labels: tuple[str, ...], mend: str = _MAKE) -> Self:
        """The trust file of a model.

        Args:
            path: the file, a `Path` or a resource of the package.
            model: the content of the model file.
            labels: its classes.
            mend: what errors say to do about it.

        Raises:
            ModelFileError: it cannot be read, is none, or belongs to another model.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
                trust = cls(**_unpacked(held))
        except OSError as error:
            raise ModelFileError(f"{path}: cannot be read ({error.strerror}); {mend}") from None
        except Exception:  # a damaged archive raises whatever its parser met
            raise ModelFileError(f"{path}: not a trust file of mien; {mend}") from None
        if trust.sha256 != hashlib.sha256(model).hexdigest() or trust.labels != labels:
            raise ModelFileError(f"{path}: belongs to another model file; {mend}")
        return trust


def mahalanobis(
    features: NDArray[np.float32], mean: NDArray[np.float32], factor: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Square of Mahalanobis' distance (N,) of features (N, D), each divided by its length, from their mean.

    Directions instead of features: Mueller and Hein, "Mahalanobis++", arXiv 2505.18032.
    """
    return np.asarray((((directions(features) - mean) @ factor) ** 2).sum(axis=1), np.float32)


def directions(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features (N, D), each divided by its length."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)


def as_stored(factor: NDArray[np.float64]) -> NDArray[np.float32]:
    """A factor (D, K) as precise as its file holds it."""
    return _unpacked_factor(_packed(factor), len(factor))


def _packed(factor: NDArray[Any]) -> NDArray[np.float16]:
    """A factor in half precision: of a square one the lower triangle as a vector."""
    size, components = factor.shape
    return np.asarray((factor[np.tril_indices(size)] if size == components else factor).astype(np.float16))


def _unpacked_factor(held: NDArray[np.float16], size: int) -> NDArray[np.float32]:
    """The factor (size, K) of `_packed`."""
    if held.ndim == 2:
        return held.astype(np.float32)
    factor = np.zeros((size, size), np.float32)
    factor[np.tril_indices(size)] = held
    return factor


def _unpacked(held: Any) -> dict[str, Any]:
    ends = np.cumsum(held["counts"])[:-1]
    return {
        "sha256": str(held["sha256"]),
        "labels": tuple(map(str, held["labels"])),
        "data": str(held["data"]),
        "true_probabilities": tuple(np.split(held["true_probabilities"], ends)),
        "mean": held["mean"],
        "factor": _unpacked_factor(held["factor"], len(held["mean"])),
        "distances": held["distances"],
    }
