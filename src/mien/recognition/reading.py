"""What a classifier reads off faces: probabilities, and how far to trust them where that was asked for."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelFileError, UsageError
from mien.given import wrong
from mien.model.onnx_model import Bundle, softmax
from mien.model.trust import SUFFIX
from mien.recognition.classifier import Classifier


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What was read off one face.

    Args:
        probabilities: (classes,), calibrated.
        emotions: the conformal set, likeliest first; None where none was asked for.
        typicality: share of known faces that are as unusual, or more; likewise.
    """

    probabilities: NDArray[np.float64]
    emotions: tuple[str, ...] | None = None
    typicality: float | None = None


class Reader:
    """Reads faces.

    Args:
        classifier: what answers.
        sets: wanted coverage of conformal sets, more than 0, less than 1; None: no sets.
        out_of_place: whether the typicality of faces is asked for.

    Raises:
        UsageError: sets or typicality of something else than a model file; a level out of range.
        ModelFileError: the model has no trust file, or none with features.
    """

    def __init__(self, classifier: Classifier, sets: float | None = None, *, out_of_place: bool = False) -> None:
        self._classifier, self._sets, self._out_of_place = classifier, sets, out_of_place
        if sets is None and not out_of_place:
            return
        if not isinstance(classifier, Bundle):
            raise UsageError(f"sets and out_of_place need a model file with a file {SUFFIX} beside it")
        if sets is not None:
            classifier.trust.thresholds(sets)
        if out_of_place and not classifier.trust.has_features:
            raise ModelFileError(f"{classifier.source}: its trust file holds no features: leave out_of_place out")

    def __call__(self, faces: NDArray[np.uint8]) -> Iterator[Reading]:
        """A reading of each face crop, uint8 (N, S, S) or (N, S, S, 3), N at least 1."""
        probabilities, typicality = self._answers(faces)
        sets = [None] * len(faces) if self._sets is None else self._bundle.trust.sets(probabilities, self._sets)
        yield from map(Reading, probabilities, sets, typicality)

    def _answers(self, faces: NDArray[np.uint8]) -> tuple[NDArray[np.float64], list[float] | list[None]]:
        if not self._out_of_place:
            return _checked(self._classifier.probabilities(faces), len(faces)), [None] * len(faces)
        card = self._bundle.card
        logits, features = self._bundle.features_of_input(card.preprocess.apply(faces))
        return softmax(logits / card.temperature), self._bundle.trust.typicality(features).tolist()

    @property
    def _bundle(self) -> Bundle:
        assert isinstance(self._classifier, Bundle)
        return self._classifier


def _checked(answers: object, faces: int) -> NDArray[np.float64]:
    """What a classifier, perhaps somebody else's, gives for so many faces."""
    try:
        found = np.asarray(answers, np.float64)
    except (TypeError, ValueError):
        found = np.empty(())
    if found.ndim != 2 or len(found) != faces:
        raise wrong("what the classifier gives", answers, f"probabilities, an array of shape ({faces}, classes)")
    return found
