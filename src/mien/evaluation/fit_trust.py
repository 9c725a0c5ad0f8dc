"""Makes the trust file of a model of its answers to rows that it did not learn from (`mien.model.trust`)."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.data.store import FaceStore
from mien.errors import UsageError
from mien.evaluation.conformal import SEED, halves, true_probabilities
from mien.evaluation.evaluated import Evaluation
from mien.evaluation.provenance import TrainedOn
from mien.model.trust import Trust, as_stored, directions, mahalanobis

_SHRINKAGE: Final = 0.02
"""Share of the covariance that is replaced by a multiple of the identity, so that it can be inverted; of 0.02, 0.1 and
0.3 the least told cartoons from faces best (docs/experiments.md).
"""

MOST_WHOLE: Final = 1024
"""Of a model with more features, `PRINCIPAL_COMPONENTS` are looked at: the matrix would be larger than the model."""

PRINCIPAL_COMPONENTS: Final = 128
"""Chosen without measuring; faces vary along few directions."""

MOST_FEATURES: Final = 4096
"""A model with more has a trust file without them: finding the components takes the cube of their number, some half a
minute of so many.
"""

MOST_REFERENCES: Final = 4000
"""Training rows that are looked at; more of them changed nothing."""

FEWEST_FACES: Final = 40
"""Of the rows, half of which are fitted on."""


def fit_trust(evaluation: Evaluation, features: NDArray[np.float32], reference: NDArray[np.float32]) -> Trust:
    """The trust file of a model: fitted on the first half of the rows (`conformal.halves`), so that the other tests it.

    Args:
        evaluation: the model's answers, in its own classes.
        features: of its rows (N, D).
        reference: features (M, D) of faces that say how faces look, Training rows as a rule; with none half of the
            rows that are fitted on take their place.

    Raises:
        UsageError: fewer than `FEWEST_FACES`, or rows that the model was trained on.
    """
    check_rows(len(evaluation), evaluation.trained_on)
    fitted, _ = halves(evaluation.labels)
    mean, factor, distances = typical(reference, features[fitted])
    return Trust(
        sha256=evaluation.model_sha256 or "",
        labels=evaluation.classes,
        data=f"half (seed {SEED}) of {evaluation.where}, {len(fitted):,} faces",
        true_probabilities=true_probabilities(evaluation.probabilities[fitted], evaluation.labels[fitted]),
        mean=mean,
        factor=factor,
        distances=distances,
    )


def check_rows(count: int, learned: TrainedOn | None) -> None:
    """Refuse rows that a trust file cannot be fitted on.

    Args:
        count: how many there are.
        learned: how many of them the model was trained on, if that is known.

    Raises:
        UsageError: fewer than `FEWEST_FACES`, or rows that the model was trained on.
    """
    if count < FEWEST_FACES:
        raise UsageError(f"--trust: {count} faces: expected at least {FEWEST_FACES}")
    if learned is not None and learned.rows:
        raise UsageError("--trust: the model was trained on some of these rows; choose others, PublicTest as a rule")


def reference_rows(store: FaceStore) -> NDArray[np.intp]:
    """Training rows of a data set, ascending, at most `MOST_REFERENCES` of them, drawn at random."""
    rows = np.random.default_rng(SEED).permutation(store.rows_of("Training"))
    return np.sort(rows[:MOST_REFERENCES])


def typical(
    reference: NDArray[np.float32], features: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Mean (D,) and factor (D, K) of some faces, and the distances of other faces from them, ascending.

    Args:
        reference: features (M, D) of the first; with none every second one of the others is taken.
        features: (N, D) of the others.

    Returns:
        K is D, or `PRINCIPAL_COMPONENTS` where D is more than `MOST_WHOLE`: of the directions along which faces vary
        most. Nothing where D is more than `MOST_FEATURES`.
    """
    if features.shape[1] > MOST_FEATURES:
        none = np.empty(0, np.float32)
        return none, none.reshape(0, 0), none
    if not len(reference):
        reference, features = features[::2], features[1::2]
    mean, factor = _mean_and_factor(reference)
    return mean, factor, np.sort(mahalanobis(features, mean, factor))


def _mean_and_factor(features: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean of the directions, and the Cholesky factor of their inverse covariance, as precise as it is stored."""
    ways = directions(features).astype(np.float64)
    mean = ways.mean(axis=0)
    covariance = (ways - mean).T @ (ways - mean) / len(ways)
    if len(mean) <= MOST_WHOLE:
        return mean.astype(np.float32), as_stored(_whitening(covariance))
    axes = np.linalg.eigh(covariance)[1][:, -PRINCIPAL_COMPONENTS:]
    return mean.astype(np.float32), as_stored(axes @ _whitening(axes.T @ covariance @ axes))


def _whitening(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """The Cholesky factor of a covariance's inverse, for a mean variance of 1, so that float16 holds it."""
    size = len(covariance)
    scale = max(float(np.trace(covariance)) / size, float(np.finfo(np.float32).tiny))
    precision = np.linalg.inv((1 - _SHRINKAGE) * covariance / scale + _SHRINKAGE * np.eye(size))
    return np.asarray(np.linalg.cholesky(precision))
