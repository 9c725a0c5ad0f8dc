"""Robustness of a model to image corruptions: accuracy, calibration and confident errors.

The figures follow ImageNet-C (Hendrycks and Dietterich, arXiv 1903.12261): `mien.evaluation.corruptions` applies every
corruption to the same faces at five severities.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelFileError
from mien.evaluation import calibration
from mien.evaluation.classifier import Classifier
from mien.evaluation.corruptions import CORRUPTIONS, SEVERITIES, Corruption, corrupted
from mien.evaluation.earlier_trainings import families_of
from mien.evaluation.evaluated import Evaluation
from mien.evaluation.tta import Track, predict_logits
from mien.model.onnx_model import softmax

CONFIDENT: Final = 0.8
"""Probability from which a wrong answer is a confident error."""

FAMILIES_KEY: Final = "augment_families"
"""Where a card's ``training`` names the families that its training faces were varied by."""

_FIGURES: Final = ("accuracy", "ece", "confident_errors")


@dataclass(frozen=True, slots=True)
class Score:
    """Figures of one set of faces, or means of several; each 0..1.

    Args:
        accuracy: share of right answers.
        ece: expected calibration error with the model's temperature.
        confident_errors: share of the faces that are misclassified with a probability of `CONFIDENT` or more.
    """

    accuracy: float
    ece: float
    confident_errors: float


@dataclass(frozen=True, slots=True)
class CorruptionScores:
    """A model under one corruption: the strengths, and the figures at each of them."""

    name: str
    family: str
    unit: str
    strengths: tuple[float, ...]
    scores: tuple[Score, ...]

    @property
    def mean(self) -> Score:
        """Over the strengths."""
        return mean_score(self.scores)


@dataclass(frozen=True, eq=False, kw_only=True)
class Robustness:
    """A model under every corruption.

    Args:
        model: what the model is called.
        model_sha256: hash of its file, None when there is none.
        source, source_sha256, usage, tta, targets: as in `mien.evaluation.report.Evaluation`.
        n: faces.
        seed: of what corruptions draw.
        trained_families: families of augmentation that the model was trained with, None where its card does not say.
        clean: figures of the faces as they are.
        corruptions: figures by corruption.
        right: share of all corruptions and strengths at which each face is classified correctly, (n,).
    """

    model: str
    model_sha256: str | None
    source: str
    source_sha256: str
    usage: str
    tta: str
    targets: str
    n: int
    seed: int
    trained_families: tuple[str, ...] | None
    clean: Score
    corruptions: tuple[CorruptionScores, ...]
    right: NDArray[np.float64]

    @property
    def mean(self) -> Score:
        """Over all corruptions and strengths, each counting the same."""
        return mean_score([entry.mean for entry in self.corruptions])

    def mean_over(self, *, trained: bool) -> Score | None:
        """Over the corruptions whose family the model was trained with, or was not; None where there are none or the
        card does not say.
        """
        if self.trained_families is None:
            return None
        chosen = [entry.mean for entry in self.corruptions if (entry.family in self.trained_families) == trained]
        return mean_score(chosen) if chosen else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values; shares are 0..1. ``mean_trained`` and ``mean_not_trained`` are null where unknown."""
        trained, other = (self.mean_over(trained=which) for which in (True, False))
        return {
            "model": {"name": self.model, "sha256": self.model_sha256},
            "data": {"source": self.source, "sha256": self.source_sha256},
            "usage": self.usage,
            "tta": self.tta,
            "targets": self.targets,
            "n": self.n,
            "seed": self.seed,
            "confident": CONFIDENT,
            "clean": asdict(self.clean),
            "mean": asdict(self.mean),
            "trained_families": None if self.trained_families is None else list(self.trained_families),
            "mean_trained": trained and asdict(trained),
            "mean_not_trained": other and asdict(other),
            "corruptions": [self._entry(entry) for entry in self.corruptions],
        }

    def _entry(self, entry: CorruptionScores) -> dict[str, Any]:
        known = self.trained_families
        severities = [
            {"severity": severity, "strength": strength, **asdict(score)}
            for severity, strength, score in zip(SEVERITIES, entry.strengths, entry.scores, strict=True)
        ]
        trained = None if known is None else entry.family in known
        about = {"name": entry.name, "family": entry.family, "trained": trained, "unit": entry.unit}
        return {**about, "mean": asdict(entry.mean), "severities": severities}


def score(logits: NDArray[np.float32], labels: NDArray[np.uint8], temperature: float) -> Score:
    """Figures of answers.

    Args:
        logits: finite (N, classes), before temperature, N at least 1.
        labels: true class numbers (N,).
        temperature: divides the logits.
    """
    probabilities = softmax(logits / temperature)
    wrong = logits.argmax(axis=1) != labels
    return Score(
        accuracy=float(1 - wrong.mean()),
        ece=calibration.expected_calibration_error(probabilities, labels),
        confident_errors=float((wrong & (probabilities.max(axis=1) >= CONFIDENT)).mean()),
    )


def mean_score(scores: Sequence[Score]) -> Score:
    """Mean of at least one score, figure by figure."""
    return Score(*(fmean(getattr(entry, figure) for entry in scores) for figure in _FIGURES))


def measure_robustness(
    classifier: Classifier,
    evaluation: Evaluation,
    faces: NDArray[np.uint8],
    *,
    corruptions: Sequence[Corruption] = CORRUPTIONS,
    seed: int = 0,
    track: Track = iter,
) -> Robustness:
    """Evaluate a model under every corruption at every severity.

    Args:
        classifier: the model.
        evaluation: its answers to the faces as they are: `mien.evaluation.report.evaluate`.
        faces: all faces of the data set, as `corrupted` takes them; the evaluation's rows are taken.
        corruptions: what spoils them, at least one.
        seed: of what corruptions draw, at least 0.
        track: wraps the loop over corruptions and strengths, for a progress bar.

    Raises:
        ModelFileError: the model's answers are not finite, or what its card says of its training is malformed.
    """
    families = trained_families(classifier.card.training, classifier.card.name, evaluation.model_sha256)
    chosen, labels, right, scores = faces[evaluation.rows], evaluation.labels, np.zeros(len(evaluation)), []
    for number in track(range(len(corruptions) * len(SEVERITIES))):
        corruption = corruptions[number // len(SEVERITIES)]
        spoilt = corrupted(chosen, corruption, corruption.strengths[number % len(SEVERITIES)], seed)
        logits = predict_logits(classifier, spoilt, evaluation.tta)
        scores.append(score(logits, labels, evaluation.temperature))
        right += logits.argmax(axis=1) == labels
    count = len(SEVERITIES)
    return Robustness(
        model=evaluation.model,
        model_sha256=evaluation.model_sha256,
        source=evaluation.source,
        source_sha256=evaluation.source_sha256,
        usage=evaluation.usage,
        tta=evaluation.tta,
        targets=evaluation.targets,
        n=len(evaluation),
        seed=seed,
        trained_families=families,
        clean=score(evaluation.logits, labels, evaluation.temperature),
        corruptions=tuple(
            CorruptionScores(entry.name, entry.family, entry.unit, entry.strengths, tuple(scores[at : at + count]))
            for at, entry in zip(range(0, len(scores), count), corruptions, strict=True)
        ),
        right=right / len(scores),
    )


def trained_families(training: dict[str, Any], model: str, sha256: str | None = None) -> tuple[str, ...] | None:
    """Families of augmentation that a network has met in training, sorted; None where that is not known.

    Those of the network it started from and of the members of an ensemble count too, and must be known as well: by
    their cards, or as trainings of mien's that are older than the key (`mien.evaluation.earlier_trainings`).

    Args:
        training: of a model's card.
        model: what to call it in errors.
        sha256: of its file, lower-case hexadecimal.

    Raises:
        ModelFileError: the card names them in another form than a list of texts.
    """
    met: set[str] = set()
    for named in _named_families({"sha256": sha256, **training}):
        if named is None:
            return None
        if not (isinstance(named, list) and all(isinstance(family, str) for family in named)):
            raise ModelFileError(f"model {model}: {FAMILIES_KEY} in its card is {named!r}: expected a list of names")
        met.update(named)
    return tuple(sorted(met))


def _named_families(training: dict[str, Any]) -> Iterator[Any]:
    """What a card says of each training that went into a network, None where it says nothing."""
    if members := training.get("members"):
        for member in members:
            yield from _named_families(member)
        return
    yield training.get(FAMILIES_KEY, families_of(training.get("sha256")))
    if "initial_weights" in training:
        yield from _named_families(training["initial_weights"])
