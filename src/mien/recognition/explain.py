"""Where in a face the evidence for an expression lies, asked of the model from outside.

After RISE (Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box Models", arXiv 1806.07421):
the model answers to many copies of the face of which random parts are hidden. Where RISE averages the masks, a ridge
regression of the log odds on what was hidden is solved here: it needs a quarter of the copies for the same maps.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.output.explanation import Explanation
from mien.recognition.classifier import Classifier
from mien.recognition.finder import Candidate, Finder
from mien.results import Face

GRID: Final = 7
"""Cells of the masks in a row."""

COPIES: Final = 128
"""Of each face. 200 gained nothing that could be told from chance (docs/experiments.md)."""

_RIDGE: Final = 5.0
_LEAST: Final = 1e-6
"""Probabilities are kept this far from 0 and 1, so that their log odds are finite."""

_SHOWN: Final = 240
"""Side in pixels of the face in a drawing."""

_SEED: Final = 0

METHOD: Final = "rise"
GRADIENTS: Final = "grad-cam"
"""Names of the methods in JSON; the second is of `mien.evaluation.grad_cam`."""


def evidence(classifier: Classifier, crop: NDArray[np.uint8]) -> NDArray[np.float64]:
    """How much each place of a face speaks for each class.

    Args:
        classifier: what is asked, `COPIES` times in one batch.
        crop: the face, uint8 (S, S) or (S, S, 3).

    Returns:
        (classes, S, S): by how much the log odds of the class, in nats, are higher with the cell of a 7x7 grid around
        that place shown than with it hidden under the mean colour of the face; between the cells' middles
        interpolated. Negative where the place speaks against the class. The same at every call.
    """
    shown, masks = _masks(crop.shape[0])
    masks = masks if crop.ndim == 2 else masks[..., None]
    hidden = crop.mean(axis=(0, 1))
    copies = np.rint(hidden + masks * (crop - hidden)).astype(np.uint8)
    answers = np.clip(classifier.probabilities(copies), _LEAST, 1 - _LEAST)
    odds = np.log(answers / (1 - answers))
    centred = shown - shown.mean(axis=0)
    weights = np.linalg.solve(
        centred.T @ centred + _RIDGE * np.eye(GRID * GRID), centred.T @ (odds - odds.mean(axis=0))
    )
    spread = _spread(crop.shape[0])
    return np.asarray(spread @ weights.T.reshape(-1, GRID, GRID) @ spread.T)


class Explainer:
    """Explains the faces of one picture, whose crops it keeps.

    Args:
        finder: what cut them out.
        classifier: what answered; its method ``evidence`` of a crop, if it has one, replaces `evidence`.
        candidates: the faces that were found.
    """

    def __init__(self, finder: Finder, classifier: Classifier, candidates: Sequence[Candidate]) -> None:
        self._finder, self._classifier = finder, classifier
        self._candidates = {candidate.box: candidate for candidate in candidates}

    def __call__(self, faces: Sequence[Face], image: NDArray[np.uint8] | None) -> list[Explanation]:
        """Explanations of some of the faces, in their order.

        Args:
            faces: those that are explained.
            image: the picture, from which faces are cut out larger for people; None: what the model saw is shown.
        """
        return [self._explained(face, self._candidates[face.box], image) for face in faces]

    def _explained(self, face: Face, candidate: Candidate, image: NDArray[np.uint8] | None) -> Explanation:
        own = getattr(self._classifier, "evidence", None)
        found = evidence(self._classifier, candidate.crop) if own is None else own(candidate.crop)
        maps: Mapping[str, NDArray[np.float64]] = dict(zip(face.probabilities, found, strict=True))
        seen = candidate.crop if image is None else self._finder.cut(image, candidate.detection, _SHOWN)
        return Explanation(face, seen, maps, METHOD if own is None else GRADIENTS)


@lru_cache(maxsize=4)
def _masks(side: int) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Which cells are shown in each copy, 0 or 1, (copies, cells); and the same as smooth masks (copies, side, side).

    Half of the copies show what the other half hides, which takes the chance out of how many cells are shown.
    """
    half = np.random.default_rng(_SEED).integers(0, 2, (COPIES // 2, GRID * GRID)).astype(np.float64)
    shown, spread = np.concatenate([half, 1 - half]), _spread(side)
    return shown, np.asarray(spread @ shown.reshape(-1, GRID, GRID) @ spread.T, np.float32)


def _spread(side: int) -> NDArray[np.float64]:
    """Weights (side, cells) that interpolate values of cells linearly between their middles; beyond them they stay."""
    places = np.clip((np.arange(side) + 0.5) / side * GRID - 0.5, 0, GRID - 1)
    return np.asarray(np.maximum(0, 1 - np.abs(places[:, None] - np.arange(GRID))))
