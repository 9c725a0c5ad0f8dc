"""Exponential moving average of weights, batch-normalisation statistics included."""

from copy import deepcopy

import torch
from torch import Tensor, nn


class WeightAverage:
    """Keeps the moving average of a network's weights (Polyak and Juditsky, 1992).

    The decay grows from 0 as (1 + step) / (10 + step) so that the start is forgotten. Running means and variances are
    averaged as well: fresh statistics under averaged weights made validation curves jump.

    Args:
        network: what is averaged.
        decay: per step; 0 copies the network.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.module = deepcopy(network).eval().requires_grad_(False)
        self._decay = decay
        self._pairs = [
            (mine, theirs)
            for mine, theirs in zip(self.module.state_dict().values(), network.state_dict().values(), strict=True)
        ]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the network's weights after a step, numbered from 0."""
        decay = min(self._decay, (1 + step) / (10 + step))
        floats: list[tuple[Tensor, Tensor]] = []
        for mine, theirs in self._pairs:
            if mine.is_floating_point():
                floats.append((mine, theirs))
            else:
                mine.copy_(theirs)
        torch._foreach_lerp_([mine for mine, _ in floats], [theirs for _, theirs in floats], 1 - decay)
