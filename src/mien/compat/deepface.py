"""`analyze` of the package deepface, for expressions: ``from mien.compat import deepface as DeepFace``.

    DeepFace.analyze("photo.jpg", actions=["emotion"])  # [{"emotion": {...}, "dominant_emotion": "happy", ...}]

Written from that package's README, docstring and tests. docs/guide/coming_from.md says what differs.
"""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import numpy as np

from mien.compat.inputs import InvalidArgumentError, read_picture
from mien.defaults import DEFAULT_DETECTOR, DEFAULT_MODEL
from mien.errors import InputError
from mien.media.decode_picture import Pixels
from mien.recognition.finder import Candidate
from mien.recognition.recognizer import Recognizer
from mien.results import Face

BACKENDS: Final = (
    *("opencv", "ssd", "dlib", "mtcnn", "fastmtcnn", "retinaface", "mediapipe", "yolov8", "yolov8n", "yolov8m"),
    *("yolov8l", "yolov11n", "yolov11s", "yolov11m", "yolov11l", "yolov12n", "yolov12s", "yolov12m", "yolov12l"),
    *("yunet", "centerface", "skip"),
)
"""deepface's detectors. All of them mean YuNet here; ``skip``: every picture is a face."""

_ACTIONS: Final = ("emotion",)
_LEFT_EYE, _RIGHT_EYE = 1, 0
"""Of mien's landmarks: the person's left eye stands right in the picture."""


class FaceNotDetectedError(InputError, ValueError):
    """There is no face in a picture."""


class UnreadablePictureError(InputError, ValueError):
    """A picture cannot be read."""


def analyze(
    img_path: Any,
    actions: str | Sequence[str] = _ACTIONS,
    enforce_detection: bool = True,
    detector_backend: str = "opencv",
    align: bool = True,
    expand_percentage: int = 0,
    silent: bool = False,
    anti_spoofing: bool = False,
) -> list[dict[str, Any]] | list[list[dict[str, Any]]]:
    """The expressions of the faces in a picture, largest first.

    Args:
        img_path: a path, an http(s) address, BGR pixels, base64 after ``data:image/...``, a file open for reading
            bytes; or a list of such, or BGR pixels of several (N, H, W, 3).
        actions: ``("emotion",)``; mien reads neither age nor gender nor race.
        enforce_detection: whether a picture without a face is an error; else all of it is read as a face.
        detector_backend: one of `BACKENDS`.
        align: whether faces are turned upright and framed like FER2013's; without it the box is cut out.
        expand_percentage: without effect, which a warning says.
        silent: without effect, there is no progress bar.
        anti_spoofing: refused.

    Returns:
        For each face ``emotion`` (percent by name), ``dominant_emotion``, ``region`` (``x``, ``y``, ``w``, ``h``, and
        ``left_eye``, ``right_eye`` of the person as (x, y) or None) and ``face_confidence`` (0..1, 0 without a face).
        For several pictures, a list of such lists.

    Raises:
        ValueError: no face was found, the picture cannot be read, or an argument is refused.
    """
    _check(actions, detector_backend, anti_spoofing)
    if expand_percentage:
        warnings.warn("expand_percentage has no effect: faces are framed like FER2013's", stacklevel=2)
    several = _several(img_path)
    sources = [img_path] if several is None else several
    found = [_candidates(source, detector_backend, enforce_detection, align) for source in sources]
    faces = _recognizer(DEFAULT_DETECTOR).pipeline.classify(found)
    results = [[_entry(face) for face in together] for together in faces]
    return results[0] if several is None else results


def _several(pictures: Any) -> list[Any] | None:
    """The pictures of a list or an array of several; None for one alone."""
    if isinstance(pictures, list):
        return pictures
    return list(pictures) if isinstance(pictures, np.ndarray) and pictures.ndim == 4 else None


def _check(actions: str | Sequence[str], backend: str, anti_spoofing: bool) -> None:
    asked = (actions,) if isinstance(actions, str) else tuple(actions)
    if other := [action for action in asked if action not in _ACTIONS]:
        raise InvalidArgumentError(f"actions are {list(asked)}: mien reads expressions; leave {', '.join(other)} out")
    if backend not in BACKENDS:
        raise InvalidArgumentError(f"detector_backend is {backend!r}: expected one of {', '.join(BACKENDS)}")
    if anti_spoofing:
        raise InvalidArgumentError("anti_spoofing: mien cannot tell a photo of a face from a face; leave it out")


def _candidates(source: Any, backend: str, enforced: bool, align: bool) -> list[Candidate]:
    image = read_picture(source, UnreadablePictureError)
    whole = _recognizer("none").pipeline
    if backend == "skip":
        return _without_score(whole.find(image))
    finder = _recognizer(DEFAULT_DETECTOR).pipeline
    found = finder.find(image)
    if not found and enforced:
        name = source if isinstance(source, str) and not source.startswith("data:") else "the picture"
        raise FaceNotDetectedError(
            f"Face could not be detected in {name}: expected a face; enforce_detection=False reads all of it as one"
        )
    if not found:
        return _without_score(whole.find(image))
    return found if align else [cut for face in found for cut in _cut_out(image, face)]


def _cut_out(image: Pixels, found: Candidate) -> list[Candidate]:
    """A face whose box is cut out as it is; its landmarks are still stated."""
    box = replace(found.detection, landmarks=())
    cut = _recognizer(DEFAULT_DETECTOR).pipeline.crop(image, [(box, None)])
    return [replace(candidate, detection=found.detection) for candidate in cut]


def _without_score(found: list[Candidate]) -> list[Candidate]:
    return [replace(candidate, detection=replace(candidate.detection, score=0.0)) for candidate in found]


@lru_cache(maxsize=2)
def _recognizer(detector: str) -> Recognizer:
    return Recognizer(DEFAULT_MODEL, detector)


def _entry(face: Face) -> dict[str, Any]:
    x, y, width, height = face.box
    region = {"x": x, "y": y, "w": width, "h": height}
    eyes = {"left_eye": _eye(face, _LEFT_EYE), "right_eye": _eye(face, _RIGHT_EYE)}
    return {
        "emotion": {name: 100 * probability for name, probability in face.probabilities.items()},
        "dominant_emotion": face.emotion,
        "region": {**region, **eyes},
        "face_confidence": face.confidence,
    }


def _eye(face: Face, number: int) -> tuple[int, int] | None:
    if not face.landmarks:
        return None
    x, y = face.landmarks[number]
    return round(x), round(y)
