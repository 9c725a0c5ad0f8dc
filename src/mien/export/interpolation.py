"""Two trainings of one network as one: their weights averaged, their batch normalisation measured anew.

A network that was trained further on harder faces has gained there and lost a little on clear ones; between both sets
of weights lies one that keeps most of either (Wortsman et al., "Robust fine-tuning of zero-shot models", arXiv
2109.01903). It costs what one network costs. Averaged weights see other activations than either network did, so that
the statistics of batch normalisation are measured again on the Training faces (Izmailov et al., arXiv 1803.05407).
"""

import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mien.data.splits import training_rows
from mien.data.store import FaceStore
from mien.errors import ExportError, UsageError
from mien.export.calibrated import calibrated, judged_rows
from mien.model.card import ModelCard
from mien.networks.saved import load_network, provenance
from mien.preprocess import PreprocessSpec

_BATCH: Final = 512


def interpolated(
    start: Path, end: Path, share: float, store: FaceStore, drop_rows: Path | None = None
) -> tuple[nn.Module, ModelCard]:
    """A network between two, in evaluation mode, and its card: calibrated and measured on PublicTest.

    Args:
        start: a run, or a safetensors file of one.
        end: another of the same network; the card keeps what it says of the training.
        share: of the second, 0..1, both excluded.
        store: its Training rows, less those that are left out of training, measure batch normalisation.
        drop_rows: a file of row numbers to leave out.

    Raises:
        UsageError: a share out of range.
        ExportError: the two are not of one network, preprocessing and set of classes, or the data set has no PublicTest
            rows.
        ModelFileError: a file is missing or damaged.
        DataError: the file of row numbers is malformed, or no Training row is left.
    """
    if not 0 < share < 1:
        raise UsageError(f"--interpolate is {share}: expected more than 0 and less than 1, the share of {end}")
    (first, first_card), (second, card) = load_network(start), load_network(end)
    one, other = ((part.network, part.preprocess, part.labels) for part in (first_card, card))
    if one != other:
        raise ExportError(f"{start} and {end}: expected two trainings of one network, preprocessing and set of classes")
    judged = judged_rows(store, card)
    network = between(first, second, share)
    measure_statistics(network, card.preprocess, store.faces[training_rows(store, drop_rows).rows])
    with torch.inference_mode():
        logits = np.concatenate([network(batch).numpy() for batch in _batches(card.preprocess, store.faces[judged])])
    parents = [provenance(start, first_card), provenance(end, card)]
    mixed = replace(card, training={**card.training, "interpolated": {"share": share, "parents": parents}})
    return network, calibrated(mixed, logits, store.labels[judged])


def between(first: nn.Module, second: nn.Module, share: float) -> nn.Module:
    """A network whose weights are (1 - share) of the first's and a share of the second's."""
    network, start, end = copy.deepcopy(first), first.state_dict(), second.state_dict()
    network.load_state_dict({name: _mixed(start[name], tensor, share) for name, tensor in end.items()})
    return network.eval()


def _mixed(first: torch.Tensor, second: torch.Tensor, share: float) -> torch.Tensor:
    """Counters are the second's."""
    return torch.lerp(first, second, share) if second.is_floating_point() else second


def measure_statistics(network: nn.Module, preprocess: PreprocessSpec, faces: NDArray[np.uint8]) -> None:
    """Set the statistics of batch normalisation to the plain mean over batches of faces, uint8 (N, H, W)."""
    layers = [layer for layer in network.modules() if isinstance(layer, _BatchNorm)]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the plain mean
        layer.train()
    with torch.no_grad():
        for batch in _batches(preprocess, faces) if layers else ():
            network(batch)
    network.eval()


def _batches(preprocess: PreprocessSpec, faces: NDArray[np.uint8]) -> Iterator[torch.Tensor]:
    starts = range(0, len(faces), _BATCH)
    return (torch.from_numpy(preprocess.apply(faces[start : start + _BATCH])) for start in starts)
