"""What a training minimises: cross-entropy against soft targets, and mixup that makes them."""

import torch
from torch import Tensor
from torch.distributions import Beta
from torch.nn import functional as F

from mien.labels import EMOTIONS


def soft_targets(labels: Tensor, smoothing: float) -> Tensor:
    """Target distributions (N, 7) of class numbers (N,):
    ``smoothing`` of the mass is spread evenly over all classes.
    """
    one_hot = F.one_hot(labels, len(EMOTIONS)).float()
    return one_hot * (1 - smoothing) + smoothing / len(EMOTIONS)


def soft_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy of logits (N, 7) against distributions (N, 7), computed in float32; a scalar."""
    return -(targets * F.log_softmax(logits.float(), dim=-1)).sum(-1).mean()


def mixup(faces: Tensor, targets: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Blend each face and target with those of another face of the batch (Zhang et al., arXiv 1710.09412).

    One share for the whole batch, drawn from Beta(alpha, alpha) and at least one half, so that the first face
    dominates.

    Args:
        faces: float (N, ...).
        targets: distributions (N, 7).
        alpha: more than 0.
    """
    draw = Beta(alpha, alpha).sample().item()
    share = max(draw, 1 - draw)
    partner = torch.randperm(len(faces), device=faces.device)
    return torch.lerp(faces[partner], faces, share), torch.lerp(targets[partner], targets, share)
