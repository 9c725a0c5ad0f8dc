"""When a training ends: all epochs are done, or early stopping."""

from collections.abc import Mapping, Sequence
from typing import Any

from mien.training.config import TrainConfig


def reason_to_end(config: TrainConfig, history: Sequence[Mapping[str, Any]]) -> str | None:
    """Why a training with this history runs no further epoch, in words; None when it goes on."""
    patience = config.early_stopping
    if patience and epochs_without_gain(history, config.stop_on) >= patience:
        return f"early stopping: no better {config.stop_on.replace('_', ' ')} for {patience} epochs"
    if len(history) >= config.epochs:
        return f"epoch {config.epochs} of {config.epochs} is done"
    return None


def epochs_without_gain(history: Sequence[Mapping[str, Any]], stop_on: str) -> int:
    """Epochs since the best one, by "accuracy" or "validation_loss"; of equal epochs the first is the best."""
    values = [entry[stop_on] for entry in history]
    if not values:
        return 0
    best = min(values) if stop_on == "validation_loss" else max(values)
    return len(values) - 1 - values.index(best)
