"""The network that a training begins with."""

import torch
from torch import nn

from mien.errors import TrainingError
from mien.models.registry import network_entry
from mien.models.saved import load_network
from mien.training.config import TrainConfig


def initial_network(config: TrainConfig) -> nn.Module:
    """The network as a training finds it: random, or with the weights it starts from.

    Raises:
        ModelFileError: the initial weights are missing or damaged.
        TrainingError: they are those of another network.
    """
    if not config.initial_weights:
        return network_entry(config.network).build()
    network, card = load_network(config.initial_weights)
    if card.network != config.network:
        raise TrainingError(
            f"initial_weights {config.initial_weights}: are those of {card.network}: expected those of {config.network}"
        )
    return network


def in_channels_last(network: nn.Module) -> nn.Module:
    """The network with convolution weights in the memory order that they are fastest in; changed in place."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
