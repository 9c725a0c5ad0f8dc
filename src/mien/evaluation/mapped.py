"""A model whose classes are mapped onto those of a data set: joined, in another order, or left out."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.data.reading.class_maps import meant
from mien.data.store import FaceStore
from mien.errors import UsageError
from mien.evaluation.classifier import Classifier
from mien.labels import class_key
from mien.model.card import ModelCard
from mien.model.onnx_model import softmax

_LEAST: Final = 1e-12
"""Probability that stands for one of 0, so that logits stay finite."""


class MappedClassifier:
    """A model whose calibrated probabilities are summed by what its classes are taken for; where each is one of those
    that are wanted, its logits are put in their order, and its temperature stays.

    Args:
        classifier: the model.
        classes: those that are wanted, by number.
        meanings: the class that each of the model's is taken for, None for one that is left out; the rest is
            renormalised. Every wanted class must be among them.
    """

    def __init__(self, classifier: Classifier, classes: tuple[str, ...], meanings: Mapping[str, str | None]) -> None:
        self._classifier = classifier
        taken = np.array([[meanings[label] == name for name in classes] for label in classifier.card.labels])
        self._sums = taken.astype(np.float64)
        self._order = taken.argmax(axis=0) if (taken.sum(axis=0) == 1).all() and taken.any(axis=1).all() else None
        temperature = 1.0 if self._order is None else classifier.card.temperature
        self.card = replace(classifier.card, labels=classes, temperature=temperature)

    @property
    def sha256(self) -> str | None:
        """Hash of the file with the weights, lower-case hexadecimal; None for a network that lies in no file."""
        return self._classifier.sha256

    def logits_of_input(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of preprocessed faces (N, classes), or where classes are joined logarithms of the probabilities."""
        logits = self._classifier.logits_of_input(inputs)
        if self._order is not None:
            return logits[:, self._order]
        summed = softmax(logits / self._classifier.card.temperature) @ self._sums
        probabilities = summed / np.maximum(summed.sum(axis=1, keepdims=True), _LEAST)
        answers: NDArray[np.float32] = np.log(np.maximum(probabilities, _LEAST)).astype(np.float32)
        return answers


def mapped(
    classifier: Classifier, classes: tuple[str, ...], names: Mapping[str, str | None], *, advise: bool = True
) -> Classifier:
    """A model that answers in the classes of a data set.

    Args:
        classifier: the model; it is given as it is where its classes are those that are wanted.
        classes: of the data set.
        names: what the model's classes are taken for, by `mien.labels.class_key`, None for one that is left out
            (`mien.data.reading.class_maps.class_map`); others are those of the data set that are called so, in any case
            or by another word for the emotion.
        advise: whether the error tells of `--map`, which not every command has.

    Raises:
        UsageError: a class is taken for one that the data set does not have, or one of its classes is missing; both
            lists are named.
    """
    labels = classifier.card.labels
    if labels == classes and not any(class_key(label) in names for label in labels):
        return classifier
    meanings = {label: meant(names.get(class_key(label), label), classes) for label in labels}
    given = {meaning for meaning in meanings.values() if meaning is not None}
    if given != set(classes):
        raise UsageError(_differ(classifier.card, classes, given, advise=advise))
    return MappedClassifier(classifier, classes, meanings)


def require_classes(card: ModelCard, store: FaceStore) -> None:
    """Refuse to compare a model with a data set of other classes.

    Raises:
        UsageError: as said; both lists are named.
    """
    if card.labels != store.classes:
        differ = _differ(card, store.classes, set(card.labels), advise=False)
        raise UsageError(f"{differ} in the same order")


def _differ(card: ModelCard, classes: tuple[str, ...], given: set[str], *, advise: bool) -> str:
    unknown, missing = sorted(given - set(classes)), sorted(set(classes) - given)
    wrong = [f"the data set has no {', '.join(unknown)}"] if unknown else []
    wrong += [f"the model never answers {', '.join(missing)}"] if missing else []
    said = (
        f"model {card.name} has the classes {', '.join(card.labels)}, the data set {', '.join(classes)}: "
        f"{'; '.join(wrong) or 'in another order'}"
    )
    return f"{said}; {_advice(unknown, missing, classes) if advise else 'expected the same classes'}"


def _advice(unknown: list[str], missing: list[str], classes: tuple[str, ...]) -> str:
    if unknown:
        example = f"--map {unknown[0]}=CLASS or --map {unknown[0]}=skip"
    else:
        lacking = (missing or classes)[0]
        example = f"--map CLASS={lacking}, or leave that out where pictures are read or imported: --map {lacking}=skip"
    return f"say what the model's are with {example}"
