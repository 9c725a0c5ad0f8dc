"""`mien sweep`: several recipes, overrides and seeds, then their comparison."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from mien.cli.options import DropRows, Threads, TrainingSet, TrainOn
from mien.errors import MissingExtraError


def sweep(
    file: Annotated[Path, typer.Argument(help="TOML file: seeds, and a section for each variant.")],
    data: TrainingSet,
    out: Annotated[Path, typer.Option(help="Folder for the runs, the comparison and its charts.")],
    drop_rows: DropRows = None,
    device: TrainOn = "auto",
    threads: Threads = None,
) -> None:
    """Train every variant with every seed, resume where an earlier call stopped, and compare them.

    A run that diverges (its loss becomes NaN or infinite) is recorded and named; the others go on.
    """
    from mien.cli.compare import show_comparison
    from mien.cli.train import train_config

    try:
        from mien.training.sweep import check_comparable, load_sweep, run_sweep
    except ModuleNotFoundError as error:
        raise MissingExtraError("training", "train") from error
    from mien.cli.train_progress import resumable
    from mien.data.store import FaceStore
    from mien.evaluation.comparison import read_runs, variants_of

    runs = load_sweep(file)
    check_comparable(runs, FaceStore.open(data))
    trained, failed = [], 0
    train = partial(train_config, drop_rows=drop_rows, resume=True, device=device, threads=threads)
    with resumable("the same command"):
        for outcome in run_sweep(runs, out, lambda config, folder: train(config, data, folder)):
            folder = out / outcome.run.folder
            if outcome.error is None:
                trained.append(folder)
                typer.echo(f"trained {folder}", err=True)
            else:
                failed += 1
                typer.secho(f"mien: {folder}: {outcome.error}", fg="red", err=True)
    if trained:
        show_comparison(variants_of(read_runs(trained)), out, as_json=False)
    if failed:
        typer.secho(f"mien: {failed} of {len(runs)} runs failed", fg="red", err=True)
        raise typer.Exit(1)
