"""Initialisation of a training: random or earlier weights (fine-tuning), a last layer for its classes, and teachers."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from mien.errors import TrainingError
from mien.labels import class_key, known_name
from mien.model.card import ModelCard
from mien.networks.registry import network_entry
from mien.training.config import TrainConfig
from mien.training.distillation import Teachers, load_parent
from mien.training.optimizers import head_of


@dataclass(frozen=True, slots=True)
class Start:
    """What a training starts from: its network, its teachers, and what its card tells of both."""

    network: nn.Module
    teachers: Teachers
    parents: dict[str, Any]


def start_of(config: TrainConfig, classes: tuple[str, ...]) -> Start:
    """The network, random or with the weights it goes on from, and the teachers.

    Args:
        config: the training.
        classes: of the data set; the last layer of initial weights is fitted to them (`with_classes`).

    Raises:
        ModelFileError: initial weights or a teacher are missing or damaged.
        TrainingError: they are those of another network, take other faces, or teachers have other classes.
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
        if parent.card.preprocess.channels != config.preprocess.channels:
            raise TrainingError(
                f"initial_weights {config.initial_weights}: take faces of {parent.card.preprocess.channels} channels: "
                f"set preprocess.channels={parent.card.preprocess.channels}; faces of the other kind are converted"
            )
        network = with_classes(parent.network, parent.card, classes)
        told = {"name": parent.card.name, "licence": parent.card.licence}
        parents["initial_weights"] = {**told, **parent.provenance}
    else:
        network = network_entry(config.network).build(len(classes), config.preprocess.channels)
    teachers = Teachers(config.loss.teachers, config.preprocess, classes)
    if teachers.provenance:
        parents["teachers"] = teachers.provenance
    return Start(network, teachers, parents)


def with_classes(network: nn.Module, card: ModelCard, classes: tuple[str, ...]) -> nn.Module:
    """The network with a last layer for other classes; one that it knows by name keeps its weights, others get zeros.

    Neither case nor the form of an emotion's name matters: ``Happiness`` is ``happy``.

    Args:
        network: of the card.
        card: names its classes.
        classes: those that are wanted.
    """
    if card.labels == classes:
        return network
    changed = network_entry(card.network).build(len(classes), card.preprocess.channels)
    weights, head = network.state_dict(), head_of(network)
    known = {_meaning(label): number for number, label in enumerate(card.labels)}
    (name,) = (name for name, layer in network.named_modules() if layer is head)
    for key in (f"{name}.weight", f"{name}.bias"):
        fitted = torch.zeros(len(classes), *weights[key].shape[1:])
        for number, label in enumerate(classes):
            if (place := known.get(_meaning(label))) is not None:
                fitted[number] = weights[key][place]
        weights[key] = fitted
    changed.load_state_dict(weights)
    return changed


def _meaning(label: str) -> str:
    return known_name(label) or class_key(label)
