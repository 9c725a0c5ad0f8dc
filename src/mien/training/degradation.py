"""Robust augmentation: degradations by cameras, lenses, codecs and occlusion, for a whole batch on its device.

Each kind acts on a share of the batch: as many faces as its probability asks for, drawn anew for each batch, so that a
step costs what its probabilities cost and a GPU never waits for a count. Lengths are in pixels of the network's input
at its full side and shrink with it when a training runs on smaller faces. All draws come from torch's default generator
of the device, those of how many faces from the CPU's.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

from mien.training.augment_config import AugmentConfig

_BLOCK: Final = 8
"""Side in pixels of JPEG's blocks."""

_LUMINANCE: Final = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
"""Quantisation of luminance at quality 50 (ITU-T T.81, table K.1)."""

_PATCH_STRETCH: Final = 4.0
"""Longest ratio of the sides of an occluding patch."""


def degrade(grey: Tensor, config: AugmentConfig, scale: float = 1.0) -> Tensor:
    """Grey levels with the degradations of a configuration, in the order in which they happen to a picture: something
    hides the face, the lens and motion blur it, it is stored at a low resolution, the sensor adds noise, a codec
    compresses it.

    Args:
        grey: float (N, C, S, S) in 0..255.
        config: probabilities and strengths.
        scale: S as a share of the network's full input side.

    Returns:
        Float (N, C, S, S) in 0..255; ``grey`` itself where nothing is configured.
    """
    steps: tuple[tuple[float, Callable[[Tensor], Tensor]], ...] = (
        (config.occlude, lambda faces: occlude(faces, config.occlude_area)),
        (config.blur, lambda faces: blur(faces, _drawn(faces, 0.0, config.blur_sigma) * scale)),
        (config.motion_blur, lambda faces: _smear(faces, config.motion_length * scale)),
        (config.low_resolution, lambda faces: lower_resolution(faces, _drawn_sides(faces, config.low_resolution_side))),
        (config.noise, lambda faces: add_noise(faces, _drawn(faces, 0.0, config.noise_sd))),
        (config.shot_noise, lambda faces: add_shot_noise(faces, _drawn(faces, 0.0, config.shot_noise_sd))),
        (config.jpeg, lambda faces: compress(faces, _drawn(faces, config.jpeg_quality, 95.0))),
    )
    for probability, step in steps:
        chosen = _chosen(len(grey), probability, grey.device)
        if len(chosen):
            grey = grey.index_copy(0, chosen, step(grey[chosen]).clamp(0, 255))
    return grey


def _chosen(count: int, probability: float, device: torch.device) -> Tensor:
    """Numbers of the faces that a degradation acts on: as many as the probability says, rounded by chance."""
    if not probability:
        return torch.empty(0, dtype=torch.long, device=device)
    wanted = math.floor(count * probability + torch.rand(()).item())
    return torch.randperm(count, device=device)[:wanted]


def _drawn(faces: Tensor, low: float, high: float) -> Tensor:
    """A value for each face, uniform between two bounds: (N,)."""
    return low + (high - low) * torch.rand(len(faces), device=faces.device)


def _smear(faces: Tensor, longest: float) -> Tensor:
    return motion_blur(faces, _drawn(faces, 1.0, max(1.0, longest)), _drawn(faces, 0.0, math.pi), longest)


def _drawn_sides(faces: Tensor, smallest: float) -> Tensor:
    side = faces.shape[-1]
    return (_drawn(faces, smallest, 1.0) * side).round().clamp(min=2)


def occlude(grey: Tensor, area: float) -> Tensor:
    """Faces (N, C, S, S) with a rectangle each of one grey level over at most ``area`` of them.

    Its sides' ratio is at most 4 either way, so that it may be as wide as the face and a mask high.
    """
    count, side, device = len(grey), grey.shape[-1], grey.device
    share = torch.rand(count, device=device) * area
    stretch = _PATCH_STRETCH ** (torch.rand(count, device=device) - 0.5)
    rows = covered(side, share.sqrt() / stretch, device)
    columns = covered(side, share.sqrt() * stretch, device)
    hidden = (rows[:, :, None] & columns[:, None, :])[:, None]
    return torch.where(hidden, 255 * torch.rand(count, 1, 1, 1, device=device), grey)


def covered(side: int, share: Tensor, device: torch.device) -> Tensor:
    """Which of ``side`` pixels (N, side) a randomly placed interval of ``share`` of the side (N,) covers."""
    length = share.clamp(max=1.0)
    start = torch.rand(len(share), device=device) * (1 - length)
    position = (torch.arange(side, device=device) + 0.5) / side
    return (position >= start[:, None]) & (position < (start + length)[:, None])


def blur(grey: Tensor, sigma: Tensor) -> Tensor:
    """Faces (N, C, S, S) smoothed by Gaussians of standard deviations ``sigma`` (N,) in pixels, cut off at the border.

    A Gaussian is separable, so it is one matrix product along each axis.
    """
    position = torch.arange(grey.shape[-1], device=grey.device, dtype=grey.dtype)
    distance = position[:, None] - position
    weights = torch.exp(-0.5 * (distance / sigma.clamp(min=1e-3)[:, None, None]) ** 2)
    return _along_both_axes(grey, weights / weights.sum(-1, keepdim=True))


def motion_blur(grey: Tensor, length: Tensor, angle: Tensor, longest: float) -> Tensor:
    """Faces (N, C, S, S) smeared along lines.

    Each face is filtered with a line one pixel wide, which fades over a pixel at its sides and ends.

    Args:
        grey: the faces.
        length: of each line in pixels, (N,), at least 1.
        angle: of each line in radians from the horizontal, (N,).
        longest: no line is longer; it decides how large the filters are.
    """
    reach = math.ceil(longest / 2)
    offset = torch.arange(-reach, reach + 1, device=grey.device, dtype=grey.dtype)
    across, down = offset[None, None, :], offset[None, :, None]
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    beside = (1 - (across * sin - down * cos).abs()).clamp(min=0)
    along = ((length[:, None, None] + 1) / 2 - (across * cos + down * sin).abs()).clamp(0, 1)
    kernels = beside * along
    kernels = kernels / kernels.sum((1, 2), keepdim=True)
    padded = F.pad(grey.transpose(0, 1), (reach,) * 4, mode="replicate")
    return F.conv2d(padded, kernels[:, None], groups=len(grey)).transpose(0, 1)


def lower_resolution(grey: Tensor, sides: Tensor) -> Tensor:
    """Faces (N, C, S, S) averaged down to ``sides`` (N,) whole pixels and enlarged again bilinearly.

    As an aligned face looks that was small in its picture. Both steps are linear and separable: one matrix product
    along each axis.
    """
    side = grey.shape[-1]
    return _along_both_axes(grey, _enlarging(side, sides) @ _averaging(side, sides))


def _averaging(side: int, sides: Tensor) -> Tensor:
    """Matrices (N, side, side) that average ``side`` pixels down to ``sides``; further rows are zero."""
    pixel = torch.arange(side, device=sides.device, dtype=sides.dtype)
    width = (side / sides)[:, None, None]
    first = pixel[None, :, None] * width
    overlap = torch.minimum(first + width, pixel + 1) - torch.maximum(first, pixel)
    inside = pixel[None, :, None] < sides[:, None, None]
    return overlap.clamp(min=0) / width * inside


def _enlarging(side: int, sides: Tensor) -> Tensor:
    """Matrices (N, side, side) that enlarge ``sides`` pixels to ``side`` bilinearly; further columns are zero."""
    pixel = torch.arange(side, device=sides.device, dtype=sides.dtype)
    place = (pixel + 0.5) * (sides / side)[:, None] - 0.5
    place = torch.minimum(place.clamp(min=0), (sides - 1)[:, None])
    return (1 - (place[:, :, None] - pixel).abs()).clamp(min=0)


def _along_both_axes(grey: Tensor, matrices: Tensor) -> Tensor:
    """Faces (N, C, S, S) with a matrix (N, S, S) applied to their columns and to their rows."""
    return matrices[:, None] @ grey @ matrices.transpose(1, 2)[:, None]


def add_noise(grey: Tensor, deviation: Tensor) -> Tensor:
    """Faces (N, C, S, S) with Gaussian noise of standard deviations (N,) in grey levels."""
    return grey + torch.randn_like(grey) * deviation.view(-1, 1, 1, 1)


def add_shot_noise(grey: Tensor, deviation: Tensor) -> Tensor:
    """Faces (N, C, S, S) with noise that grows with the square root of the light, as photons make it.

    ``deviation`` (N,) is its standard deviation in grey levels where a face is white.
    """
    return grey + torch.randn_like(grey) * (grey / 255).sqrt() * deviation.view(-1, 1, 1, 1)


def compress(grey: Tensor, quality: Tensor) -> Tensor:
    """Faces (N, C, S, S) as JPEG of qualities (N,) in 1..100 leaves them, by libjpeg's scale of qualities.

    Only quantisation loses anything, so there is no entropy coding here.
    """
    side, channels = grey.shape[-1], grey.shape[1]
    missing = -side % _BLOCK
    planes = grey.reshape(-1, 1, side, side)  # of a colour face each by itself
    blocks = _blocks(F.pad(planes, (0, missing, 0, missing), mode="replicate") - 128)
    steps = _quantisation(quality.repeat_interleave(channels))[:, None, None]
    cosines = _cosines(grey.device)
    frequencies = ((cosines @ blocks @ cosines.T) / steps).round() * steps
    restored = _faces(cosines.T @ frequencies @ cosines) + 128
    return restored[..., :side, :side].reshape(grey.shape)


def _blocks(grey: Tensor) -> Tensor:
    count, number = len(grey), grey.shape[-1] // _BLOCK
    return grey.reshape(count, number, _BLOCK, number, _BLOCK).transpose(2, 3)


def _faces(blocks: Tensor) -> Tensor:
    count, number = blocks.shape[:2]
    return blocks.transpose(2, 3).reshape(count, 1, number * _BLOCK, number * _BLOCK)


def _quantisation(quality: Tensor) -> Tensor:
    """Tables (N, 8, 8) of whole numbers in 1..255 (libjpeg's jpeg_quality_scaling)."""
    percent = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality).floor()
    table = torch.tensor(_LUMINANCE, device=quality.device, dtype=quality.dtype)
    return ((table * percent[:, None, None] + 50) / 100).floor().clamp(1, 255)


@cache
def _cosines(device: torch.device) -> Tensor:
    """The orthonormal matrix (8, 8) of the discrete cosine transform."""
    index = torch.arange(_BLOCK, dtype=torch.float64)
    matrix = torch.cos(math.pi / _BLOCK * (index + 0.5) * index[:, None]) * math.sqrt(2 / _BLOCK)
    matrix[0] /= math.sqrt(2)
    return matrix.float().to(device)
