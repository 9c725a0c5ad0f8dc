"""The validation faces of a training on its device, and their figures."""

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mien.data.store import FaceStore
from mien.evaluation.calibration import expected_calibration_error
from mien.evaluation.metrics import balanced_accuracy, confusion_matrix, macro_f1, negative_log_likelihood
from mien.evaluation.selective import COVERAGES, risk_coverage
from mien.model.onnx_model import softmax
from mien.preprocess import PreprocessSpec

_BATCH: Final = {"cpu": 256}
_GPU_BATCH: Final = 1024
"""Faces at a time by kind of device: a processor's cache is small, and a GPU waits for small batches."""


@dataclass(frozen=True, slots=True)
class MeasuredFaces:
    """Preprocessed faces, float32 (N, channels, S, S) on the training's device, and their class numbers (N,)."""

    inputs: Tensor
    labels: NDArray[np.uint8]

    @classmethod
    def of(cls, preprocess: PreprocessSpec, store: FaceStore, rows: NDArray[np.intp], device: torch.device) -> Self:
        """Rows of a data set, ready for a network."""
        inputs = torch.from_numpy(preprocess.apply(store.faces[rows])).to(device)
        return cls(inputs.contiguous(memory_format=torch.channels_last), store.labels[rows])

    def logits(self, network: nn.Module, *, exact: bool = True) -> NDArray[np.float32]:
        """Logits (N, classes) of the faces.

        Args:
            network: on the device of the faces.
            exact: in full float32, as a user of the exported file gets them. Otherwise a GPU may round what it
                multiplies to TF32, which costs an epoch of a small network a tenth of the time.
        """
        batch = _BATCH.get(self.inputs.device.type, _GPU_BATCH)
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=not exact):
            chunks = [network(chunk).float() for chunk in torch.split(self.inputs, batch)]
        return torch.cat(chunks).cpu().numpy()

    def curve_point(self, network: nn.Module) -> dict[str, float]:
        """What a network's curves show of these faces: ``loss`` (cross-entropy in nats), ``accuracy``, ``macro_f1`` and
        ``balanced_accuracy``; a loss that is no number is NaN.
        """
        logits = self.logits(network, exact=False)
        if not np.isfinite(logits).all():
            return dict.fromkeys(("loss", "accuracy", "macro_f1", "balanced_accuracy"), np.nan)
        predictions = logits.argmax(1)
        confusion = confusion_matrix(predictions, self.labels, logits.shape[1])
        return {
            "loss": negative_log_likelihood(logits, self.labels),
            "accuracy": float((predictions == self.labels).mean()),
            "macro_f1": macro_f1(confusion),
            "balanced_accuracy": balanced_accuracy(confusion),
        }


def figures(logits: NDArray[np.float32], labels: NDArray[np.uint8], temperature: float) -> dict[str, Any]:
    """What a model's card says of a set of faces: n, accuracy, macro F1, ECE with and without temperature, the area
    under the risk-coverage curve, and accuracy and threshold where only the surest faces are answered.

    Args:
        logits: (N, classes).
        labels: class numbers (N,).
        temperature: divides the logits.
    """
    predictions, probabilities = logits.argmax(1), softmax(logits / temperature)
    curve = risk_coverage(probabilities.max(axis=1), predictions == labels)
    return {
        "n": len(labels),
        "accuracy": float((predictions == labels).mean()),
        "macro_f1": macro_f1(confusion_matrix(predictions, labels, logits.shape[1])),
        "ece": expected_calibration_error(probabilities, labels),
        "ece_uncalibrated": expected_calibration_error(softmax(logits), labels),
        "aurc": curve.area,
        "selective": [curve.at(coverage).to_dict() for coverage in COVERAGES],
    }
