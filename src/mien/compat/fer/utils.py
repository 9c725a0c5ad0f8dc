"""Drawing what `FER` found, in mien's way."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.compat.fer.exceptions import InvalidImage
from mien.compat.inputs import InvalidArgumentError, read_picture
from mien.media.decode_picture import Pixels
from mien.output.drawing import annotate
from mien.results import Box, Face


def draw_annotations(
    frame: Pixels, faces: Iterable[Mapping[str, Any]], lang: str = "en", size_multiplier: int = 1
) -> NDArray[np.uint8]:
    """A copy of a picture, BGR uint8 (H, W, 3), with faces as `FER.detect_emotions` gives them drawn in.

    Args:
        frame: BGR uint8 (H, W, 3) or grayscale uint8 (H, W).
        faces: what was found in it.
        lang: "en".
        size_multiplier: without effect: text is as large as picture and face allow.

    Raises:
        ValueError: another language.
        InvalidImage: ``frame`` holds no pixels.
    """
    check_language(lang)
    image = read_picture(frame, InvalidImage)
    return np.ascontiguousarray(annotate(image, faces_of(faces, (image.shape[0], image.shape[1])))[:, :, ::-1])


def check_language(lang: str) -> None:
    """Refuse languages other than English.

    Raises:
        ValueError: it is another.
    """
    if lang != "en":
        raise InvalidArgumentError(f"lang is {lang!r}: names are drawn in English; expected 'en'")


def faces_of(faces: Iterable[Mapping[str, Any]], size: tuple[int, int]) -> tuple[Face, ...]:
    """Faces as `FER.detect_emotions` gives them, as mien's: their parts inside a picture of (height, width)."""
    boxes = ((Box.inside(*face["box"], image=size), face["emotions"]) for face in faces)
    return tuple(Face(box, 1.0, _summing_to_1(scores)) for box, scores in boxes if box is not None)


def _summing_to_1(scores: Mapping[str, float]) -> Any:
    """Scores that were rounded, as probabilities."""
    total = sum(scores.values())
    return {name: score / total for name, score in scores.items()}
