"""The chart of a training in its run folder, drawn anew while it runs."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mien.chart_style import boxes_for_letters
from mien.errors import TrainingError
from mien.evaluation.run_chart import draw_run
from mien.files import whole_file
from mien.runs import CURVES_FILE, read_log
from mien.training.config import TrainConfig
from mien.training.data import TrainingData
from mien.training.make_card import augment_families
from mien.training.reporter import SilentReporter

_SHARE: Final = 0.01
"""Largest share of the time that drawing may take before the training has ended."""


class ChartReporter(SilentReporter):
    """Draws curves.png from a run's log: after epochs, when it costs no time to speak of, and at the end.

    It is a context manager that draws what is missing also when the training is interrupted.
    """

    def __init__(self, run: Path) -> None:
        self._run, self._title, self._minimised = run, "", ""
        self._stale = False
        self._next = time.monotonic()

    def __enter__(self) -> "ChartReporter":
        return self

    def __exit__(self, *_error: object) -> None:
        if self._stale:
            self._draw()

    def begin(
        self, config: TrainConfig, data: TrainingData, device: str, epochs_done: int, faces_per_epoch: int
    ) -> None:
        """Note what is trained on what."""
        self._minimised = ", ".join(what_the_loss_holds(config))
        judge = config.select_on.replace("_", "-")
        self._title = f"{config.network}, seed {config.seed}, {data.store.meta.source}: {len(data.rows):,} faces"
        self._title += "" if judge == "last" else f"; validation: {judge} rows"

    def advance(self, epoch: int, faces: int) -> None:
        """Note that the log grows; an interruption may come before the epoch is reported."""
        self._stale = True

    def epoch_done(self, entry: Mapping[str, Any]) -> None:
        """Draw, unless it was done a moment ago."""
        if time.monotonic() >= self._next:
            self._draw()

    def _draw(self) -> None:
        started = time.monotonic()
        history = read_log(self._run)
        if not history:
            return
        figure = draw_run(history, self._title, self._minimised)
        with whole_file(self._run / CURVES_FILE, TrainingError) as partial, boxes_for_letters(figure):
            figure.savefig(partial, format="png", dpi=150)
        self._stale = False
        ended = time.monotonic()
        self._next = ended + (ended - started) / _SHARE


def what_the_loss_holds(config: TrainConfig) -> list[str]:
    """What sets the loss that steps minimise apart from plain cross-entropy on the faces as they are."""
    loss = config.loss
    said = {
        "augmented": augment_families(config.augment) or config.augment.flip or config.augment.vertical_flip,
        "smoothed": loss.label_smoothing,
        "mixup": loss.mixup,
        "focal": loss.name == "focal",
        "weighted": loss.class_weights == "balanced",
        "adjusted": loss.logit_adjustment,
        "votes": loss.targets != "fer2013",
        "teachers": loss.teachers,
    }
    return [name for name, holds in said.items() if holds]
