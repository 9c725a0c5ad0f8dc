"""Knowledge distillation from trained teachers (Hinton et al., arXiv 1503.02531)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mien.errors import ModelFileError, TrainingError
from mien.labels import EMOTIONS
from mien.model.card import ModelCard
from mien.model.embedded import embedded_versions, read_embedded, trainable_models, versioned_name, weights_file
from mien.model.onnx_model import Bundle
from mien.networks.pretrained import PUBLISHED
from mien.networks.saved import load_network, provenance
from mien.preprocess import PreprocessSpec


@dataclass(frozen=True, slots=True)
class Parent:
    """A trained network that a training goes on from or learns from.

    Args:
        network: in evaluation mode, on the CPU.
        card: its card.
        provenance: what the card of a descendant tells of it, see `mien.networks.saved.provenance`.
    """

    network: nn.Module
    card: ModelCard
    provenance: dict[str, Any]


def load_parent(path: str) -> Parent:
    """The network of a run folder, of a safetensors file of `mien train`, or of an embedded model.

    Raises:
        ModelFileError: missing or damaged, or without weights to train from; the message names what to use instead.
    """
    file = trainable(path)
    network, card = load_network(file)
    return Parent(network, card, provenance(file, card))


def trainable(name: str) -> Path:
    """The file or run folder with the weights that a user names.

    Raises:
        ModelFileError: an ONNX file, an embedded model that has no weights to train from, or pretrained weights that
            were not converted yet.
    """
    version = versioned_name(name)
    known = ", ".join(trainable_models())
    if version is None:
        if name.endswith(".onnx"):
            raise ModelFileError(
                f"{name}: an ONNX file has no weights to train from: name the run it was exported from, its "
                f"best.safetensors, or one of {known}"
            )
        if name in PUBLISHED and not Path(name).exists():
            raise ModelFileError(
                f"{name}: no such file or run; its pretrained weights become one by "
                f"`mien pretrained {name} --out {name}.safetensors`"
            )
        if not Path(name).exists():
            raise ModelFileError(
                f"{name}: no such file or run: expected one of {known}, a run, or a safetensors file of one"
            )
        return Path(name)
    if (file := weights_file(version)) is None:
        raise ModelFileError(
            f"{name}: has no weights to train from in the package{_why(version)}: "
            f"expected one of {known}, a run or a safetensors file of one"
        )
    return file


def _why(version: str) -> str:
    """Why an embedded model has no weights of its own, where it is the mean of others."""
    members = [member["sha256"] for member in Bundle.load(version).card.training.get("members", ())]
    if not members:
        return ""
    hashes = {name: hashlib.sha256(read_embedded(name)).hexdigest() for name in embedded_versions()}
    named = [name for name, sha256 in hashes.items() if sha256 in members]
    if others := len(members) - len(named):
        named.append("another network" if others == 1 else f"{others} networks more" if named else f"{others} networks")
    return f", since it is the mean of {' and '.join(named)}"


class Teachers:
    """An ensemble of trained networks that see what the pupil sees.

    Args:
        paths: run folders or safetensors files of `mien train`.
        preprocess: the pupil's; every teacher must have been trained with the same part of the face. Sides and scales
            of grey levels may differ.
        classes: the pupil's; every teacher must have the same.

    Raises:
        ModelFileError: a teacher is missing or damaged.
        TrainingError: a teacher was trained with another preprocessing, or has other classes.
    """

    def __init__(self, paths: Sequence[str], preprocess: PreprocessSpec, classes: tuple[str, ...] = EMOTIONS) -> None:
        parents = [_load(path, preprocess, classes) for path in paths]
        self._preprocess = preprocess
        self._networks = [(parent.network, parent.card.preprocess) for parent in parents]
        self.provenance = [parent.provenance for parent in parents]

    def to(self, device: torch.device) -> Self:
        """Move the networks to a device; returns itself."""
        for network, _ in self._networks:
            network.to(device)
        return self

    @torch.no_grad()
    def probabilities(self, inputs: Tensor, temperature: float) -> Tensor:
        """Mean over the teachers of their softened probabilities (N, classes), float32.

        Args:
            inputs: the pupil's, (N, 1, S, S); scaled and resized for a teacher that was made for others.
            temperature: divides the logits.
        """
        answers = [
            F.softmax(network(_sized(self._scaled(inputs, spec), spec.input_size)).float() / temperature, dim=-1)
            for network, spec in self._networks
        ]
        return torch.stack(answers).mean(0)

    def _scaled(self, inputs: Tensor, theirs: PreprocessSpec) -> Tensor:
        """The pupil's input on a teacher's scale of grey levels."""
        ours = self._preprocess
        if (ours.mean, ours.std) == (theirs.mean, theirs.std):
            return inputs
        return (inputs * ours.std + (ours.mean - theirs.mean)) / theirs.std


def _load(path: str, preprocess: PreprocessSpec, classes: tuple[str, ...]) -> Parent:
    parent = load_parent(path)
    if parent.card.labels != classes:
        raise TrainingError(
            f"teacher {path}: has the classes {', '.join(parent.card.labels)}: "
            f"expected those of the data set, {', '.join(classes)}"
        )
    theirs = parent.card.preprocess
    if _view(theirs) != _view(preprocess):
        raise TrainingError(
            f"teacher {path}: was trained with {theirs}: expected the crop, channels and filters of {preprocess}"
        )
    parent.network.requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return parent


def _view(spec: PreprocessSpec) -> tuple[Any, ...]:
    """What teacher and pupil must have in common: the part of the face, and what is done to it but scaling."""
    return spec.input_size / spec.frame_size, spec.equalize, spec.blur, spec.channels


def _sized(inputs: Tensor, side: int) -> Tensor:
    if inputs.shape[-1] == side:
        return inputs
    return F.interpolate(inputs, (side, side), mode="bilinear", align_corners=False)


def distillation_loss(logits: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """Mean cross-entropy of softened logits against taught probabilities, both (N, classes), times the squared
    temperature.

    So its gradients weigh as much as those of the plain loss, whatever the temperature (arXiv 1503.02531, section 2).
    """
    losses = -(taught * F.log_softmax(logits.float() / temperature, dim=-1)).sum(-1)
    return losses.mean() * temperature**2
