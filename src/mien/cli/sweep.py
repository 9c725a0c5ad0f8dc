"""`mien sweep`: several recipes, overrides and seeds, or a random search, then their comparison."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.cli.messages import each_notice_once, log
from mien.cli.options import Charts, Column, DropRows, NoTitles, TableAs, Threads, TrainingSet, TrainOn
from mien.errors import MissingExtraError, TrainingError

if TYPE_CHECKING:
    from mien.training.sweep import Sweep, SweepRun


def sweep(  # noqa: PLR0913, PLR0917 - the options of the command
    file: Annotated[Path, typer.Argument(help="TOML file: seeds, and a section for each variant, or a search.")],
    data: TrainingSet,
    out: Annotated[Path, typer.Option(help="Folder for the runs, the comparison and its charts.")],
    drop_rows: DropRows = None,
    device: TrainOn = "auto",
    threads: Threads = None,
    table: TableAs = None,
    charts: Charts = "png",
    column: Column = False,
    no_titles: NoTitles = False,
) -> None:
    """Train every variant with every seed (and fold), resume where an earlier call stopped, and compare them.

    A run that diverges (its loss becomes NaN or infinite) is recorded and named; the others go on.
    """
    from mien.cli.compare import Comparison
    from mien.cli.train import train_config
    from mien.cli.train_progress import resumable

    try:
        from mien.training.sweep import load_sweep, whole
        from mien.training.sweep_checks import check_comparable, check_trainable
    except ModuleNotFoundError as error:
        raise MissingExtraError("training", "train") from error
    from mien.data.store import FaceStore
    from mien.evaluation.comparison import variants_of
    from mien.evaluation.contenders import read_runs

    with each_notice_once(), resumable("the same command"):
        asked = load_sweep(file)
        store = FaceStore.open(data)
        check_comparable(asked.runs, store, asked.folds)
        check_trainable(asked.runs, store, drop_rows, out=out, device=device)
        further = "" if asked.search else f"{{}} in {file}, for all its runs, and the same command"
        train = partial(train_config, drop_rows=drop_rows, resume=True, device=device, threads=threads, further=further)
        trainer = _Trainer(out, lambda config, folder: train(config, data, folder))
        trained = _search(asked, trainer, out) if asked.search else trainer.train(asked.runs)
    if not asked.search:
        trained = whole(trained, asked.folds)
    if trained:
        report = Comparison(out, table, charts, column=column, titles=not no_titles)
        report.show(variants_of(read_runs(list(trained))))
    if asked.search:
        from mien.training.search import SELECTED

        log.warning(SELECTED)
    if trainer.failed:
        log.error("%d of %d runs failed", trainer.failed, trainer.tried)
        raise typer.Exit(1)


class _Trainer:
    """Trains runs and says what became of each."""

    def __init__(self, out: Path, train: Callable[[Any, Path], object]) -> None:
        self._out, self._train = out, train
        self.tried = self.failed = 0

    def train(self, runs: "tuple[SweepRun, ...]") -> "dict[Path, SweepRun]":
        """The runs that were trained to their end, by folder."""
        from mien.training.sweep import run_sweep

        trained = {}
        for outcome in run_sweep(runs, self._out, self._train):
            folder = self._out / outcome.run.folder
            self.tried += 1
            if outcome.error is None:
                trained[folder] = outcome.run
                log.info("trained %s", folder)
            else:
                self.failed += 1
                log.error("%s: %s", folder, outcome.error)
        return trained


def _search(asked: "Sweep", trainer: _Trainer, out: Path) -> "dict[Path, SweepRun]":
    """Train the rungs of a search, and write search.json: every draw, its accuracy on each rung, and who went on."""
    from mien.files import write_text
    from mien.toml_json import to_json
    from mien.training.search import SELECTED, better_half, drawn_overrides

    assert asked.search is not None
    drawn = drawn_overrides(asked.search)
    rungs: list[dict[str, Any]] = []
    trained: dict[Path, SweepRun] = {}
    for number in range(asked.search.halvings + 1):
        trained = trainer.train(asked.rung(number, drawn))
        accuracies = _accuracies(trained)
        rungs.append({"draws": {name: drawn[name] for name in accuracies}, "accuracies": accuracies})
        document = {"selection": SELECTED, "drawn": asked.search.draws, "rungs": rungs}
        write_text(out / "search.json", to_json(document), TrainingError)
        drawn = {name: drawn[name] for name in better_half(accuracies)}
    return trained


def _accuracies(trained: "dict[Path, SweepRun]") -> dict[str, float]:
    """Best accuracy of the epochs, mean over seeds, by draw."""
    from mien.runs import read_log

    found: dict[str, list[float]] = {}
    for folder, run in trained.items():
        best = max(entry["accuracy"] for entry in read_log(folder) if "accuracy" in entry)
        found.setdefault(run.variant, []).append(best)
    return {name: sum(values) / len(values) for name, values in found.items()}
