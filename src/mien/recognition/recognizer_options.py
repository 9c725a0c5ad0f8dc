"""What a `Recognizer` is made with: its options, checked before anything is loaded, and what results say of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypedDict

from mien.choices import ALIGNMENTS, MODEL_DEVICES, MOST_YAW, SMALLEST_FACE, Preference
from mien.defaults import DEFAULT_ALIGNMENT, DEFAULT_PREFERENCE
from mien.errors import UsageError
from mien.faces.detection import Detector
from mien.faces.detectors import WITHOUT_LANDMARKS
from mien.given import choice, finite, flag, instance, real, share, whole, wrong
from mien.labels import EMOTIONS
from mien.model.card import ModelCard
from mien.recognition.classifier import Classifier
from mien.results import Header
from mien.threads import thread_count

_SMALLEST: Final = f"a whole number of pixels, at least {SMALLEST_FACE}"
_DEGREES: Final = f"0..{MOST_YAW} degrees"


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


def checked_options(made_of: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a `Recognizer` as plain values, of which the wrong ones are refused before anything is loaded.

    Raises:
        UsageError: a value of the wrong kind or out of range, or a detector without landmarks where they are needed.
    """
    model, detector, face, yaw, sets = (made_of[name] for name in ("model", "detector", "min_face", "max_yaw", "sets"))
    if not isinstance(model, str | Path) and not hasattr(model, "probabilities"):
        raise wrong("model", model, "a name, a path or a classifier (see `Classifier`)")
    if not isinstance(detector, str) and not hasattr(detector, "detect"):
        raise wrong("detector", detector, "a name or an object with a method `detect`")
    plain = {
        "device": instance("device", made_of["device"], str, f"one of {', '.join(MODEL_DEVICES)}"),
        "min_confidence": share("min_confidence", made_of["min_confidence"]),
        "min_face": None if face is None else whole("min_face", face, _SMALLEST, SMALLEST_FACE),
        "max_yaw": None if yaw is None else real("max_yaw", yaw, _DEGREES, lambda number: 0 <= number <= MOST_YAW),
        "min_probability": share("min_probability", made_of["min_probability"]),
        "sets": None if sets is None else finite("sets", sets, "a probability, for example 0.9, or None"),
        "out_of_place": flag("out_of_place", made_of["out_of_place"]),
        "alignment": choice("alignment", made_of["alignment"], ALIGNMENTS),
        "threads": made_of["threads"] if made_of["threads"] is None else thread_count(made_of["threads"]),
    }
    if yaw is not None and isinstance(detector, str) and detector in WITHOUT_LANDMARKS:
        raise UsageError(f"max_yaw needs landmarks, which detector {detector!r} does not give: use 'yunet'")
    return {**made_of, **plain}


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
