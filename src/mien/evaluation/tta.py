"""Test-time augmentation (TTA): several views of a face by the model's own preprocessing, and their mean logits."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.choices import TTA_MODES
from mien.errors import UsageError
from mien.evaluation.classifier import Classifier
from mien.preprocess import PreprocessSpec

_CHUNK: Final = 256
_LEAST_MARGIN: Final = 4
_SHIFT: Final = 2

Track = Callable[[range], Iterable[int]]


def views(faces: NDArray[np.uint8], spec: PreprocessSpec, mode: str) -> Iterator[NDArray[np.float32]]:
    """Each view of all faces, one after the other; the first one is `PreprocessSpec.apply`.

    The ten crops are windows of the frame that the specification resizes to. Where that leaves a margin of less than 4
    pixels, the frame's edge pixels are repeated outwards and the corner crops lie 2 pixels from the centre one.

    Args:
        faces: grayscale uint8, shape (N, H, W).
        spec: the model's preprocessing.
        mode: one of `mien.choices.TTA_MODES`.

    Yields:
        1, 2 or 10 network inputs, float32 (N, 1, input_size, input_size).

    Raises:
        UsageError: an unknown mode, or faces of a wrong dtype or shape.
    """
    if mode not in TTA_MODES:
        raise UsageError(f"test-time augmentation {mode!r}: expected one of {', '.join(TTA_MODES)}")
    for view in _five_crops(faces, spec) if mode == "tencrop" else [spec.apply(faces)]:
        yield view
        if mode != "none":
            yield np.ascontiguousarray(view[..., ::-1])


def _five_crops(faces: NDArray[np.uint8], spec: PreprocessSpec) -> Iterator[NDArray[np.float32]]:
    """The centre crop and the four corner crops of faces, uint8 (N, H, W), without their mirror images."""
    frames = spec.frames(faces)
    centre, near, far = spec.margin // 2, 0, spec.margin
    if spec.margin < _LEAST_MARGIN:
        frames = np.pad(frames, ((0, 0), (_SHIFT, _SHIFT), (_SHIFT, _SHIFT), (0, 0))[: frames.ndim], mode="edge")
        centre, near, far = centre + _SHIFT, centre, centre + 2 * _SHIFT
    for top, left in [(centre, centre), (near, near), (near, far), (far, near), (far, far)]:
        yield spec.crop(frames, top, left)


def predict_logits(
    classifier: Classifier, faces: NDArray[np.uint8], mode: str = "none", *, track: Track = iter
) -> NDArray[np.float32]:
    """Logits of faces: the mean over their views. Everything that evaluates a model comes through here.

    Args:
        classifier: the model.
        faces: grayscale uint8, shape (N, H, W); may be memory-mapped, N may be 0.
        mode: one of `mien.choices.TTA_MODES`.
        track: wraps the loop over chunks of faces, for a progress bar.

    Returns:
        float32, shape (N, classes), before temperature.

    Raises:
        UsageError: an unknown mode, or faces of a wrong dtype or shape.
    """
    spec = classifier.card.preprocess
    means = [np.empty((0, len(classifier.card.labels)), np.float32)]
    for start in track(range(0, len(faces), _CHUNK)):
        chunk = views(faces[start : start + _CHUNK], spec, mode)
        means.append(np.mean([classifier.logits_of_input(view) for view in chunk], axis=0))
    return np.concatenate(means)
