"""`mien train`: one training, with progress on standard error."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.cli.options import DropRows, Threads, TrainingSet, TrainOn
from mien.errors import MissingExtraError

if TYPE_CHECKING:
    from rich.progress import Progress

    from mien.model.card import ModelCard
    from mien.training.config import TrainConfig
    from mien.training.data import TrainingData


def train(  # noqa: PLR0913, PLR0917 - the options of the command
    recipe: Annotated[str, typer.Option(help="Name of a recipe inside the package, or a TOML file.")],
    data: TrainingSet,
    run: Annotated[Path, typer.Option(help="Run folder: log, checkpoints, best network.")],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the recipe. Repeatable."),
    ] = None,
    drop_rows: DropRows = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume this run from its last checkpoint.")] = False,
    device: TrainOn = "auto",
    devices: Annotated[int, typer.Option(min=1, help="Data-parallel processes, one per device of this machine.")] = 1,
    threads: Threads = None,
) -> None:
    """Train a network on the Training rows and keep the epoch with the best PublicTest accuracy.

    Training rows that duplicate a test row (leakage) are left out, and counted.
    """
    try:
        from mien.training.recipe import load_config
    except ModuleNotFoundError as error:
        raise MissingExtraError("training", "train") from error

    config = load_config(recipe, settings or ())
    card = train_config(
        config, data, run, drop_rows=drop_rows, resume=resume, device=device, devices=devices, threads=threads
    )
    _print_result(card.public_test, card.training["epoch"], run)


def train_config(
    config: TrainConfig,
    data: Path,
    run: Path,
    *,
    drop_rows: Path | None = None,
    resume: bool = False,
    device: str = "auto",
    devices: int = 1,
    threads: int | None = None,
) -> ModelCard:
    """Train one configuration on a data set, with progress on standard error; the card of the chosen network."""
    try:
        from mien.training.data import TrainingData
        from mien.training.engine import train as run_training
    except ModuleNotFoundError as error:
        raise MissingExtraError("training", "train") from error
    from mien.data.store import FaceStore

    training_data = TrainingData.prepared(FaceStore.open(data), config, drop_rows)
    with _progress() as progress:
        reporter = _ProgressReporter(progress)
        return run_training(
            config,
            training_data,
            run,
            resume=resume,
            device=device,
            devices=devices,
            threads=threads,
            reporter=reporter,
        )


def _say(text: str) -> None:
    """Print once, however many processes train: torchrun numbers them in RANK, Fabric on one machine in LOCAL_RANK."""
    if os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0":
        typer.echo(text)


def _print_result(figures: Mapping[str, Any], epoch: int, run: Path) -> None:
    _say(f"run: {run}, epoch {epoch} kept")
    if figures:
        _say(
            f"PublicTest ({figures['n']} faces, no augmentation): accuracy {figures['accuracy']:.4f}, "
            f"macro F1 {figures['macro_f1']:.4f}, ECE {figures['ece']:.4f} after temperature"
        )


@contextmanager
def _progress() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False),
    )
    with Progress(*columns, console=Console(stderr=True), speed_estimate_period=600) as progress:
        yield progress


class _ProgressReporter:
    """What is trained on, a bar over all faces of the training, and a line per epoch."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def begin(
        self, config: TrainConfig, data: TrainingData, device: str, epochs_done: int, faces_per_epoch: int
    ) -> None:
        self._print(
            f"training {config.network} on {len(data.rows)} faces, device {device}, precision {config.precision}"
        )
        for reason, count in data.dropped.items():
            self._print(f"left out of training: {count} rows {reason}")
        self._judged_by = config.select_on.replace("_", " ")
        self._task = self._progress.add_task(
            "training", total=config.epochs * faces_per_epoch, completed=epochs_done * faces_per_epoch, rate=""
        )

    def advance(self, epoch: int, faces: int) -> None:
        task = self._progress.tasks[0]
        rate = f"{task.speed:.0f} faces/s" if task.speed else ""
        self._progress.update(self._task, advance=faces, description=f"epoch {epoch}", rate=rate)

    def epoch_done(self, entry: Mapping[str, Any]) -> None:
        accuracy = (
            f", {self._judged_by} {entry['accuracy']:.4f}{' best' if entry['best'] else ''}"
            if "accuracy" in entry
            else ""
        )
        self._print(
            f"epoch {entry['epoch']}: loss {entry['loss']:.4f}{accuracy}, {entry['faces_per_second']:.0f} faces/s, "
            f"learning rate {entry['learning_rate']:.4g}"
        )

    def _print(self, line: str) -> None:
        self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)
