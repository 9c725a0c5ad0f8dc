"""Data augmentation: for a whole batch at once, on its device.

Rotation, scale, shift, mirroring, the crop and the resolution are one affine map, sampled once; a batch costs one pass
over its pixels. All draws come from torch's default generator of the device, so seeding it repeats them.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from mien.preprocess import PreprocessSpec
from mien.training.augment_config import AugmentConfig
from mien.training.degradation import covered, degrade


def augment(faces: Tensor, config: AugmentConfig, spec: PreprocessSpec, input_size: int) -> Tensor:
    """Varied network input of a batch of faces.

    With every strength at 0 and ``input_size`` the specification's own, the result is that of `PreprocessSpec.apply`.

    Args:
        faces: uint8 (N, frame_size, frame_size), or with 3 channels, as `PreprocessSpec.frames` gives them.
        config: what varies, and how much.
        spec: the preprocessing whose centre crop is varied, and whose scale of grey levels is used.
        input_size: side in pixels of the result; the crop is resized to it.

    Returns:
        float32 (N, channels, input_size, input_size).
    """
    clear = vary(faces, config, spec, input_size)
    return spoil(clear, config, spec)


def vary(faces: Tensor, config: AugmentConfig, spec: PreprocessSpec, input_size: int) -> Tensor:
    """The part of `augment` that leaves a face as easy to read: its place, size and light.

    Takes what `augment` takes; gives grey levels, float32 (N, channels, input_size, input_size) in 0..255.
    """
    grey = (faces[:, None] if faces.ndim == 3 else faces.permute(0, 3, 1, 2)).float()
    grid = F.affine_grid(
        affine_maps(len(faces), config, spec, faces.device),
        [len(faces), grey.shape[1], input_size, input_size],
        align_corners=False,
    )
    grey = F.grid_sample(grey, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return vary_tone(grey, config)


def spoil(clear: Tensor, config: AugmentConfig, spec: PreprocessSpec) -> Tensor:
    """The part of `augment` that makes a face harder to read: degradations and erased rectangles.

    Args:
        clear: grey levels, float (N, C, S, S), as `vary` gives them.
        config: what is done, and how much.
        spec: the preprocessing whose scale of grey levels is used.

    Returns:
        Network input, float32 (N, C, S, S).
    """
    degraded = degrade(clear, config, clear.shape[-1] / spec.input_size)
    return erase(spec.scale(degraded), config)


def affine_maps(count: int, config: AugmentConfig, spec: PreprocessSpec, device: torch.device) -> Tensor:
    """Maps (count, 2, 3) from the result's coordinates to the frame's, both in -1..1,
    that `torch.nn.functional.affine_grid` takes.
    """
    angle = _uniform(count, math.radians(config.rotate), device)
    zoom = spec.input_size / spec.frame_size / (1 + _uniform(count, config.scale, device))
    mirror = torch.where(torch.rand(count, device=device) < config.flip, -1.0, 1.0)
    reach = 2 * config.shift * spec.input_size / spec.frame_size
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    # An odd margin leaves one pixel more below and to the right of the centre crop than above and to the left.
    centre = (spec.margin // 2 * 2 - spec.margin) / spec.frame_size
    rows = [
        torch.stack((cos * mirror, -sin, _uniform(count, reach, device) + centre), -1),
        torch.stack((sin * mirror, cos, _uniform(count, reach, device) + centre), -1),
    ]
    maps = torch.stack(rows, 1)
    if config.vertical_flip:
        turned = torch.rand(count, device=device) < config.vertical_flip
        maps[:, :, 1] = torch.where(turned[:, None], -maps[:, :, 1], maps[:, :, 1])
    return maps


def vary_tone(grey: Tensor, config: AugmentConfig) -> Tensor:
    """Grey levels (N, C, S, S) in 0..255 with contrast scaled about each face's mean, then brightness scaled, then
    gamma, kept in 0..255.
    """
    if config.contrast or config.brightness:
        contrast = 1 + _some(grey, config.contrast, config.contrast_probability)
        brightness = 1 + _some(grey, config.brightness, config.brightness_probability)
        mean = grey.mean((1, 2, 3), keepdim=True)
        grey = ((grey - mean) * contrast + mean).mul(brightness).clamp(0, 255)
    if config.gamma:
        grey = 255 * (grey / 255) ** torch.exp(_some(grey, math.log(config.gamma), config.gamma_probability))
    return grey


def erase(inputs: Tensor, config: AugmentConfig) -> Tensor:
    """Network input (N, C, S, S) with a rectangle of some faces set to 0, the `spec`'s mean (arXiv 1708.04896)."""
    if not (config.erase and config.erase_area):
        return inputs
    count, side, device = len(inputs), inputs.shape[-1], inputs.device
    chosen = torch.rand(count, device=device) < config.erase
    area = torch.rand(count, device=device) * config.erase_area
    stretch = torch.exp(_uniform(count, math.log(3), device)).sqrt()
    horizontal = covered(side, area.sqrt() * stretch, device)
    vertical = covered(side, area.sqrt() / stretch, device)
    hidden = vertical[:, :, None] & horizontal[:, None, :] & chosen[:, None, None]
    return inputs.masked_fill(hidden[:, None], 0.0)


def _some(grey: Tensor, reach: float, probability: float) -> Tensor:
    """A draw for each of the faces (N, C, S, S), as (N, 1, 1, 1); 0 for those that chance leaves out.

    Where none is left out nothing more is drawn, so that recipes without a probability train as they did.
    """
    drawn = _uniform(len(grey), reach, grey.device)
    if probability < 1:
        drawn = torch.where(torch.rand(len(grey), device=grey.device) < probability, drawn, 0.0)
    return drawn.view(-1, 1, 1, 1)


def _uniform(count: int, reach: float, device: torch.device) -> Tensor:
    return (torch.rand(count, device=device) * 2 - 1) * reach
