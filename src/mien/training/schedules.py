"""Learning rate schedules: closed forms of the step and of the accuracies so far,
so that a resumed training needs no state.
"""

import math
from collections.abc import Sequence
from typing import Final

from mien.training.config import ScheduleConfig

_GROWTH: Final = 1e-4
"""Relative growth of the accuracy below which "plateau" sees none; torch's own threshold."""


def learning_rate_factor(
    schedule: ScheduleConfig, step: int, steps_per_epoch: int, epochs: int, accuracies: Sequence[float] = ()
) -> float:
    """Share of the peak learning rate that a step uses, 0..1.

    Args:
        schedule: its form.
        step: number of the step within the whole training, from 0.
        steps_per_epoch: steps in one epoch.
        epochs: epochs of the whole training.
        accuracies: of the epochs that are done, in order; only "plateau" looks at them.
    """
    warmup = schedule.warmup_epochs * steps_per_epoch
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if schedule.name == "cosine":
        progress = (step - warmup) / max(1.0, epochs * steps_per_epoch - warmup)
        return schedule.final + (1 - schedule.final) * 0.5 * (1 + math.cos(math.pi * progress))
    return float(schedule.factor ** _falls(schedule, step // steps_per_epoch, accuracies))


def _falls(schedule: ScheduleConfig, epoch: int, accuracies: Sequence[float]) -> int:
    """How often the rate has fallen before an epoch."""
    if schedule.name == "step":
        return epoch // schedule.every
    if schedule.name == "multistep":
        return sum(milestone <= epoch for milestone in schedule.milestones)
    if schedule.name == "plateau":
        return plateau_falls(accuracies, schedule.patience)
    return 0


def plateau_falls(accuracies: Sequence[float], patience: int) -> int:
    """How often accuracies have not grown for more than ``patience`` epochs in a row;
    each fall begins to count anew.
    """
    best, waited, falls = -math.inf, 0, 0
    for accuracy in accuracies:
        grown = accuracy > best * (1 + _GROWTH) if best > 0 else accuracy > best
        best, waited = (accuracy, 0) if grown else (best, waited + 1)
        if waited > patience:
            falls, waited = falls + 1, 0
    return falls
