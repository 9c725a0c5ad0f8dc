"""Loss functions: cross-entropy against soft targets, focal loss; class balance, label smoothing and mixup."""

import torch
from torch import Tensor
from torch.distributions import Beta
from torch.nn import functional as F


def smooth(targets: Tensor, smoothing: float) -> Tensor:
    """Label smoothing: targets (N, classes) with ``smoothing`` of their mass spread evenly over all classes."""
    return targets * (1 - smoothing) + smoothing / targets.shape[-1]


def soft_cross_entropy(logits: Tensor, targets: Tensor, class_weights: Tensor | None = None) -> Tensor:
    """Mean cross-entropy of logits (N, classes) against distributions (N, classes), computed in float32; a scalar.

    With class weights (classes,), each class's part counts so many times, and the sum is divided by the weights
    present: for whole labels that is `torch.nn.functional.cross_entropy`.
    """
    losses = -targets * F.log_softmax(logits.float(), dim=-1)
    if class_weights is None:
        return losses.sum(-1).mean()
    return (losses * class_weights).sum() / (targets * class_weights).sum()


def focal_loss(logits: Tensor, labels: Tensor, gamma: float, class_weights: Tensor | None = None) -> Tensor:
    """Mean of -(1 - p)^gamma log p over faces, p the probability given to the label (Lin et al., arXiv 1708.02002).

    Args:
        logits: (N, classes).
        labels: class numbers (N,).
        gamma: 0 is cross-entropy.
        class_weights: (classes,); how much a face of each class counts.
    """
    log_p = F.log_softmax(logits.float(), dim=-1).gather(1, labels[:, None])[:, 0]
    losses = -((1 - log_p.exp()) ** gamma) * log_p
    if class_weights is None:
        return losses.mean()
    weights = class_weights[labels]
    return (losses * weights).sum() / weights.sum()


def balanced_weights(targets: Tensor) -> Tensor:
    """Weights (classes,) in inverse proportion to how much of target distributions (N, classes) each class has, 1 on
    average over the faces.

    A class that has nothing gets weight 0.
    """
    counts = targets.sum(0)
    present = counts > 0
    return torch.where(present, len(targets) / (present.sum() * counts), 0.0)


def log_priors(targets: Tensor) -> Tensor:
    """Logarithms (C,) of how frequent each class is in target distributions (N, C), for logit adjustment.

    Added to the logits in training alone, they make up for the frequencies of the classes (Menon et al., arXiv
    2007.07314). A class that has nothing counts as one face.
    """
    counts = targets.sum(0).clamp(min=1)
    return torch.log(counts / counts.sum())


def mixup(alpha: float, *tensors: Tensor) -> tuple[Tensor, ...]:
    """Mixup: blend each face of a batch and its target with those of another face (Zhang et al., arXiv 1710.09412).

    One share for the whole batch, drawn from Beta(alpha, alpha) and at least one half, so that the first face
    dominates.

    Args:
        alpha: more than 0.
        tensors: float (N, ...), all blended alike: inputs, target distributions.
    """
    draw = Beta(alpha, alpha).sample().item()
    share = max(draw, 1 - draw)
    partner = torch.randperm(len(tensors[0]), device=tensors[0].device)
    return tuple(torch.lerp(tensor[partner], tensor, share) for tensor in tensors)
