"""Initialisation of a training: random or earlier weights (fine-tuning), and teachers."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from mien.errors import TrainingError
from mien.networks.registry import network_entry
from mien.training.config import TrainConfig
from mien.training.distillation import Teachers, load_parent


@dataclass(frozen=True, slots=True)
class Start:
    """What a training starts from: its network, its teachers, and what its card tells of both."""

    network: nn.Module
    teachers: Teachers
    parents: dict[str, Any]


def start_of(config: TrainConfig) -> Start:
    """The network, random or with the weights it goes on from, and the teachers.

    Raises:
        ModelFileError: initial weights or a teacher are missing or damaged.
        TrainingError: they are those of another network, or take other faces.
    """
    torch.manual_seed(config.seed)
    parents: dict[str, Any] = {}
    if config.initial_weights:
        parent = load_parent(config.initial_weights)
        if parent.card.network != config.network:
            raise TrainingError(
                f"initial_weights {config.initial_weights}: are those of {parent.card.network}: "
                f"expected those of {config.network}"
            )
        network, parents["initial_weights"] = parent.network, parent.provenance
    else:
        network = network_entry(config.network).build()
    teachers = Teachers(config.loss.teachers, config.preprocess)
    if teachers.provenance:
        parents["teachers"] = teachers.provenance
    return Start(network, teachers, parents)
