"""Sweeps: several recipes, overrides and seeds in one go.

A sweep file names variants; each is trained with each seed::

    seeds = [0, 1, 2]
    set = ["epochs=40"]

    [variants.cosine]
    recipe = "deep_emotion"

    [variants.step]
    recipe = "deep_emotion"
    set = ["schedule.name=step"]

Run ``OUT/cosine/seed-0`` is what `mien train` would make of it. A sweep that was killed goes on where it stopped; a run
that diverges is recorded in ``failed.txt`` of its folder, and the others go on.
"""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from mien.aside import written_aside
from mien.errors import ConfigError, DivergedError, TrainingError
from mien.training.checks import check_network
from mien.training.config import TrainConfig, config_from_dict, config_to_toml, load_config

FAILURE_FILE: Final = "failed.txt"

_KEYS: Final = {"seeds", "set", "variants"}
_VARIANT_KEYS: Final = {"recipe", "set"}


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


def load_sweep(path: str | Path) -> tuple[SweepRun, ...]:
    """The runs that a sweep file asks for, variant by variant.

    Raises:
        ConfigError: not TOML, an unknown or missing key, or a variant whose recipe, override or network is wrong; all
            are found before anything is trained.
    """
    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: the sweep cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a TOML file ({error})") from None
    try:
        return tuple(_runs(values))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _runs(values: Mapping[str, Any]) -> Iterator[SweepRun]:
    _check_keys(values, _KEYS, "")
    seeds, shared, variants = values.get("seeds", [0]), values.get("set", []), values.get("variants", {})
    if not isinstance(seeds, list) or not seeds or not all(type(seed) is int for seed in seeds):
        raise ConfigError(f"seeds is {seeds!r}: expected whole numbers, for example [0, 1, 2]")
    if not isinstance(variants, dict) or not variants:
        raise ConfigError('no variants: expected at least one section such as [variants.plain] with recipe = "mien_s"')
    for name, variant in variants.items():
        config = _variant_config(name, variant, shared)
        for seed in dict.fromkeys(seeds):
            yield SweepRun(name, Path(name) / f"seed-{seed}", replace(config, seed=seed))


def _variant_config(name: str, variant: Any, shared: Any) -> TrainConfig:
    if not isinstance(variant, dict) or "recipe" not in variant:
        raise ConfigError(f"variants.{name} has no recipe: expected a name or a TOML file")
    _check_keys(variant, _VARIANT_KEYS, f"variants.{name}.")
    own = variant.get("set", [])
    for key, overrides in (("set", shared), (f"variants.{name}.set", own)):
        if not isinstance(overrides, list) or not all(isinstance(text, str) for text in overrides):
            raise ConfigError(f'{key} is {overrides!r}: expected texts such as ["epochs=10"]')
    try:
        config = load_config(variant["recipe"], [*shared, *own])
        check_network(config)
    except ConfigError as error:
        raise ConfigError(f"variants.{name}: {error}") from None
    return config


def _check_keys(values: Mapping[str, Any], known: set[str], prefix: str) -> None:
    unknown = sorted(set(values) - known)
    if unknown:
        raise ConfigError(f"unknown key {prefix}{unknown[0]}: expected one of {', '.join(sorted(known))}")


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
    folder.mkdir(parents=True, exist_ok=True)
    with written_aside(folder / FAILURE_FILE) as aside:
        aside.write_text(f"{error}\n\n{config_to_toml(config)}", encoding="utf-8")


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
        return config_from_dict(tomllib.loads(text)) == config
    except (ConfigError, tomllib.TOMLDecodeError):
        return False
