"""Sharpness-aware minimization (SAM): weights whose neighbours have a low loss as well.

Foret et al., "Sharpness-aware minimization for efficiently improving generalization", arXiv 2010.01412. Its gain is
largest where labels are noisy (their section 3.3), as a third of FER2013's are.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

_SMALLEST: Final = 1e-12
"""Keeps a gradient of zero from dividing by its norm."""


@contextmanager
def uphill(network: nn.Module, parameters: Iterable[Tensor], radius: float) -> Iterator[None]:
    """Hold the weights where their gradients point to, a distance away, and put them back exactly.

    Batch normalisation measures no running statistics meanwhile: they belong to the weights that are kept.

    Args:
        network: whose batch normalisation it is.
        parameters: the weights that are moved; those without a gradient stay.
        radius: the distance (rho of the paper), over all of them together.
    """
    moved = [parameter for parameter in parameters if parameter.grad is not None]
    measuring = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    before = [parameter.detach().clone() for parameter in moved]
    _climb(moved, radius)
    for layer in measuring:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer in measuring:
            layer.track_running_stats = True
        with torch.no_grad():
            torch._foreach_copy_(moved, before)


@torch.no_grad()
def _climb(parameters: list[Tensor], radius: float) -> None:
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = torch.stack(list(torch._foreach_norm(gradients))).norm()
    steps = torch._foreach_mul(gradients, radius / (norm + _SMALLEST))
    torch._foreach_add_(parameters, list(steps))
