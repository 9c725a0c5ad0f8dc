"""Image corruptions for robustness benchmarks, each at five severities, after ImageNet-C.

Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations", arXiv
1903.12261. Their strengths are for pictures of 224 px; these are for faces of 48 px. But for nine strengths of earlier
figures, they were set by looking at sample sheets before any model was measured with them: strength 1 is mild, at
strength 3 people read the expression at a glance, at strength 5 they have to look for it or guess. In ImageNet-C's
terms: severities 1 to 5.

Faces of other sides get lengths in proportion: a mask hides the same part of them, and of a low resolution as much is
left. Noise stays one of pixels, so it is milder on larger faces. Of colours noise draws for each, and the rest does the
same to all three.

Each corruption has a generator of its own, seeded by the seed and the corruption's name: adding one changes no other.
All strengths of a corruption get the same draws, so that strengths differ in strength alone.
"""

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.errors import UsageError
from mien.preprocess import FACE_SIZE

SEVERITIES: Final = (1, 2, 3, 4, 5)

Faces = NDArray[np.uint8]
"""Grayscale uint8 (N, S, S), or RGB (N, S, S, 3)."""

Kernel = dict[tuple[int, int], float]
"""Weights of copies that are moved by so many rows and columns."""

_CHUNK: Final = 512
"""Faces at a time, which bounds the memory; draws depend on it, so it is part of the benchmark."""
_DIRECTIONS: Final = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Level, upright and the two diagonals, as steps in rows and columns."""
_SIDES: Final = ((0, 1), (0, -1), (1, 0), (-1, 0))
_GREY: Final = 128
_GLASS: Final = 30
"""Grey level of sunglasses."""
_EYES: Final = ((17.5, 15.0), (17.5, 32.5))
"""Row and column of the eyes in FER2013's framing, from the mean face of PublicTest."""


@dataclass(frozen=True, slots=True)
class Corruption:
    """One kind of image corruption.

    Args:
        name: what reports call it.
        family: the kind of augmentation that imitates it; a model trained with that kind is no stranger to it.
        unit: what the strength counts.
        strengths: one for each of `SEVERITIES`, for faces of 48 px.
        apply: faces, strength and generator to spoilt faces of the same shape.
        length: whether the strength is a length, which grows with the side of the faces.
    """

    name: str
    family: str
    unit: str
    strengths: tuple[float, float, float, float, float]
    apply: Callable[[Faces, float, np.random.Generator], Faces]
    length: bool = False


def corrupted(faces: Faces, corruption: Corruption, strength: float, seed: int = 0) -> Faces:
    """Spoilt copies of faces; equal arguments give equal bytes.

    Args:
        faces: grayscale uint8 (N, S, S) or RGB (N, S, S, 3); may be memory-mapped.
        corruption: one of `CORRUPTIONS`.
        strength: in the corruption's unit, for faces of 48 px, as a rule one of its strengths.
        seed: at least 0; what is drawn for a face also depends on its place among the faces.

    Raises:
        UsageError: faces of another type or shape.
    """
    _refuse_other_faces(faces)
    if corruption.length:
        strength *= faces.shape[1] / FACE_SIZE
    random = np.random.default_rng([seed, *corruption.name.encode()])
    spoilt = np.empty(faces.shape, np.uint8)
    for start in range(0, len(faces), _CHUNK):
        chunk = np.asarray(faces[start : start + _CHUNK])
        spoilt[start : start + _CHUNK] = corruption.apply(chunk, strength, random)
    return spoilt


def _refuse_other_faces(faces: Faces) -> None:
    square = faces.ndim in (3, 4) and faces.shape[1] == faces.shape[2]
    if faces.dtype != np.uint8 or not square or faces.shape[3:] not in {(), (3,)}:
        raise UsageError(
            f"corruptions: faces are {faces.dtype} {faces.shape}: expected uint8 (N, S, S), grey, or (N, S, S, 3), RGB"
        )


def gaussian_noise(faces: Faces, deviation: float, random: np.random.Generator) -> Faces:
    """Normal noise of a standard deviation in grey levels."""
    return _grey(faces + deviation * random.standard_normal(faces.shape))


def shot_noise(faces: Faces, photons: float, random: np.random.Generator) -> Faces:
    """Poisson noise of a sensor that counts so many photons at full white."""
    return _grey(random.poisson(faces * (photons / 255)) * (255 / photons))


def impulse_noise(faces: Faces, share: float, random: np.random.Generator) -> Faces:
    """A share of the pixels black or white, half of them each."""
    draws = random.random(faces.shape)
    return np.where(draws < share / 2, 0, np.where(draws >= 1 - share / 2, 255, faces)).astype(np.uint8)


def gaussian_blur(faces: Faces, deviation: float, _: np.random.Generator) -> Faces:
    """Convolution with a Gaussian of a standard deviation in pixels, cut off at four of them."""
    reach = math.ceil(4 * deviation)
    weights = [math.exp(-0.5 * (offset / deviation) ** 2) for offset in range(-reach, reach + 1)]
    along = dict(zip(range(-reach, reach + 1), weights, strict=True))
    rows = _convolved(faces.astype(np.float64), {(offset, 0): weight for offset, weight in along.items()})
    return _grey(_convolved(rows, {(0, offset): weight for offset, weight in along.items()}))


def defocus_blur(faces: Faces, radius: float, _: np.random.Generator) -> Faces:
    """Convolution with a disc of a radius in pixels, as a lens out of focus makes; pixels at its edge count in part."""
    reach = math.ceil(radius)
    offsets = range(-reach, reach + 1)
    disc = {(y, x): min(1.0, max(0.0, radius + 0.5 - math.hypot(y, x))) for y in offsets for x in offsets}
    return _grey(_convolved(faces.astype(np.float64), {step: weight for step, weight in disc.items() if weight}))


def motion_blur(faces: Faces, length: float, random: np.random.Generator) -> Faces:
    """Mean along a line of an odd number of pixels, level, upright or diagonal by chance."""
    reach = round(length) // 2
    chosen = random.integers(len(_DIRECTIONS), size=len(faces))
    steps = range(-reach, reach + 1)
    lines = [{(down * step, right * step): 1.0 for step in steps} for down, right in _DIRECTIONS]
    return _convolved_by_choice(faces, chosen, lines)


def jpeg(faces: Faces, quality: float, _: np.random.Generator) -> Faces:
    """Through a JPEG file of a quality, 1..95, with libjpeg's usual tables."""
    return _each(faces, lambda face: _through_jpeg(face, int(quality)))


def low_resolution(faces: Faces, side: float, _: np.random.Generator) -> Faces:
    """Made smaller to a side in pixels and larger again, both bilinear."""
    return _each(faces, lambda face: _through_side(face, int(side), Image.Resampling.BILINEAR))


def pixelate(faces: Faces, side: float, _: np.random.Generator) -> Faces:
    """A mosaic of so many cells a side, each the mean of what it covers."""
    return _each(faces, lambda face: _through_side(face, int(side), Image.Resampling.BOX))


def brightness(faces: Faces, factor: float, _: np.random.Generator) -> Faces:
    """Levels times a factor, cut off at white."""
    return _grey(faces * factor)


def contrast(faces: Faces, factor: float, _: np.random.Generator) -> Faces:
    """Distances from the face's mean level, of each colour, times a factor."""
    mean = faces.mean(axis=(1, 2), keepdims=True)
    return _grey(mean + factor * (faces - mean))


def side_light(faces: Faces, loss: float, random: np.random.Generator) -> Faces:
    """Light that falls off evenly across the face, from all of it to 1 - loss, away from a side taken by chance."""
    side = faces.shape[1]
    ramp = 1 - loss * np.arange(side) / (side - 1)
    lights = ramp, ramp[::-1], ramp[:, None], ramp[::-1, None]
    masks = np.stack([np.broadcast_to(light, (side, side)) for light in lights])
    return _grey(faces * _for_colours(masks[random.integers(len(masks), size=len(faces))], faces))


def mask(faces: Faces, first_row: float, _: np.random.Generator) -> Faces:
    """Everything from a row on down in one grey, as a mask or a scarf hides it."""
    spoilt = faces.copy()
    spoilt[:, round(first_row) :] = _GREY
    return spoilt


def sunglasses(faces: Faces, half_width: float, _: np.random.Generator) -> Faces:
    """Two dark elliptic lenses, three quarters as high as wide, and a bridge, where FER2013 has the eyes."""
    scale = faces.shape[1] / FACE_SIZE
    row, column = (np.mgrid[: faces.shape[1], : faces.shape[2]] + 0.5) / scale - 0.5  # places in a face of 48 px
    half_width /= scale
    hidden = (np.abs(row - _EYES[0][0] + 1) <= 1) & (column >= _EYES[0][1]) & (column <= _EYES[1][1])
    for y, x in _EYES:
        hidden |= ((row - y) / (0.75 * half_width)) ** 2 + ((column - x) / half_width) ** 2 <= 1
    return np.where(_for_colours(hidden[None], faces), np.uint8(_GLASS), faces).astype(np.uint8)


def hand(faces: Faces, side: float, random: np.random.Generator) -> Faces:
    """A square patch of a side in pixels, anywhere within the picture, in the face's mean level."""
    size, (count, whole) = round(side), faces.shape[:2]
    corners = np.floor(random.random((count, 2, 1)) * (whole - size + 1))
    place = np.arange(whole)
    rows, columns = ((place >= corners[:, axis]) & (place < corners[:, axis] + size) for axis in (0, 1))
    level = _grey(faces.mean(axis=(1, 2), keepdims=True))
    return np.where(_for_colours(rows[:, :, None] & columns[:, None, :], faces), level, faces)


def rotation(faces: Faces, degrees: float, random: np.random.Generator) -> Faces:
    """Turned about the centre, one way or the other by chance, bilinear; corners that come from outside are black."""
    signs = random.choice((-1, 1), size=len(faces))
    turned = [_turned(face, degrees * sign) for face, sign in zip(faces, signs, strict=True)]
    return np.stack(turned) if turned else faces


def shift(faces: Faces, pixels: float, random: np.random.Generator) -> Faces:
    """Moved up, down, left or right by chance; the edge is repeated where nothing is known, as alignment does."""
    chosen = random.integers(len(_SIDES), size=len(faces))
    far = round(pixels)
    steps = [{(far * down, far * right): 1.0} for down, right in _SIDES]
    return _convolved_by_choice(faces, chosen, steps)


CORRUPTIONS: Final = (
    Corruption("gaussian_noise", "noise", "standard deviation, grey levels", (5, 10, 15, 20, 30), gaussian_noise),
    Corruption("shot_noise", "shot_noise", "photons at white", (800, 300, 150, 80, 40), shot_noise),
    Corruption("impulse_noise", "impulse_noise", "share of pixels", (0.01, 0.02, 0.05, 0.1, 0.15), impulse_noise),
    Corruption(
        "gaussian_blur", "blur", "standard deviation, px", (0.6, 0.9, 1.2, 1.6, 2.0), gaussian_blur, length=True
    ),
    Corruption("defocus_blur", "defocus_blur", "radius, px", (1.0, 1.5, 2.0, 2.75, 3.5), defocus_blur, length=True),
    Corruption("motion_blur", "motion_blur", "length, px", (3, 5, 7, 9, 11), motion_blur, length=True),
    Corruption("jpeg", "jpeg", "quality", (50, 30, 20, 12, 7), jpeg),
    Corruption("low_resolution", "low_resolution", "side, px", (36, 30, 24, 18, 14), low_resolution),
    Corruption("pixelate", "pixelate", "cells a side", (36, 30, 24, 18, 14), pixelate),
    Corruption("darkness", "brightness", "factor", (0.8, 0.6, 0.4, 0.25, 0.15), brightness),
    Corruption("overexposure", "brightness", "factor", (1.25, 1.5, 2.0, 2.5, 3.0), brightness),
    Corruption("contrast", "contrast", "factor", (0.8, 0.6, 0.4, 0.25, 0.15), contrast),
    Corruption("side_light", "side_light", "share of light lost", (0.3, 0.5, 0.7, 0.85, 0.95), side_light),
    Corruption("mask", "occlusion", "first hidden row", (40, 36, 32, 28, 24), mask, length=True),
    Corruption("sunglasses", "sunglasses", "half width of a lens, px", (5, 6, 7, 8, 9), sunglasses, length=True),
    Corruption("hand", "occlusion", "side, px", (12, 16, 20, 24, 28), hand, length=True),
    Corruption("rotation", "rotation", "degrees", (10, 20, 30, 45, 60), rotation),
    Corruption("shift", "shift", "px", (2, 4, 6, 9, 12), shift, length=True),
)
"""All of them, in the order of reports. One more is one more entry."""


def _grey(values: NDArray[np.floating[Any]]) -> Faces:
    """Rounded and cut off to grey levels 0..255."""
    rounded: Faces = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return rounded


def _convolved_by_choice(faces: Faces, chosen: NDArray[np.int64], kernels: Sequence[Kernel]) -> Faces:
    """Each face convolved with the kernel whose number was chosen for it."""
    spoilt = faces.copy()
    for number, kernel in enumerate(kernels):
        spoilt[chosen == number] = _grey(_convolved(faces[chosen == number].astype(np.float64), kernel))
    return spoilt


def _convolved(grey: NDArray[np.float64], kernel: Kernel) -> NDArray[np.float64]:
    """Weighted mean of copies of levels (N, H, W) or (N, H, W, 3) that are moved by rows and columns, edges repeated.

    Sums run in the kernel's order, whatever the machine: a matrix product would round differently from one to another.
    """
    reach = max(max(abs(down), abs(right)) for down, right in kernel)
    wide = np.pad(grey, ((0, 0), (reach, reach), (reach, reach), *[(0, 0)] * (grey.ndim - 3)), mode="edge")
    total, (height, width) = sum(kernel.values()), grey.shape[1:3]
    mean = np.zeros_like(grey)
    for (down, right), weight in kernel.items():
        top, left = reach - down, reach - right
        mean += (weight / total) * wide[:, top : top + height, left : left + width]
    return mean


def _for_colours(values: NDArray[Any], faces: Faces) -> NDArray[Any]:
    """Values (N, H, W) for each pixel of faces, likewise for all three colours of a pixel."""
    return values if faces.ndim == 3 else values[..., None]


def _each(faces: Faces, spoil: Callable[[Image.Image], Image.Image]) -> Faces:
    """Faces that Pillow spoils one by one."""
    spoilt = [np.asarray(spoil(Image.fromarray(face))) for face in faces]
    return np.stack(spoilt) if spoilt else faces


def _through_jpeg(face: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    face.save(file, "JPEG", quality=quality)
    return Image.open(file)


def _through_side(face: Image.Image, side: int, filtering: Image.Resampling) -> Image.Image:
    small = face.resize((min(side, face.width), min(side, face.height)), filtering)
    return small.resize(face.size, filtering)


def _turned(face: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(face).rotate(degrees, Image.Resampling.BILINEAR))
