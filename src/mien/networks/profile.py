"""Cost of a network: parameters, multiply-adds and memory, in total and layer by layer."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_FLOAT: Final = 4
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a network.

    Args:
        name: its path in the network, for example ``block1.conv``.
        kind: its class, for example ``Conv2d``.
        output: the shape of its output for one face, for example (64, 24, 24).
        parameters: learnable numbers.
        macs: multiply-adds for one face, biases not counted; 0 for all but convolutions and linear layers.
        bias_adds: additions of biases for one face, likewise; some tables count them as multiply-adds too.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    macs: int
    bias_adds: int


@dataclass(frozen=True, slots=True)
class Memory:
    """What a network needs in float32 for one face, bytes.

    Args:
        input: the face.
        outputs: of all layers together, what a training keeps for its way back; prediction frees them one by one.
        parameters: learnable numbers.
    """

    input: int
    outputs: int
    parameters: int


def memory_of(layers: Sequence[Layer], input_size: int, channels: int = 1) -> Memory:
    """The memory of a network's layers (`list_layers`) for a face of a side in pixels and 1 or 3 channels."""
    outputs = sum(prod(layer.output) for layer in layers)
    parameters = sum(layer.parameters for layer in layers)
    return Memory(_FLOAT * channels * input_size**2, _FLOAT * outputs, _FLOAT * parameters)


class _Undrawn(TorchFunctionMode):
    """Leaves weights as they are allocated: no random numbers are drawn for them."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        named = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return named["tensor"] if "tensor" in named else args[0]
        return func(*args, **named)


def outline(build: Callable[[], nn.Module]) -> nn.Module:
    """A network whose weights are whatever its memory holds: enough to count, in little time.

    Not on torch's device ``meta``, whose functions take a second to import.
    """
    with torch.random.fork_rng(devices=[]), _Undrawn():
        return build()


def count_parameters(network: nn.Module) -> int:
    """Learnable numbers of a network."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_macs(network: nn.Module, input_size: int, channels: int = 1) -> int:
    """Multiply-adds of one face in convolutions and linear layers, biases not counted.

    Args:
        network: maps float (N, channels, S, S) to (N, classes).
        input_size: S in pixels.
        channels: of a face, 1 or 3.
    """
    return sum(layer.macs for layer in list_layers(network, input_size, channels))


def list_layers(network: nn.Module, input_size: int, channels: int = 1) -> tuple[Layer, ...]:
    """The layers of a network in the order in which they run; functions without a layer of their own are not listed.

    Args:
        network: maps float (N, channels, S, S) to (N, classes).
        input_size: S in pixels.
        channels: of a face, 1 or 3.
    """
    layers: list[Layer] = []
    names = {module: name for name, module in network.named_modules() if _is_layer(module)}

    def add(module: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        kind, shape = type(module).__name__, tuple(output.shape[1:])
        parameters = count_parameters(module)
        layers.append(Layer(names[module], kind, shape, parameters, _macs(module, shape), _bias_adds(module, shape)))

    hooks = [module.register_forward_hook(add) for module in names]
    mode, device = network.training, next(network.parameters()).device
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, channels, input_size, input_size, device=device))
    finally:
        network.train(mode)
        for hook in hooks:
            hook.remove()
    return tuple(layers)


def _is_layer(module: nn.Module) -> bool:
    return not any(module.children()) and not isinstance(module, nn.Sequential | nn.Identity)


def _macs(module: nn.Module, output: tuple[int, ...]) -> int:
    if isinstance(module, nn.Conv2d):
        return prod(output) * module.weight[0].numel()
    return module.weight.numel() if isinstance(module, nn.Linear) else 0


def _bias_adds(module: nn.Module, output: tuple[int, ...]) -> int:
    has_bias = isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None
    return prod(output) if has_bias else 0
