"""What a network costs: parameters and multiply-adds."""

import torch
from torch import Tensor, nn


def count_parameters(network: nn.Module) -> int:
    """Learnable numbers of a network."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_macs(network: nn.Module, input_size: int) -> int:
    """Multiply-adds of one face in convolutions and linear layers, biases not counted.

    Args:
        network: maps float (N, 1, S, S) to (N, 7).
        input_size: S in pixels.
    """
    total = 0

    def add(module: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        weight = module.weight
        assert isinstance(weight, Tensor)
        total += output[0].numel() * weight[0].numel() if isinstance(module, nn.Conv2d) else weight.numel()

    hooks = [
        module.register_forward_hook(add) for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)
    ]
    mode, device = network.training, next(network.parameters()).device
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, 1, input_size, input_size, device=device))
    finally:
        network.train(mode)
        for hook in hooks:
            hook.remove()
    return total
