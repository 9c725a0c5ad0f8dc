"""`mien train`: one training, with progress on standard error."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.options import DropRows, Threads, TrainingSet, TrainOn
from mien.cli.train_progress import FURTHER, ProgressReporter, progress_bar, resumable
from mien.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from mien.model.card import ModelCard
    from mien.training.config import TrainConfig


def train(  # noqa: PLR0913, PLR0917 - the options of the command
    data: TrainingSet,
    run: Annotated[Path, typer.Option(help="Run folder: log, checkpoints, best network.")],
    recipe: Annotated[
        str | None,
        typer.Option(help="Name of a recipe inside the package, or a TOML file; with --from by default tune."),
    ] = None,
    parent: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="MODEL|RUN|FILE",
            help="Fine-tune an embedded model, the best network of a run, a safetensors file of one, or what `mien "
            "pretrained` wrote. The classes are those of the data set.",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the recipe. Repeatable."),
    ] = None,
    drop_rows: DropRows = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Resume this run from its last checkpoint, by its own configuration without --recipe and --from; "
            "without one, begin it.",
        ),
    ] = False,
    device: TrainOn = "auto",
    devices: Annotated[int, typer.Option(min=1, help="Data-parallel processes, one per device of this machine.")] = 1,
    threads: Threads = None,
) -> None:
    """Train a network on the Training rows and keep the epoch of the best accuracy on the rows that choose.

    These are PublicTest, or Training rows held out (split, select_on).

    Training rows that duplicate a test row (leakage) are left out, and counted.
    """
    try:
        from mien.training.recipe import config_to_train
        from mien.training.run_folder import config_of_run
        from mien.training.tuning import tuning_config
    except ModuleNotFoundError as error:
        raise MissingExtraError("training", "train") from error
    from mien.data.store import FaceStore

    if parent is not None:
        config = tuning_config(parent, FaceStore.open(data), recipe, settings or ())
    elif recipe is not None:
        config = config_to_train(recipe, settings or ())
    elif resume:
        config = config_of_run(run, settings or ())
    else:
        raise UsageError("name a recipe with --recipe, or what to fine-tune with --from")
    with resumable("the same command and --resume"):
        card = train_config(
            config, data, run, drop_rows=drop_rows, resume=resume, device=device, devices=devices, threads=threads
        )
    _print_result(card, run)


def train_config(  # noqa: PLR0913 - what `mien train` and `mien sweep` know of a training
    config: TrainConfig,
    data: Path,
    run: Path,
    *,
    drop_rows: Path | None = None,
    resume: bool = False,
    device: str = "auto",
    devices: int = 1,
    threads: int | None = None,
    further: str = FURTHER,
) -> ModelCard:
    """Train one configuration on a data set, with progress on standard error; the card of the chosen network.

    ``further`` says how to train further, see `ProgressReporter`.
    """
    try:
        from mien.training.chart_reporter import ChartReporter
        from mien.training.data import TrainingData
        from mien.training.engine import train as run_training
        from mien.training.machine import is_first_process
        from mien.training.reporter import Reporters
    except ModuleNotFoundError as error:
        raise MissingExtraError("training", "train") from error
    from mien.data.store import FaceStore
    from mien.evaluation.temperature import warn_at_end

    training_data = TrainingData.prepared(FaceStore.open(data), config, drop_rows)
    with progress_bar() as progress, ChartReporter(run) as chart:
        card = run_training(
            config,
            training_data,
            run,
            resume=resume,
            device=device,
            devices=devices,
            threads=threads,
            reporter=Reporters(ProgressReporter(progress, further=further), chart),
        )
    if is_first_process():
        warn_at_end(card.temperature, str(run))
    return card


def _say(text: str) -> None:
    """Print once, however many processes train."""
    from mien.training.machine import is_first_process

    if is_first_process():
        typer.echo(text)


def _best_epoch(card: ModelCard) -> int:
    """The number of the epoch that was kept, from 1; cards of runs made before mien counted so say it from 0."""
    training = card.training
    return int(training["best_epoch"] if "best_epoch" in training else training["epoch"] + 1)


def _print_result(card: ModelCard, run: Path) -> None:
    _say(f"run: {run}, epoch {_best_epoch(card)} kept")
    selected_on = card.training["selected_on"]
    for name, key, figures in (
        ("held-out rows", "held_out", card.training.get("held_out")),
        ("PublicTest", "PublicTest", card.public_test),
    ):
        if figures:
            judged = ", which chose the epoch" if key == selected_on else ""
            _say(
                f"{name} ({figures['n']} faces, no augmentation{judged}): accuracy {figures['accuracy']:.4f}, "
                f"macro F1 {figures['macro_f1']:.4f}, ECE {figures['ece']:.4f} after temperature"
            )
