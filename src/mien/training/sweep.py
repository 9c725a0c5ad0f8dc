"""Sweeps: several recipes, overrides and seeds in one go.

A sweep file names variants; each is trained with each seed::

    seeds = [0, 1, 2]
    set = ["epochs=40"]

    [variants.cosine]
    recipe = "deep_emotion"

    [variants.step]
    recipe = "deep_emotion"
    set = ["schedule.name=step"]

With ``folds = 5`` each is trained once for every fold that is held out, in ``OUT/cosine/seed-0/fold-0`` and so on.

Run ``OUT/cosine/seed-0`` is what `mien train` would make of it. A sweep that was killed goes on where it stopped; a run
that diverges is recorded in ``failed.txt`` of its folder, and the others go on.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from mien.choices import FOLD_SPLITS
from mien.errors import ConfigError, DivergedError, TrainingError
from mien.evaluation.comparison_rows import file_names
from mien.files import made_folder, write_text
from mien.labels import LONGEST_CLASS, is_class_name
from mien.toml_json import expected, from_values, in_range, parse_toml, read_toml, to_toml
from mien.training.checks import check_network
from mien.training.config import TrainConfig, config_from_dict
from mien.training.recipe import config_to_train
from mien.training.search import Search, draw_config, drawn_overrides, rung_folder, seeded

FAILURE_FILE: Final = "failed.txt"

_OVERRIDES: Final = 'texts, for example ["epochs=10"]'


@dataclass(frozen=True, slots=True)
class SweepRun:
    """One training of a sweep: its variant, its folder below the sweep's, and its configuration."""

    variant: str
    folder: Path
    config: TrainConfig


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run: ``error`` is None when it was trained to its end."""

    run: SweepRun
    error: str | None


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep file, read: its runs, or a random search and its seeds."""

    runs: tuple[SweepRun, ...]
    search: Search | None = None
    seeds: tuple[int, ...] = (0,)
    folds: int = 0

    def rung(self, number: int, drawn: Mapping[str, Sequence[str]]) -> tuple[SweepRun, ...]:
        """The runs of draws (`drawn_overrides`) on a rung of the search."""
        assert self.search is not None
        place = rung_folder(self.search, number)
        return tuple(
            SweepRun(name, place / name / f"seed-{config.seed}", config)
            for name, overrides in drawn.items()
            for config in seeded(draw_config(self.search, overrides, number), self.seeds)
        )


def load_sweep(path: str | Path) -> Sweep:
    """What a sweep file asks for; of a search ``runs`` are those of its first rung.

    Raises:
        ConfigError: not TOML, an unknown or missing key, or a variant whose recipe, override or network is wrong; all
            are found before anything is trained.
    """
    try:
        values = read_toml(Path(path))
    except OSError as error:
        raise ConfigError(f"{path}: the sweep cannot be read ({error.strerror})") from None
    try:
        return _sweep(values)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sweep:
    """A sweep file."""

    seeds: tuple[int, ...] = expected("whole numbers, for example [0, 1, 2]", default=(0,))
    folds: int = 0
    set: tuple[str, ...] = expected(_OVERRIDES, default=())
    variants: Mapping[str, Any] = field(default_factory=dict)
    search: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if not self.seeds:
            raise ConfigError("seeds is []: expected whole numbers, for example [0, 1, 2]")
        if self.folds:
            in_range("folds", self.folds, low=2, high=1000)
        if self.search is not None and (self.variants or self.set or self.folds):
            raise ConfigError(
                "search stands beside variants, set or folds: expected it alone, with overrides in search.set"
            )
        if not self.variants and self.search is None:
            raise ConfigError(
                'no variants: expected at least one section such as [variants.plain] with recipe = "mien_s"'
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Variant:
    """A section of it."""

    recipe: str = expected("the name of a recipe or a TOML file")
    set: tuple[str, ...] = expected(_OVERRIDES, default=())


def _sweep(values: Mapping[str, Any]) -> Sweep:
    file = from_values(_Sweep, values)
    if file.search is None:
        return Sweep(tuple(_runs(file)), seeds=file.seeds, folds=file.folds)
    sweep = Sweep((), from_values(Search, file.search, "search."), file.seeds)
    assert sweep.search is not None
    return replace(sweep, runs=sweep.rung(0, drawn_overrides(sweep.search)))


def _runs(sweep: _Sweep) -> Iterator[SweepRun]:
    for name, variant in sweep.variants.items():
        if not is_class_name(name):  # what can name a class can name a folder
            raise ConfigError(
                f"variants.{name} cannot name a folder: expected 1..{LONGEST_CLASS} printable characters, without "
                "slashes, blanks around them or a dot at the beginning"
            )
        if name.casefold() in file_names():
            raise ConfigError(f"variants.{name} is called like a file that the sweep writes: expected another name")
        config = _variant_config(name, from_values(_Variant, variant, f"variants.{name}."), sweep.set)
        for seed in dict.fromkeys(sweep.seeds):
            run = SweepRun(name, Path(name) / f"seed-{seed}", replace(config, seed=seed))
            yield from _held_out_in_turn(run, sweep.folds) if sweep.folds else [run]


def _held_out_in_turn(run: SweepRun, folds: int) -> Iterator[SweepRun]:
    """A run for each fold that is held out."""
    if run.config.split not in FOLD_SPLITS:
        raise ConfigError(
            f"folds is {folds} and variants.{run.variant} has split={run.config.split}: "
            "set split=grouped_folds (no group in two of them) or split=stratified_folds, and split_seed=0"
        )
    for fold in range(folds):
        yield replace(run, folder=run.folder / f"fold-{fold}", config=replace(run.config, folds=folds, fold=fold))


def _variant_config(name: str, variant: _Variant, shared: tuple[str, ...]) -> TrainConfig:
    try:
        config = config_to_train(variant.recipe, [*shared, *variant.set])
        check_network(config)
    except ConfigError as error:
        raise ConfigError(f"variants.{name}: {error}") from None
    return config


def whole(trained: Mapping[Path, SweepRun], folds: int) -> dict[Path, SweepRun]:
    """Runs that can be compared: of a sweep over folds those of which no fold failed."""
    count = Counter((run.variant, run.config.seed) for run in trained.values())
    return {folder: run for folder, run in trained.items() if count[run.variant, run.config.seed] == max(1, folds)}


def run_sweep(runs: tuple[SweepRun, ...], out: Path, train: Callable[[TrainConfig, Path], object]) -> Iterator[Outcome]:
    """Train run after run, yielding what became of each; a divergence is recorded and the next run begins.

    Args:
        runs: of `load_sweep`.
        out: the sweep's folder.
        train: trains a configuration in a folder, or resumes; raises DivergedError when the loss becomes NaN or
            infinite. Other errors end the sweep.

    Raises:
        TrainingError: a recorded failure is that of another configuration.
    """
    for run in runs:
        folder = out / run.folder
        error = _recorded_failure(folder, run.config)
        if error is None:
            try:
                train(run.config, folder)
            except DivergedError as diverged:
                error = str(diverged)
                _record_failure(folder, run.config, error)
        yield Outcome(run, error)


def _record_failure(folder: Path, config: TrainConfig, error: str) -> None:
    text = f"{error}\n\n{to_toml(config)}"
    write_text(made_folder(folder, TrainingError) / FAILURE_FILE, text, TrainingError)


def _recorded_failure(folder: Path, config: TrainConfig) -> str | None:
    """What an earlier call recorded of a run that diverged, None when it did not."""
    path = folder / FAILURE_FILE
    if not path.exists():
        return None
    error, _, failed = path.read_text(encoding="utf-8").partition("\n\n")
    if failed and not _means(failed, config):
        raise TrainingError(f"{folder}: diverged with another configuration than today's; remove it to train it anew")
    return error.strip()


def _means(text: str, config: TrainConfig) -> bool:
    """Whether a configuration written earlier is this one; keys younger than it get their defaults."""
    try:
        return config_from_dict(parse_toml(text)) == config
    except ConfigError:
        return False
