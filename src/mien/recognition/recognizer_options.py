"""What a `Recognizer` is made with: its options, checked before anything is loaded, and what results say of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

from mien.choices import MOST_YAW, SMALLEST_FACE, Preference
from mien.defaults import DEFAULT_ALIGNMENT, DEFAULT_PREFERENCE
from mien.errors import UsageError
from mien.faces.detection import Detector
from mien.faces.detectors import WITHOUT_LANDMARKS
from mien.labels import EMOTIONS
from mien.model.card import ModelCard
from mien.recognition.classifier import Classifier
from mien.results import Header


class RecognizerOptions(TypedDict, total=False):
    """What a `Recognizer` is made with."""

    model: str | Path | Classifier
    detector: str | Detector
    device: str
    min_confidence: float
    min_face: int | None
    max_yaw: float | None
    min_probability: float
    max_faces: int | None
    prefer: Preference
    region: tuple[int, int, int, int] | None
    sets: float | None
    out_of_place: bool
    threads: int | None
    alignment: str


def check_options(model: object, detector: object, min_confidence: object, min_face: object) -> None:
    """Refuse what is of the wrong kind before anything is loaded.

    Raises:
        UsageError: it is.
    """
    if not isinstance(model, str | Path) and not hasattr(model, "probabilities"):
        raise UsageError(f"model is {model!r}: expected a name, a path or a classifier (see `Classifier`)")
    if not isinstance(detector, str) and not hasattr(detector, "detect"):
        raise UsageError(f"detector is {detector!r}: expected a name or an object with a method `detect`")
    if not isinstance(min_confidence, int | float) or not 0 <= min_confidence <= 1:
        raise UsageError(f"min_confidence is {min_confidence!r}: expected 0..1")
    if min_face is not None and (type(min_face) is not int or min_face < SMALLEST_FACE):
        raise UsageError(f"min_face is {min_face!r}: expected a whole number of pixels, at least {SMALLEST_FACE}")


def check_trust(detector: object, max_yaw: object, min_probability: object) -> None:
    """Refuse what faces cannot be judged by.

    Raises:
        UsageError: a value out of range, or a detector without landmarks.
    """
    if not isinstance(min_probability, int | float) or not 0 <= min_probability <= 1:
        raise UsageError(f"min_probability is {min_probability!r}: expected 0..1")
    if max_yaw is None:
        return
    if not isinstance(max_yaw, int | float) or not 0 <= max_yaw <= MOST_YAW:
        raise UsageError(f"max_yaw is {max_yaw!r}: expected 0..{MOST_YAW} degrees")
    if detector in WITHOUT_LANDMARKS:
        raise UsageError(f"max_yaw needs landmarks, which detector {detector!r} does not give: use 'yunet'")


def header_of(classifier: Classifier, made_of: Mapping[str, Any]) -> Header:
    """What results come from, of a classifier and the options that a `Recognizer` is made with."""
    options = {"detector": named(made_of["detector"])} | {
        name: made_of[name] for name in ("min_confidence", "min_face")
    }
    usual: dict[str, Any] = {"alignment": DEFAULT_ALIGNMENT, "max_yaw": None, "min_probability": 0.0}
    usual |= {"max_faces": None, "prefer": DEFAULT_PREFERENCE, "region": None, "sets": None, "out_of_place": False}
    options |= {name: made_of[name] for name, value in usual.items() if made_of[name] != value}
    card = getattr(classifier, "card", None)
    if isinstance(card, ModelCard):
        return Header(card.name, getattr(classifier, "sha256", None), options, card.labels)
    return Header(named(classifier), None, options, tuple(getattr(classifier, "labels", EMOTIONS)))


def named(part: object) -> str:
    """What results call a model or a detector."""
    return str(part) if isinstance(part, str | Path) else type(part).__name__
