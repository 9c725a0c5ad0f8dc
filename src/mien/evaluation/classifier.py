"""The interface of a model under evaluation: preprocessed faces to logits, and a model card."""

import hashlib
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from mien.errors import MissingExtraError, ModelFileError
from mien.model.card import ModelCard
from mien.model.onnx_model import Bundle
from mien.runs import network_file
from mien.threads import thread_count

if TYPE_CHECKING:
    import torch

_BATCH: Final = 256


class Classifier(Protocol):
    """A network with its card. `mien.model.onnx_model.Bundle` is one, `TorchClassifier` another."""

    @property
    def card(self) -> ModelCard:
        """Labels, preprocessing, temperature and provenance."""

    @property
    def sha256(self) -> str | None:
        """Hash of the file with the weights, lower-case hexadecimal; None for a network that lies in no file."""

    def logits_of_input(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (N, classes) of preprocessed faces, float32 (N, channels, S, S)."""


class TorchClassifier:
    """A torch network as a `Classifier`; it is moved to the device and put into evaluation mode.

    Args:
        network: maps float32 (N, channels, S, S) to logits (N, classes).
        card: its card.
        device: where it runs, as torch names it.
        weights: the file its weights come from, if any.
    """

    def __init__(
        self, network: "torch.nn.Module", card: ModelCard, *, device: str = "cpu", weights: Path | None = None
    ) -> None:
        self.card = card
        self._network = network.to(device).eval()
        self._device = device
        self._weights = weights

    @cached_property
    def sha256(self) -> str | None:
        """Hash of the file with the weights, lower-case hexadecimal; None for a network that lies in no file."""
        return hashlib.sha256(self._weights.read_bytes()).hexdigest() if self._weights else None

    @property
    def network(self) -> "torch.nn.Module":
        """The network, in evaluation mode."""
        return self._network.eval()

    def logits_of_input(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (N, classes) of preprocessed faces, float32 (N, channels, S, S)."""
        import torch

        self._network.eval()
        with torch.inference_mode():
            batches = torch.split(torch.from_numpy(inputs), _BATCH)
            logits = torch.cat([self._network(batch.to(self._device)).float().cpu() for batch in batches])
        return np.asarray(logits.numpy(), np.float32)

    def features_of_input(self, inputs: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Logits (N, classes), and the features (N, D) that the last layer with weights reads, as `Bundle` gives them.

        Raises:
            ModelFileError: the network has no such layer.
        """
        import torch

        read: dict[torch.nn.Module, list[torch.Tensor]] = {}
        hooks = [
            layer.register_forward_pre_hook(lambda layer, given: read.update({layer: [*read.pop(layer, []), given[0]]}))
            for layer in self._network.modules()
            if isinstance(layer, torch.nn.Linear | torch.nn.Conv2d)
        ]
        try:
            logits = self.logits_of_input(inputs)
        finally:
            for hook in hooks:
                hook.remove()
        if not read:
            raise ModelFileError(f"model {self.card.name}: no layer with weights, so it has no features to give")
        features = torch.cat(list(read.values())[-1]).float().cpu()  # the layer that was called last
        return logits, np.asarray(features.mean(dim=(2, 3)) if features.ndim == 4 else features.flatten(1), np.float32)


def open_classifier(model: str | Path, device: str = "cpu", threads: int | None = None) -> Classifier:
    """The model that a user names; a run's card gets the run for a name.

    Args:
        model: an ONNX file, the name of an embedded model, the folder of a run, which stands for its best epoch, or one
            safetensors file of a run.
        device: where it runs: an ONNX file on one of `mien.choices.MODEL_DEVICES`, a network from safetensors on one of
            `mien.choices.TRAINING_DEVICES`.
        threads: to compute with, see `mien.threads.thread_count`; torch has one number for the whole process.

    Raises:
        ModelFileError: there is no such model, the run has no best epoch yet, or the model is damaged.
        MissingExtraError: a run or a safetensors file, and torch is not installed.
        UsageError: a device that such a model cannot run on, or that is not there; a number of threads out of range.
    """
    path = Path(model)
    if path.is_dir() or path.suffix == ".safetensors":
        return _open_saved(path, device, threads)
    return Bundle.load(model, device=device, threads=threads)


def _open_saved(path: Path, device: str, threads: int | None) -> TorchClassifier:
    try:
        import torch

        from mien.networks.device import torch_device
        from mien.networks.saved import load_network
    except ModuleNotFoundError:
        raise MissingExtraError("opening the network of a run", "train") from None
    device = torch_device(device)
    torch.set_num_threads(thread_count(threads))
    network, card = load_network(path, device)
    if path.is_dir():  # the card of a run knows its network alone, which other runs have too
        card = replace(card, name=str(path))
    return TorchClassifier(network, card, device=device, weights=network_file(path))
