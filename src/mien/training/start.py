"""Initialisation of a training: random, earlier (fine-tuning) or pretrained weights, a last layer, and teachers."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from mien.errors import TrainingError
from mien.labels import class_key, known_name
from mien.model.card import ModelCard
from mien.networks.backbone import load_backbone, network_on, read_backbone_card
from mien.networks.registry import network_entry
from mien.runs import network_file
from mien.training.config import TrainConfig
from mien.training.distillation import Teachers, load_parent, trainable
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
        classes: of the data set; the last layer of initial weights is fitted to them (`with_classes`), that on a
            backbone is random.

    Raises:
        ModelFileError: initial weights or a teacher are missing or damaged.
        TrainingError: they are those of another network, take other faces, or teachers have other classes.
    """
    torch.manual_seed(config.seed)
    parents: dict[str, Any] = {}
    if not config.initial_weights:
        network = network_entry(config.network).build(len(classes), config.preprocess.channels)
    elif read_backbone_card(file := network_file(trainable(config.initial_weights))):
        backbone = load_backbone(file)
        _check_network(config, backbone.card.network)
        network = network_on(backbone, len(classes), config.preprocess.channels)
        parents["backbone"] = backbone.provenance
    else:
        network, parents["initial_weights"] = _goes_on(config, classes)
    teachers = Teachers(config.loss.teachers, config.preprocess, classes)
    if teachers.provenance:
        parents["teachers"] = teachers.provenance
    return Start(network, teachers, parents)


def _goes_on(config: TrainConfig, classes: tuple[str, ...]) -> tuple[nn.Module, dict[str, Any]]:
    """A trained network with a last layer for the classes, and what is told of it."""
    parent = load_parent(config.initial_weights)
    _check_network(config, parent.card.network)
    if parent.card.preprocess.channels != config.preprocess.channels:
        raise TrainingError(
            f"initial_weights {config.initial_weights}: take faces of {parent.card.preprocess.channels} channels: "
            f"set preprocess.channels={parent.card.preprocess.channels}; faces of the other kind are converted"
        )
    told = {"name": parent.card.name, "licence": parent.card.licence, **parent.provenance}
    return with_classes(parent.network, parent.card, classes), told


def _check_network(config: TrainConfig, theirs: str) -> None:
    if theirs != config.network:
        raise TrainingError(
            f"initial_weights {config.initial_weights}: are those of {theirs}: expected those of {config.network}"
        )


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
