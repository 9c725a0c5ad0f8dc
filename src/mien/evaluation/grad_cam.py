"""Grad-CAM of networks in torch: where in a face the gradients say that the evidence for an expression lies.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", arXiv 1610.02391.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from mien.errors import ModelFileError
from mien.evaluation.classifier import TorchClassifier
from mien.model.card import ModelCard
from mien.model.onnx_model import softmax


class Plain:
    """A network in torch as what `mien.Recognizer` takes.

    Args:
        classifier: the network with its card.
    """

    def __init__(self, classifier: TorchClassifier) -> None:
        self._classifier = classifier

    @property
    def card(self) -> ModelCard:
        """The network's card."""
        return self._classifier.card

    @property
    def sha256(self) -> str | None:
        """Hash of the file with the weights, lower-case hexadecimal; None for a network that lies in no file."""
        return self._classifier.sha256

    def probabilities(self, faces: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Calibrated probabilities (N, classes) of face crops, uint8 (N, S, S) or (N, S, S, 3)."""
        logits = self._classifier.logits_of_input(self.card.preprocess.apply(faces))
        return softmax(logits / self.card.temperature)


class GradCam(Plain):
    """The same, whose faces are explained by their gradients."""

    def evidence(self, crop: NDArray[np.uint8]) -> NDArray[np.float64]:
        """How strongly each place of a face speaks for each class, at least 0, in no unit: (classes, S, S).

        Args:
            crop: the face, uint8 (S, S) or (S, S, 3).

        Raises:
            ModelFileError: the network has no maps of features.
        """
        spec = self.card.preprocess
        maps = grad_cam(self._classifier.network, torch.from_numpy(spec.apply(crop[None])), self.card.name)
        seen = F.interpolate(maps[None], size=(spec.input_size, spec.input_size), mode="bilinear")[0].cpu().numpy()
        before = spec.margin // 2
        beyond = (before, spec.margin - before)
        frame = torch.from_numpy(np.pad(seen, ((0, 0), beyond, beyond)))  # what the network does not see says nothing
        side = crop.shape[0]
        return np.asarray(F.interpolate(frame[None], size=(side, side), mode="bilinear")[0].numpy(), np.float64)


def grad_cam(network: torch.nn.Module, inputs: torch.Tensor, name: str = "") -> torch.Tensor:
    """Grad-CAM of every class over the last maps of a network that have more than one place: (classes, h, w).

    With A_k the maps, and w_kc the mean over places of the gradient of the logit of class c by A_k, it is the positive
    part of the sum over k of w_kc A_k.

    Args:
        network: in evaluation mode.
        inputs: one face, float32 (1, channels, S, S).
        name: what to call the network in errors.

    Raises:
        ModelFileError: the network has no maps of features.
    """
    found: list[torch.Tensor] = []

    def keep(_module: torch.nn.Module, _given: object, output: object) -> None:
        if isinstance(output, torch.Tensor) and output.ndim == 4 and output.shape[-1] * output.shape[-2] > 1:
            found.append(output)

    hooks = [module.register_forward_hook(keep) for module in network.modules()]
    try:
        with torch.enable_grad():
            logits = network(inputs.to(next(network.parameters()).device).requires_grad_())[0]
    finally:
        for hook in hooks:
            hook.remove()
    if not found:
        raise ModelFileError(f"model {name}: no maps of features, so there is no Grad-CAM of it; take --method rise")
    maps = found[-1]
    gradients = [torch.autograd.grad(logit, maps, retain_graph=True)[0][0] for logit in logits]
    weights = torch.stack(gradients).mean(dim=(2, 3))
    return torch.einsum("ck,khw->chw", weights, maps[0].detach()).clamp(min=0)
