"""Paired comparison of runs: learning curves, final figures, and the significance of differences.

Final figures are those of each run's best epoch on PublicTest, or on the Training rows that all of them held out. All
runs are evaluated on the same faces, so differences are paired. Where both variants were trained with several seeds,
the confidence interval covers the sampling of faces and of seeds; where one was not, of faces alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import comb
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from mien.errors import DataError, UsageError
from mien.runs import ANSWERS_FILES, RunFiles, read_run_files

_DRAWS: Final = 10_000


@dataclass(frozen=True)
class Run:
    """A training that has finished or was cut off, as its folder tells.

    Args:
        name: what to call it: the folder's name, or that of the folder above a ``seed-N``.
        seed: its seed.
        history: entries of log.jsonl, one per epoch.
        labels: class numbers of the faces that it is compared on (N,).
        predictions: what the chosen network answers (N,).
        config: its configuration, as config.toml has it.
        usage: which rows these faces are, a key of `mien.runs.ANSWERS_FILES`.
        rows: their row numbers (N,) and the hash of their data set; None for runs made before mien kept them.
    """

    name: str
    seed: int
    history: tuple[dict[str, Any], ...]
    labels: NDArray[np.intp]
    predictions: NDArray[np.intp]
    config: dict[str, Any] = field(default_factory=dict)
    usage: str = "PublicTest"
    rows: tuple[NDArray[np.intp], str] | None = None

    @cached_property
    def correct(self) -> NDArray[np.bool_]:
        """Which faces are classified correctly (N,)."""
        return np.asarray(self.predictions == self.labels)

    @property
    def accuracy(self) -> float:
        """Share of faces classified correctly (accuracy), 0..1."""
        return float(self.correct.mean())


@dataclass(frozen=True)
class Variant:
    """Runs that differ in their seed alone, or also in the weights they start from."""

    name: str
    runs: tuple[Run, ...]

    @property
    def accuracies(self) -> NDArray[np.float64]:
        """Of each run (R,)."""
        return np.array([run.accuracy for run in self.runs])

    @property
    def correct(self) -> NDArray[np.float64]:
        """Share of the runs that classify each face correctly (N,)."""
        return np.asarray(np.mean([run.correct for run in self.runs], axis=0))

    def curve(self, key: str) -> NDArray[np.float64]:
        """Values of an entry of the log, by run and epoch (R, E); NaN after a run's end or where it is not logged."""
        longest = max(len(run.history) for run in self.runs)
        values = np.full((len(self.runs), longest), np.nan)
        for row, run in zip(values, self.runs, strict=True):
            row[: len(run.history)] = [entry.get(key, np.nan) for entry in run.history]
        return values


@dataclass(frozen=True, slots=True)
class Difference:
    """How many more faces one variant classifies correctly than another.

    Args:
        share: of the faces, -1..1.
        low, high: its 95 % confidence interval.
        over: the sampling that the interval covers: "faces", or "faces and seeds".
        p_value: McNemar's, None where a variant has several runs: his test compares two.
    """

    share: float
    low: float
    high: float
    over: Literal["faces", "faces and seeds"]
    p_value: float | None


def read_runs(paths: Sequence[str | Path], usage: str | None = None) -> list[Run]:
    """Runs in folders that `mien train` made, with their answers to one usage.

    Args:
        paths: the folders, at least one.
        usage: a key of `mien.runs.ANSWERS_FILES`; None takes the first that all of them have.

    Raises:
        DataError: no run there, or a damaged one.
        UsageError: they have no such usage in common.
    """
    files = {Path(path): read_run_files(Path(path)) for path in paths}
    usage = _common_usage(files, usage)
    return [_run(folder, content, usage) for folder, content in files.items()]


def read_run(path: str | Path, usage: str | None = None) -> Run:
    """The run in one folder, see `read_runs`."""
    return read_runs([path], usage)[0]


def _common_usage(files: Mapping[Path, RunFiles], usage: str | None) -> str:
    wanted = [usage] if usage else list(ANSWERS_FILES)
    for name in wanted:
        if all(name in content.answers for content in files.values()):
            return name
    if usage:
        lacking = next(folder for folder, content in files.items() if usage not in content.answers)
        raise UsageError(f"{lacking}: has no answers to {usage}; expected one of {_usages(files[lacking])}")
    told = "; ".join(f"{folder}: {_usages(content)}" for folder, content in files.items())
    raise UsageError(f"the runs have no rows in common that all were measured on ({told}); compare them apart")


def _usages(content: RunFiles) -> str:
    return ", ".join(content.answers)


def _run(folder: Path, files: RunFiles, usage: str) -> Run:
    place = folder.absolute()
    name = place.parent.name if place.name.startswith("seed-") else place.name
    answers = files.answers[usage]
    try:
        labels, predictions = (np.array(answers[key], np.intp) for key in ("labels", "predictions"))
        rows = (np.array(answers["rows"], np.intp), str(answers["source_sha256"])) if "rows" in answers else None
        run = Run(name, int(files.config["seed"]), files.history, labels, predictions, files.config, usage, rows)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder}: damaged run ({error})") from None
    if labels.ndim != 1 or labels.shape != predictions.shape or not len(labels):
        raise DataError(
            f"{folder}: damaged run ({ANSWERS_FILES[usage]} has {labels.size} labels and {predictions.size} "
            "predictions: expected as many of each)"
        )
    return run


def _same_faces(one: Run, other: Run) -> bool:
    if one.usage != other.usage or not np.array_equal(one.labels, other.labels):
        return False
    if one.rows is None or other.rows is None:
        return True
    return one.rows[1] == other.rows[1] and np.array_equal(one.rows[0], other.rows[0])


def variants_of(runs: Iterable[Run]) -> tuple[Variant, ...]:
    """Runs grouped by name, in the order in which names first come.

    Raises:
        UsageError: no runs, runs on different faces, or runs under one name that share a seed or differ in more than
            it.
    """
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.name, []).append(run)
    if not groups:
        raise UsageError("nothing to compare: expected at least one run")
    first = next(iter(groups.values()))[0]
    for group in groups.values():
        seeds = [run.seed for run in group]
        if len(set(seeds)) < len(seeds):
            raise UsageError(f"runs named {group[0].name} share a seed ({seeds}): rename one of the folders")
        for run in group:
            if not _same_faces(run, first):
                raise UsageError(f"runs {first.name} and {run.name} were judged on different faces: compare them apart")
            if key := _first_difference(group[0].config, run.config):
                raise UsageError(f"runs named {run.name} differ in {key}, not in their seed alone: rename a folder")
    return tuple(Variant(name, tuple(group)) for name, group in groups.items())


def _first_difference(one: Mapping[str, Any], other: Mapping[str, Any], prefix: str = "") -> str | None:
    """The first key in which two configurations differ, but for where chance and weights begin.

    A key that only one of them has is younger than the other and does not count.
    """
    for key in sorted((one.keys() & other.keys()) - {"seed", "initial_weights"}):
        if isinstance(one[key], dict) and isinstance(other[key], dict):
            if inner := _first_difference(one[key], other[key], f"{prefix}{key}."):
                return inner
        elif one[key] != other[key]:
            return prefix + key
    return None


def difference(variant: Variant, baseline: Variant, *, draws: int = _DRAWS, seed: int = 0) -> Difference:
    """How much better a variant is than a baseline on the same faces.

    The interval is the bootstrap's 2.5 and 97.5 per cent (Efron, 1979): faces are drawn with replacement, each with
    what both say of it. With several seeds on both sides each draw is also moved by how uncertain the two means over
    seeds are: a Student t variate of S - 1 degrees of freedom times the standard error, for each (the distribution of
    Behrens and Fisher, 1935). Drawing three to five seeds with replacement instead would make them look too sure. How
    seeds differ from face to face is in both parts, so the interval is a little too wide rather than too narrow.
    """
    gains = variant.correct - baseline.correct
    random = np.random.default_rng(seed)
    shares = redrawn_means(gains, draws, random)
    several = min(len(variant.runs), len(baseline.runs)) > 1
    if several:
        shares = shares + _seed_noise(variant, draws, random) - _seed_noise(baseline, draws, random)
    low, high = np.percentile(shares, [2.5, 97.5])
    single = len(variant.runs) == len(baseline.runs) == 1
    p_value = mcnemar(variant.runs[0].correct, baseline.runs[0].correct) if single else None
    over: Literal["faces", "faces and seeds"] = "faces and seeds" if several else "faces"
    return Difference(float(gains.mean()), float(low), float(high), over, p_value)


def redrawn_means(gains: NDArray[np.float64], draws: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Bootstrap means of the gains of N faces (N,), one per resample (draws,)."""
    values, counts = np.unique(gains, return_counts=True)
    return np.asarray(random.multinomial(len(gains), counts / len(gains), size=draws) @ values / len(gains))


def _seed_noise(variant: Variant, draws: int, random: np.random.Generator) -> NDArray[np.float64]:
    """How far the mean over other seeds may lie from the one over these, (draws,)."""
    count = len(variant.runs)
    error = variant.accuracies.std(ddof=1) / np.sqrt(count)
    return np.asarray(random.standard_t(count - 1, draws) * error)


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Two-sided exact McNemar test (1947) of two networks on the same faces.

    Among the faces that only one of them classifies correctly (discordant pairs): how likely is a split this uneven?

    Args:
        first: which faces one classifies correctly (N,).
        second: likewise the other.
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    total, fewer = only_first + only_second, min(only_first, only_second)
    tail: int = sum(comb(total, k) for k in range(fewer + 1))
    return min(1.0, 2 * tail / (1 << total))


def summary(variants: Sequence[Variant]) -> list[dict[str, Any]]:
    """JSON-ready rows, one per variant: seeds, accuracies, and the difference to the first variant."""
    return [_row(variant, variants[0]) for variant in variants]


def _row(variant: Variant, baseline: Variant) -> dict[str, Any]:
    accuracies = variant.accuracies
    row: dict[str, Any] = {
        "name": variant.name,
        "usage": variant.runs[0].usage,
        "n": len(variant.correct),
        "seeds": [run.seed for run in variant.runs],
        "epochs": [len(run.history) for run in variant.runs],
        "accuracies": accuracies.tolist(),
        "accuracy": float(accuracies.mean()),
        "deviation": float(accuracies.std(ddof=1)) if len(accuracies) > 1 else None,
    }
    if variant is not baseline:
        gain = difference(variant, baseline)
        row |= {"difference": gain.share, "interval": [gain.low, gain.high]}
        row |= {"interval_over": gain.over, "p_value": gain.p_value}
    return row
