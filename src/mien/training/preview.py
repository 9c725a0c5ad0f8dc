"""Preview of augmentation: augmented views of faces."""

import numpy as np
import torch
from numpy.typing import NDArray

from mien.training.augment import augment
from mien.training.config import TrainConfig


def augmented_variants(face: NDArray[np.uint8], config: TrainConfig, count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Variants of a face as a training on a recipe sees them, its last resolution, mixup left out.

    Args:
        face: uint8, grayscale (H, W) or RGB (H, W, 3).
        config: the recipe.
        count: how many.
        seed: of the chance that varies them; torch's own generator is left as it was.

    Returns:
        uint8 (count, S, S), or with 3 channels, S the side of the network's input: levels before they are put on its
        scale.
    """
    return augmented(face[None].repeat(count, axis=0), config, seed)


def augmented(faces: NDArray[np.uint8], config: TrainConfig, seed: int = 0) -> NDArray[np.uint8]:
    """Faces (N, H, W), each augmented once as `augmented_variants` says; grey levels, uint8 (N, S, S)."""
    spec = config.preprocess
    frames = torch.from_numpy(spec.frames(faces))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        inputs = augment(frames, config.augment, spec, config.input_size_at(config.epochs - 1))
    levels = (255 * (inputs * spec.std + spec.mean)).round().clamp(0, 255).to(torch.uint8)
    return np.asarray((levels[:, 0] if spec.channels == 1 else levels.permute(0, 2, 3, 1)).numpy())
