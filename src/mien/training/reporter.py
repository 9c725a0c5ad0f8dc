"""Reporters: what is told of every step and epoch of a training (loggers, progress bars, charts)."""

from collections.abc import Mapping
from typing import Any, Protocol

from mien.training.config import TrainConfig
from mien.training.data import TrainingData


class Reporter(Protocol):
    """Called at every step and epoch of a training; `examples/loggers.py` plugs MLflow and Weights & Biases in."""

    def begin(
        self, config: TrainConfig, data: TrainingData, device: str, epochs_done: int, faces_per_epoch: int
    ) -> None:
        """Called once, before the first epoch that is run, with the rows and the kind of device that it uses; the
        configuration's precision is settled.
        """

    def advance(self, epoch: int, faces: int) -> None:
        """Called after each step with its epoch, from 1, and the number of faces it took."""

    def epoch_done(self, entry: Mapping[str, Any]) -> None:
        """Called after each epoch, when its checkpoint is written, with its entry of the log (`mien.runs`)."""

    def end(self, reason: str) -> None:
        """Called when no epoch is left, with the reason in words; not after an error or an interruption."""


class SilentReporter:
    """Ignores every event; a base for reporters that want a few of them."""

    def begin(
        self, config: TrainConfig, data: TrainingData, device: str, epochs_done: int, faces_per_epoch: int
    ) -> None:
        """Nothing."""

    def advance(self, epoch: int, faces: int) -> None:
        """Nothing."""

    def epoch_done(self, entry: Mapping[str, Any]) -> None:
        """Nothing."""

    def end(self, reason: str) -> None:
        """Nothing."""


class Reporters:
    """Several reporters as one, told in their order."""

    def __init__(self, *reporters: Reporter) -> None:
        self._reporters = reporters

    def begin(
        self, config: TrainConfig, data: TrainingData, device: str, epochs_done: int, faces_per_epoch: int
    ) -> None:
        """Tell all."""
        for reporter in self._reporters:
            reporter.begin(config, data, device, epochs_done, faces_per_epoch)

    def advance(self, epoch: int, faces: int) -> None:
        """Tell all."""
        for reporter in self._reporters:
            reporter.advance(epoch, faces)

    def epoch_done(self, entry: Mapping[str, Any]) -> None:
        """Tell all."""
        for reporter in self._reporters:
            reporter.epoch_done(entry)

    def end(self, reason: str) -> None:
        """Tell all."""
        for reporter in self._reporters:
            reporter.end(reason)
