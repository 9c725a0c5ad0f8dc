"""Pretrained backbones: the file that a training may begin from, and how a network takes its weights over."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from torch import Tensor, nn

from mien.errors import ConfigError, ModelFileError
from mien.model.backbone import BackboneCard
from mien.networks.registry import network_entry
from mien.networks.saved import load_tensors, read_metadata, save_tensors

_HEAD: Final = "head."
"""How the names of weights of the last layer begin, in networks that there are backbones for."""


@dataclass(frozen=True, slots=True)
class Backbone:
    """A network without its last layer, for faces in colour, with weights of other pictures.

    Args:
        card: says which network, and where the weights come from.
        tensors: by the names that the network has for them.
        sha256: of its file, lower-case hexadecimal.
    """

    card: BackboneCard
    tensors: dict[str, Tensor]
    sha256: str

    @property
    def provenance(self) -> dict[str, Any]:
        """What the card of a descendant tells of it."""
        return {**asdict(self.card), "sha256": self.sha256}


def read_backbone_card(path: Path) -> BackboneCard | None:
    """The card of a file with a backbone; None where the file holds something else, as a network of a run.

    Raises:
        ModelFileError: missing, damaged, or not written by mien.
    """
    try:
        return BackboneCard.from_json(read_metadata(path))
    except ConfigError as error:
        raise ModelFileError(f"{path}: {error}") from None


def save_backbone(path: Path, tensors: dict[str, Tensor], card: BackboneCard) -> None:
    """Write a backbone to one safetensors file.

    Raises:
        ModelFileError: cannot be written.
    """
    save_tensors(path, tensors, card.to_json())


def load_backbone(path: Path) -> Backbone:
    """The backbone in a file that `save_backbone` wrote.

    Raises:
        ModelFileError: missing, damaged, or no backbone.
    """
    card = read_backbone_card(path)
    if card is None:
        raise ModelFileError(f"{path}: holds no pretrained backbone; expected a file of `mien pretrained`")
    return Backbone(card, load_tensors(path)[0], hashlib.sha256(path.read_bytes()).hexdigest())


def network_on(backbone: Backbone, classes: int, channels: int) -> nn.Module:
    """A network with the backbone's weights and a new last layer.

    For grey faces the first convolution's kernels are summed over the three colours, which answers to a grey face as
    the kernels of the colours do to the same face three times.

    Args:
        backbone: the weights.
        classes: how many the last layer answers to.
        channels: of a face, 1 or 3.

    Raises:
        ModelFileError: the tensors do not fit the network that its card names.
    """
    try:
        network = network_entry(backbone.card.network).build(classes, channels)
        tensors = dict(backbone.tensors)
        if channels == 1:
            first = _first_kernels(network)
            tensors[first] = tensors[first].sum(1, keepdim=True)
        fresh = {name: tensor for name, tensor in network.state_dict().items() if name.startswith(_HEAD)}
        network.load_state_dict({**fresh, **tensors})
    except (ConfigError, KeyError, RuntimeError) as error:
        raise ModelFileError(
            f"the backbone of {backbone.card.source} does not fit network {backbone.card.network} "
            f"({str(error).splitlines()[0]}); convert it anew with `mien pretrained`"
        ) from None
    return network


def _first_kernels(network: nn.Module) -> str:
    """The name of the weights that see the face."""
    return next(f"{name}.weight" for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d))
