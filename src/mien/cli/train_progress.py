"""What `mien train` and `mien sweep` say on standard error while they train."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import typer

from mien.cli.messages import log

if TYPE_CHECKING:
    from rich.progress import Progress

    from mien.training.config import TrainConfig
    from mien.training.data import TrainingData

LINE_SECONDS: Final = 30
"""Between two lines within an epoch where there is no terminal to show a bar."""

FURTHER: Final = "--resume --set {}"
"""How `mien train` is told to go on after the end of a training, ``{}`` in the place of the setting."""

INTERRUPTED: Final = 130
"""Exit status after Ctrl-C: 128 and the number of the signal."""


@contextmanager
def resumable(how: str) -> Iterator[None]:
    """Ctrl-C inside the block becomes one line that says how to go on.

    Raises:
        typer.Exit: interrupted.
    """
    try:
        yield
    except KeyboardInterrupt:
        log.error("interrupted; go on with %s: whole epochs are kept", how)
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A bar on standard error, where a terminal shows it."""
    from rich import progress as rich_progress
    from rich.console import Console

    columns = (
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.TaskProgressColumn(),
        rich_progress.TextColumn("{task.fields[rate]}"),
        rich_progress.TimeElapsedColumn(),
        rich_progress.TextColumn("left"),
        rich_progress.TimeRemainingColumn(elapsed_when_finished=False),
    )
    with rich_progress.Progress(*columns, console=Console(stderr=True), speed_estimate_period=600) as progress:
        yield progress


class ProgressReporter:
    """What is trained on, a bar over the whole training, and a line per epoch (a `mien.training.reporter.Reporter`).

    The time left counts what a face costs at the side of each epoch: in proportion to its area.

    Args:
        progress: the bar.
        clock: seconds, for the lines within an epoch where there is no terminal.
        further: how to train further, ``{}`` in the place of the setting; "" where a run is not to be trained further.
    """

    def __init__(
        self, progress: Progress, clock: Callable[[], float] = time.monotonic, *, further: str = FURTHER
    ) -> None:
        self._progress, self._clock, self._further = progress, clock, further
        self._next_line = clock() + LINE_SECONDS

    def begin(
        self, config: TrainConfig, data: TrainingData, device: str, epochs_done: int, faces_per_epoch: int
    ) -> None:
        """Say what is trained on."""
        self._print(
            f"training {config.network} on {len(data.rows)} faces, device {device}, precision {config.precision}"
        )
        for reason, count in data.dropped.items():
            self._print(f"left out of training: {count} rows {reason}")
        self._judged_by = config.select_on.replace("_", "-")
        self._areas = [config.input_size_at(epoch) ** 2 for epoch in range(config.epochs)]
        total, done = sum(self._areas), sum(self._areas[:epochs_done])
        self._task = self._progress.add_task(
            "training", total=total * faces_per_epoch, completed=done * faces_per_epoch, rate=""
        )

    def advance(self, epoch: int, faces: int) -> None:
        """Move the bar."""
        area, task = self._areas[epoch - 1], self._progress.tasks[0]
        rate = f"{task.speed / area:.0f} faces/s" if task.speed else ""
        what = f"epoch {epoch} of {len(self._areas)}"
        self._progress.update(self._task, advance=faces * area, description=what, rate=rate)
        if not self._progress.console.is_terminal and self._clock() >= self._next_line:
            self._next_line = self._clock() + LINE_SECONDS
            left = "" if task.time_remaining is None else f", left {timedelta(seconds=round(task.time_remaining))}"
            self._print(f"{what}: {task.percentage:.1f} % of the training, {rate}{left}")

    def epoch_done(self, entry: Mapping[str, Any]) -> None:
        """Say what the epoch came to."""
        self._next_line = self._clock() + LINE_SECONDS
        measured = f"training {_figures(entry, 'training_loss', 'training_accuracy')}"
        if "accuracy" in entry:
            measured += f", {self._judged_by} {_figures(entry, 'validation_loss', 'accuracy')}"
        best = " best" if entry["best"] else ""
        self._print(
            f"epoch {entry['epoch']}: loss {entry['loss']:.4f}; {measured}{best}; "
            f"{entry['faces_per_second']:.0f} faces/s, learning rate {entry['learning_rate']:.4g}"
        )

    def end(self, reason: str) -> None:
        """Say why the training ended, and how to go on."""
        more = "early_stopping=0" if reason.startswith("early") else "epochs=N"
        how = f"; train further with {self._further.replace('{}', more)}" if self._further else ""
        self._print(f"ended: {reason}{how}")

    def _print(self, line: str) -> None:
        self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)


def _figures(entry: Mapping[str, Any], loss: str, accuracy: str) -> str:
    return f"{entry[accuracy]:.4f} (loss {entry[loss]:.3f})"
