"""Several trained networks as one: the mean of their calibrated probabilities (Hansen and Salamon, 1990)."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mien.bundle import ModelCard
from mien.data.store import FaceStore
from mien.errors import ExportError
from mien.evaluation.calibration import fit_temperature
from mien.evaluation.measured import MeasuredFaces, figures
from mien.models.saved import load_network, provenance


class Ensemble(nn.Module):
    """Networks that look at the same face.

    Args:
        members: networks that map (N, 1, S, S) to logits (N, 7), in evaluation mode.
        temperatures: what each one's logits are divided by, from its card.
    """

    def __init__(self, members: Sequence[nn.Module], temperatures: Sequence[float]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.temperatures = tuple(temperatures)

    def forward(self, faces: Tensor) -> Tensor:
        """Logarithms (N, 7) of the members' mean probabilities: logits whose softmax they are."""
        answers = [
            F.log_softmax(member(faces) / temperature, dim=-1)
            for member, temperature in zip(self.members, self.temperatures, strict=True)
        ]
        return torch.logsumexp(torch.stack(answers), dim=0) - math.log(len(answers))


def load_ensemble(paths: Sequence[Path], name: str) -> tuple[Ensemble, ModelCard]:
    """Trained networks and their common card, neither calibrated together nor measured yet.

    The card's ``training`` holds what is true of all members, and under ``members`` each one's own, with the hash of
    its file.

    Args:
        paths: run folders or safetensors files of `mien train`.
        name: what the ensemble is called.

    Raises:
        ModelFileError: one is missing or damaged.
        ExportError: one was trained with another preprocessing.
    """
    loaded = [load_network(path) for path in paths]
    cards = [card for _, card in loaded]
    for path, card in zip(paths, cards, strict=True):
        if card.preprocess != cards[0].preprocess:
            raise ExportError(
                f"{path}: was trained with {card.preprocess}: expected that of {paths[0]}, {cards[0].preprocess}"
            )
    members = [provenance(path, card) for path, card in zip(paths, cards, strict=True)]
    card = ModelCard(
        name=name,
        network=" + ".join(card.network for card in cards),
        parameters=sum(card.parameters for card in cards),
        macs=sum(card.macs for card in cards),
        preprocess=cards[0].preprocess,
        training={**_common([card.training for card in cards]), "members": members},
        licence=cards[0].licence,
    )
    return Ensemble([network for network, _ in loaded], [card.temperature for card in cards]).eval(), card


def _common(trainings: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The entries on which all agree."""
    return {
        key: value
        for key, value in trainings[0].items()
        if all(key in other and other[key] == value for other in trainings)
    }


def calibrated(network: nn.Module, card: ModelCard, store: FaceStore) -> ModelCard:
    """The card with the temperature that suits PublicTest best, the figures there, and whose PublicTest that is.

    Raises:
        ExportError: the data set has no PublicTest rows.
    """
    rows = store.rows_of("PublicTest")
    if not len(rows):
        raise ExportError("the data have no PublicTest rows to fit the temperature on; import data that have them")
    faces = MeasuredFaces.of(card.preprocess, store, rows, torch.device("cpu"))
    logits = faces.logits(network)
    temperature = fit_temperature(logits, faces.labels)
    calibrated_on = {"source": store.meta.source, "source_sha256": store.meta.source_sha256}
    return replace(
        card,
        temperature=temperature,
        training={**card.training, "calibrated_on": calibrated_on},
        public_test=figures(logits, faces.labels, temperature),
    )
