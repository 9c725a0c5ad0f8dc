"""Learning rate by step: closed forms, so that a resumed training needs no state."""

import math

from mien.training.config import ScheduleConfig


def learning_rate_factor(schedule: ScheduleConfig, step: int, steps_per_epoch: int, epochs: int) -> float:
    """Share of the peak learning rate that a step uses, 0..1.

    Args:
        schedule: its form.
        step: number of the step within the whole training, from 0.
        steps_per_epoch: steps in one epoch.
        epochs: epochs of the whole training.
    """
    warmup = schedule.warmup_epochs * steps_per_epoch
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if schedule.name == "constant":
        return 1.0
    progress = (step - warmup) / max(1.0, epochs * steps_per_epoch - warmup)
    return schedule.final + (1 - schedule.final) * 0.5 * (1 + math.cos(math.pi * progress))
