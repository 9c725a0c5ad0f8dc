"""Optimizers by the names that recipes use."""

from typing import Final

import torch
from torch import nn

from mien.training.config import OptimizerConfig

RATE: Final = "rate"
"""Key of a group of parameters: what the learning rate is multiplied by."""


def head_of(network: nn.Module) -> nn.Module:
    """The last layer with weights, which gives the logits."""
    return [layer for layer in network.modules() if isinstance(layer, nn.Linear | nn.Conv2d)][-1]


def make_optimizer(network: nn.Module, config: OptimizerConfig, *, fused: bool = False) -> torch.optim.Optimizer:
    """The optimizer of a configuration; biases and normalisation (one-dimensional parameters) are not decayed.

    Args:
        network: whose parameters are learned.
        config: which optimizer; with ``body_rate`` below 1 the last layer has groups of its own, the first ones.
        fused: Adam takes one pass over a parameter, its gradient and its state, which must lie in memory in the same
            order. On a processor that saves most of the time of Adam (of SGD's too little to matter); on a GPU clipping
            under loss scaling forbids it.
    """
    head = set(head_of(network).parameters()) if config.body_rate < 1 else set(network.parameters())
    groups = [
        {"params": [p for p in parameters if (p.ndim > 1) == decays], "weight_decay": decay, RATE: share}
        for parameters, share in (
            ([p for p in network.parameters() if p in head], 1.0),
            ([p for p in network.parameters() if p not in head], config.body_rate),
        )
        for decays, decay in ((True, config.weight_decay), (False, 0.0))
        if parameters
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
