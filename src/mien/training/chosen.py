"""Model selection: each epoch's network is measured, the best one calibrated, evaluated and written with its card."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mien.choices import HELD_OUT
from mien.errors import DivergedError
from mien.evaluation.measured import MeasuredFaces, figures
from mien.evaluation.temperature import fit_temperature
from mien.networks.saved import save_network
from mien.runs import BEST_FILE
from mien.training.config import TrainConfig
from mien.training.data import TrainingData
from mien.training.make_card import make_card
from mien.training.run_folder import save_answers

_USAGES_OF_SELECTION: Final = {"PublicTest": "PublicTest", "held_out": HELD_OUT}

TRAINING_SAMPLE: Final = 1000
"""Training rows whose loss and accuracy each epoch measures: a standard error of at most 1.6 points."""


def sample_rows(rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """The rows among those trained on that stand for them in the curves: the same ones in every run on these rows."""
    if len(rows) <= TRAINING_SAMPLE:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, TRAINING_SAMPLE, replace=False))


class ChosenNetwork:
    """Judges the epochs of a training and writes the best network to its run folder.

    Args:
        config: the training.
        data: its rows.
        parents: provenance for its card, see `mien.training.make_card.make_card`.
        run: its folder.
        device: where faces are measured.
    """

    def __init__(
        self, config: TrainConfig, data: TrainingData, parents: Mapping[str, Any], run: Path, device: torch.device
    ) -> None:
        self._config, self._data, self._parents, self._run, self._device = config, data, parents, run, device
        self._sample = self._measured(sample_rows(data.rows))
        rows = {"PublicTest": data.store.rows_of("PublicTest"), HELD_OUT: data.held_out}
        self._rows = {usage: found for usage, found in rows.items() if len(found)}
        self._faces = {usage: self._measured(found) for usage, found in self._rows.items()}
        self._selected = _USAGES_OF_SELECTION.get(config.select_on)
        data.selection_rows(config.select_on)
        self.selection = self._faces[self._selected] if self._selected else None

    def _measured(self, rows: NDArray[np.intp]) -> MeasuredFaces:
        return MeasuredFaces.of(self._config.preprocess, self._data.store, rows, self._device)

    def measure(self, network: nn.Module) -> dict[str, float]:
        """What the log says of a network, see `mien.runs.LOG_COLUMNS`.

        Raises:
            DivergedError: its answers are not finite.
        """
        sample = self._sample.curve_point(network)
        measured = {"training_loss": sample["loss"], "training_accuracy": sample["accuracy"]}
        if self.selection is not None:
            judged = self.selection.curve_point(network)
            measured |= {"validation_loss": judged.pop("loss"), **judged}
        if not np.isfinite(list(measured.values())).all():
            raise DivergedError("the network's answers are not finite; lower optimizer.learning_rate")
        return measured

    def is_best(self, entry: Mapping[str, Any], history: tuple[dict[str, Any], ...]) -> bool:
        """Whether an epoch is better than all before it; without faces to judge by, whether it is the last."""
        if self.selection is None:
            return bool(entry["epoch"] == self._config.epochs)
        return all(entry["accuracy"] > earlier["accuracy"] for earlier in history)

    def save(self, network: nn.Module, epoch: int, *, seconds: float) -> None:
        """Write a network as the chosen one, and what it answers to the rows that judge it.

        Args:
            network: what was trained.
            epoch: number of its epoch, from 1.
            seconds: what the epochs up to this one took.
        """
        card = make_card(self._config, self._data, network, {**self._parents, "seconds": seconds}, epoch=epoch)
        logits = {usage: faces.logits(network) for usage, faces in self._faces.items()}
        if self._selected:
            temperature = fit_temperature(logits[self._selected], self._faces[self._selected].labels)
            card = replace(card, temperature=temperature)
        measured = {
            usage: figures(logits[usage], faces.labels, card.temperature) for usage, faces in self._faces.items()
        }
        public_test = measured.pop("PublicTest", {})
        held_out = {"held_out": measured[HELD_OUT]} if measured else {}
        card = replace(card, public_test=public_test, training={**card.training, **held_out})
        for usage, rows in self._rows.items():
            save_answers(self._run, usage, logits[usage].argmax(1), self._data, rows)
        save_network(self._run / BEST_FILE, network, card)
