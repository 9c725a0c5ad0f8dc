"""Optimizers by the names that recipes use."""

import torch
from torch import nn

from mien.training.config import OptimizerConfig


def make_optimizer(network: nn.Module, config: OptimizerConfig, *, fused: bool = False) -> torch.optim.Optimizer:
    """The optimizer of a configuration; biases and normalisation (one-dimensional parameters) are not decayed.

    Args:
        network: whose parameters are learned.
        config: which optimizer.
        fused: Adam takes one pass over a parameter, its gradient and its state, which must lie in memory in the same
            order. On a processor that saves most of the time of Adam (of SGD's too little to matter); on a GPU clipping
            under loss scaling forbids it.
    """
    parameters = list(network.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    rate, momentum = config.learning_rate, config.momentum
    match config.name:
        case "sgd":
            return torch.optim.SGD(groups, lr=rate, momentum=momentum, nesterov=config.nesterov and momentum > 0)
        case "adam":
            return torch.optim.Adam(groups, lr=rate, betas=(momentum, 0.999), fused=fused)
        case "adamw":
            return torch.optim.AdamW(groups, lr=rate, betas=(momentum, 0.999), fused=fused)
        case "rmsprop":
            return torch.optim.RMSprop(groups, lr=rate, momentum=momentum)
