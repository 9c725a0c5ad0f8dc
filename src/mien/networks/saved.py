"""A trained network on disk: its weights as safetensors, its card as JSON in the same file's header.

One file, so that weights and card can never come from two different moments.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from mien.errors import ConfigError, ModelFileError
from mien.files import whole_file
from mien.model.backbone import BackboneCard
from mien.model.card import METADATA_KEY, ModelCard
from mien.networks.registry import network_entry
from mien.networks.unfolded import folded_file, unfolded
from mien.runs import network_file


def save_tensors(path: Path, tensors: dict[str, Tensor], metadata: str) -> None:
    """Atomic write of tensors and a text to a safetensors file.

    Raises:
        ModelFileError: cannot be written.
    """
    contiguous = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    with whole_file(path, ModelFileError, SafetensorError) as partial:
        partial.write_bytes(
            save(contiguous, {METADATA_KEY: metadata})
        )  # `save_file` makes files that only their owner reads


def load_tensors(path: Path) -> tuple[dict[str, Tensor], str]:
    """Tensors and text of a file that `save_tensors` wrote.

    Raises:
        ModelFileError: missing, damaged, or not written by mien.
    """
    with _opened(path) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        return tensors, file.metadata()[METADATA_KEY]


def read_metadata(path: Path) -> str:
    """The text alone of a file that `save_tensors` wrote.

    Raises:
        ModelFileError: missing, damaged, or not written by mien.
    """
    with _opened(path) as file:
        text: str = file.metadata()[METADATA_KEY]
        return text


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if path.suffix == ".onnx" and path.is_file():
        raise ModelFileError(
            f"{path}: an ONNX file, and weights are asked for: expected the run it was exported from, or its "
            "best.safetensors"
        )
    try:
        with safe_open(path, framework="pt") as file:
            if METADATA_KEY not in (file.metadata() or {}):
                raise ModelFileError(
                    f"{path}: safetensors without mien's metadata; expected a file written by `mien train`"
                )
            yield file
    except FileNotFoundError:
        raise ModelFileError(f"{path}: no such file") from None
    except (SafetensorError, OSError) as error:
        raise ModelFileError(f"{path}: damaged file ({error})") from None


def save_network(path: Path, network: nn.Module, card: ModelCard, *, half: bool = False) -> None:
    """Write a network's weights and card to one file.

    Args:
        path: of the file.
        network: any registered network.
        card: says which.
        half: store matrices and kernels in half precision, which halves the file; `load_network` gives float32 back.

    Raises:
        ModelFileError: cannot be written.
    """
    tensors = dict(network.state_dict())
    if half:
        tensors = {name: _halved(tensor) for name, tensor in tensors.items()}
    save_tensors(path, tensors, card.to_json())


def _halved(tensor: Tensor) -> Tensor:
    """Biases and what batch normalisation holds stay as they are: they are small, and variances may be too large."""
    return tensor.half() if tensor.is_floating_point() and tensor.dim() > 1 else tensor


def provenance(path: str | Path, card: ModelCard) -> dict[str, Any]:
    """Provenance entry of a parent network (initial weights, teacher or ensemble member): architecture, hash, training.

    Args:
        path: of the other network, as `load_network` takes it.
        card: what `load_network` gave for it.
    """
    file = network_file(path)
    sha256 = hashlib.sha256((folded_file(file) or file).read_bytes()).hexdigest()
    return {"network": card.network, "sha256": sha256, **card.training}


def read_card(path: str | Path) -> ModelCard:
    """The card of the chosen network of a run folder, or of one file that `save_network` wrote.

    Raises:
        ModelFileError: nothing there, or damaged.
    """
    file = network_file(path)
    try:
        return _card(read_metadata(file))
    except ConfigError as error:
        raise ModelFileError(f"{file}: {error}") from None


def _card(text: str) -> ModelCard:
    if BackboneCard.from_json(text) is not None:
        raise ConfigError(
            "a pretrained backbone, which knows no classes: train from it first (`mien train --from`, or "
            "initial_weights in a recipe)"
        )
    return ModelCard.from_json(text)


def load_network(path: str | Path, device: str = "cpu") -> tuple[nn.Module, ModelCard]:
    """The chosen network of a run folder, or of one file that `save_network` wrote, in evaluation mode.

    Raises:
        ModelFileError: nothing there, damaged, or weights that do not fit the network its card names.
    """
    file = network_file(path)
    tensors, text = load_tensors(file)
    try:
        card = _card(text)
        network = network_entry(card.network).build(len(card.labels), card.preprocess.channels)
        folded = folded_file(file)
        network.load_state_dict(unfolded(folded, tensors, network) if folded else tensors)
    except (ConfigError, RuntimeError) as error:
        raise ModelFileError(f"{file}: {str(error).splitlines()[0]}") from None
    return network.eval().to(torch.device(device)), card
