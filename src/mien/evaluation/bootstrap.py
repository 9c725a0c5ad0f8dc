"""Bootstrap intervals of every figure of an evaluation: faces are drawn, or whole groups where there are some."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.evaluation.calibration import CALIBRATION_BINS, confidence_bins
from mien.evaluation.clustered import number_of_groups
from mien.evaluation.evaluated import Evaluation
from mien.evaluation.metrics import balanced_accuracy, class_scores

INTERVALS_OF: Final = ("top2_accuracy", "macro_f1_present", "balanced_accuracy", "nll", "ece")
"""Figures that get an interval here, by their keys in `Evaluation.to_dict`; that of the accuracy is Wilson's."""

_DRAWS: Final = 2000
_DRAWS_AT_ONCE: Final = 200


def bootstrap_intervals(evaluation: Evaluation, *, draws: int = _DRAWS, seed: int = 0) -> dict[str, list[float]]:
    """95 % percentile intervals (Efron, 1979) of `INTERVALS_OF`, each [low, high].

    All these figures follow from sums over faces (confusion matrix, loss, bins of confidence), so a draw only says how
    often each face, or group, counts. The macro F1 of few faces, and any ECE, are biased upwards or downwards by
    drawing: the interval may then lie to one side of the figure.
    """
    sums = _sums_of_units(evaluation)
    random, parts = np.random.default_rng(seed), []
    for start in range(0, draws, _DRAWS_AT_ONCE):
        size = min(_DRAWS_AT_ONCE, draws - start)
        times = random.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=size)
        parts.append(times @ sums)
    figures = np.array([_figures(total, evaluation.confusion.shape[0]) for total in np.concatenate(parts)])
    bounds = np.percentile(figures, [2.5, 97.5], axis=0).T
    return dict(zip(INTERVALS_OF, bounds.tolist(), strict=True))


def _sums_of_units(evaluation: Evaluation) -> NDArray[np.float64]:
    """What figures are made of, summed over each face or group: (units, sums)."""
    terms = _terms(evaluation)
    groups = evaluation.groups
    if groups is None or not number_of_groups(groups):
        return terms
    unit = np.unique(groups, return_inverse=True)[1]
    sums = np.zeros((unit.max() + 1, terms.shape[1]))
    np.add.at(sums, unit, terms)
    return sums


def _terms(evaluation: Evaluation) -> NDArray[np.float64]:
    """Of each face: its cell of the confusion matrix, whether its label is among the two likeliest, its loss, and by
    bin of confidence how far confidence exceeds being right.
    """
    probabilities, labels, faces = (
        evaluation.probabilities,
        evaluation.labels.astype(np.intp),
        np.arange(len(evaluation)),
    )
    classes = evaluation.confusion.shape[0]
    cells = np.zeros((len(faces), classes**2))
    cells[faces, labels * classes + evaluation.predictions] = 1
    own = probabilities[faces, labels]
    earlier = np.arange(classes) < labels[:, None]
    rank = ((probabilities > own[:, None]) | ((probabilities == own[:, None]) & earlier)).sum(axis=1)
    loss = -np.log(np.maximum(own, np.finfo(np.float64).tiny))
    confidence = probabilities.max(axis=1)
    excess = np.zeros((len(faces), CALIBRATION_BINS))
    excess[faces, confidence_bins(confidence)[1]] = confidence - (evaluation.predictions == labels)
    return np.column_stack([cells, rank < 2, loss, excess])


def _figures(total: NDArray[np.float64], classes: int) -> tuple[float, ...]:
    """`INTERVALS_OF` from sums over the faces drawn."""
    confusion, (top2, loss), excess = total[: classes**2], total[classes**2 :][:2], total[classes**2 + 2 :]
    faces = confusion.sum()
    cells = np.rint(confusion).astype(np.int64).reshape(classes, classes)
    scores = class_scores(cells)
    macro = float(scores.f1[scores.support > 0].mean())
    return top2 / faces, macro, balanced_accuracy(cells), loss / faces, np.abs(excess).sum() / faces
