"""The order in which an epoch goes through the training rows."""

import torch
from torch import Tensor

from mien.training.config import TrainConfig


def order_of_rows(config: TrainConfig, labels: Tensor) -> Tensor:
    """Places among the training rows in the order in which an epoch sees them, (N,), on the CPU.

    Draws from torch's generator where it draws at all.

    Args:
        config: ``shuffle`` and ``sampling``.
        labels: class numbers of the training rows, int64 (N,).
    """
    if config.sampling == "balanced":
        weights = 1 / torch.bincount(labels).clamp(min=1).double()
        return torch.multinomial(weights[labels], len(labels), replacement=True)
    return torch.randperm(len(labels)) if config.shuffle else torch.arange(len(labels))
