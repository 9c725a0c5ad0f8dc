"""Progress callbacks of a training."""

from collections.abc import Mapping
from typing import Any, Protocol

from mien.training.config import TrainConfig
from mien.training.data import TrainingData


class Reporter(Protocol):
    """Called at every step and epoch of a training."""

    def begin(
        self, config: TrainConfig, data: TrainingData, device: str, epochs_done: int, faces_per_epoch: int
    ) -> None:
        """Called once, before the first epoch that is run, with the rows and the kind of device that it uses; the
        configuration's precision is settled.
        """

    def advance(self, epoch: int, faces: int) -> None:
        """Called after each step with the number of faces it took."""

    def epoch_done(self, entry: Mapping[str, Any]) -> None:
        """Called after each epoch, when its checkpoint is written, with its entry of the log."""


class SilentReporter:
    """Ignores every event."""

    def begin(
        self, config: TrainConfig, data: TrainingData, device: str, epochs_done: int, faces_per_epoch: int
    ) -> None:
        """Nothing."""

    def advance(self, epoch: int, faces: int) -> None:
        """Nothing."""

    def epoch_done(self, entry: Mapping[str, Any]) -> None:
        """Nothing."""
