"""Paired comparison of runs: learning curves, final figures, and the significance of differences.

Final figures are those of each run's best epoch on PublicTest, or on the Training rows that all of them held out. All
runs are evaluated on the same faces, so differences are paired. Where both variants were trained with several seeds,
the confidence interval covers the sampling of faces and of seeds; where one was not, of faces alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from mien.errors import UsageError
from mien.evaluation.clustered import clustered_mcnemar, number_of_groups, redrawn_group_means
from mien.evaluation.provenance import named_rows
from mien.evaluation.significance import PairedSeeds, mcnemar, paired_seeds
from mien.labels import class_key, known_name
from mien.toml_json import dotted

Over = Literal["faces", "groups", "faces and seeds", "groups and seeds"]

_DRAWS: Final = 400_000
_GROUP_DRAWS: Final = 100_000
_OVER: Final[dict[tuple[bool, bool], Over]] = {
    (False, False): "faces",
    (False, True): "faces and seeds",
    (True, False): "groups",
    (True, True): "groups and seeds",
}
_BATCHES: Final = 20
"""Of draws, whose spread tells the Monte Carlo error."""


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
        groups: the group of each face (N,), None without them.
        folds: accuracy on each fold, where the faces are those of several trainings (`mien.evaluation.pooled`).
        source: what the data set is called; "" for runs made before mien kept it.
        classes: names of the classes by number; empty for runs, whose numbers are those of their data set.
        tta: test-time augmentation that the answers were given with, one of `mien.choices.TTA_MODES`.
    """

    name: str
    seed: int
    history: tuple[dict[str, Any], ...]
    labels: NDArray[np.intp]
    predictions: NDArray[np.intp]
    config: dict[str, Any] = field(default_factory=dict)
    usage: str = "PublicTest"
    rows: tuple[NDArray[np.intp], str] | None = None
    groups: NDArray[np.str_] | None = None
    folds: tuple[float, ...] = ()
    source: str = ""
    classes: tuple[str, ...] = ()
    tta: str = "none"

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
        over: the sampling that the interval covers: of faces, or of groups where the runs know them; also of seeds.
        p_value: McNemar's, by group where there are groups; None where a variant has several runs: it compares two.
        monte_carlo_error: standard error of low and high, whichever is larger, that comes of a finite number of draws.
        paired: over paired seeds, None where the variants do not share at least two or differ by as much with each.
    """

    share: float
    low: float
    high: float
    over: Over
    p_value: float | None
    monte_carlo_error: float
    paired: PairedSeeds | None = None

    @property
    def best_p_value(self) -> float | None:
        """McNemar's, else that over paired seeds."""
        return self.paired.p_value if self.p_value is None and self.paired else self.p_value


def compared_rows(variants: Sequence[Variant]) -> str:
    """The data set and the rows that variants are compared on, for titles; the rows alone where no run names it."""
    runs = [run for variant in variants for run in variant.runs]
    return next((named_rows(run.source, run.usage) for run in runs if run.source), runs[0].usage)


def _same_faces(one: Run, other: Run) -> bool:
    if one.usage != other.usage or not _same_labels(one, other):
        return False
    if one.rows is None or other.rows is None:
        return True
    return one.rows[1] == other.rows[1] and np.array_equal(one.rows[0], other.rows[0])


def _same_labels(one: Run, other: Run) -> bool:
    """Whether the truth is the same: by name where both know the names, as models number the same classes variously."""
    if not (one.classes and other.classes):
        return np.array_equal(one.labels, other.labels)
    ours, theirs = ([known_name(name) or class_key(name) for name in run.classes] for run in (one, other))
    return set(ours) == set(theirs) and np.array_equal(np.array(ours)[one.labels], np.array(theirs)[other.labels])


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
        raise UsageError("nothing to compare: expected at least one")
    first = next(iter(groups.values()))[0]
    for group in groups.values():
        seeds = [run.seed for run in group]
        if len(set(seeds)) < len(seeds):
            raise UsageError(_shared_seed(group))
        for run in group:
            if not _same_faces(run, first):
                said = f"runs {first.name} and {run.name} were judged on different faces or by other classes"
                raise UsageError(f"{said}: compare them apart")
            if key := _first_difference(group[0].config, run.config):
                raise UsageError(f"runs named {run.name} differ in {key}, not in their seed alone: rename a folder")
    return tuple(Variant(name, tuple(group)) for name, group in groups.items())


def _shared_seed(runs: Sequence[Run]) -> str:
    """What is wrong with runs of one name of which some have one seed."""
    said = f"runs named {runs[0].name} share a seed ({[run.seed for run in runs]})"
    if len({run.config.get("fold") for run in runs}) > 1:
        return f"{said}, as folds of one training do: name one of them, or join them by --usage held-out"
    return f"{said}: rename one of the folders"


def _first_difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """The first key in which two configurations differ, but for where chance and weights begin.

    A key that only one of them has is younger than the other and does not count.
    """
    ours, theirs = dict(dotted(one)), dict(dotted(other))
    shared = sorted((ours.keys() & theirs.keys()) - {"seed", "initial_weights"})
    return next((key for key in shared if ours[key] != theirs[key]), None)


def difference(variant: Variant, baseline: Variant, *, draws: int = _DRAWS, seed: int = 0) -> Difference:
    """How much better a variant is than a baseline on the same faces.

    The interval is the bootstrap's 2.5 and 97.5 per cent (Efron, 1979): faces are drawn with replacement, each with
    what both say of it; where the data set has groups, whole groups are. With several seeds on both sides each draw is
    also moved by how uncertain the two means over seeds are: a Student t variate of S - 1 degrees of freedom times the
    standard error, for each (the distribution of Behrens and Fisher, 1935). Drawing three to five seeds with
    replacement instead would make them look too sure. How seeds differ from face to face is in both parts, so the
    interval is a little too wide rather than too narrow.
    """
    gains = variant.correct - baseline.correct
    random = np.random.default_rng(seed)
    groups = _shared_groups(variant, baseline)
    if groups is None:
        shares = redrawn_means(gains, draws, random)
    else:
        draws = min(draws, _GROUP_DRAWS)
        shares = redrawn_group_means(gains, groups, draws, random)
    several = min(len(variant.runs), len(baseline.runs)) > 1
    if several:
        shares = shares + _seed_noise(variant, draws, random) - _seed_noise(baseline, draws, random)
    low, high = np.percentile(shares, [2.5, 97.5])
    batches = np.percentile(shares[: draws - draws % _BATCHES].reshape(_BATCHES, -1), [2.5, 97.5], axis=1)
    error = float((batches.std(axis=1, ddof=1) / np.sqrt(_BATCHES)).max())
    single = len(variant.runs) == len(baseline.runs) == 1
    p_value = _p_value(variant.runs[0], baseline.runs[0], groups) if single else None
    over = _OVER[groups is not None, several]
    paired = _paired(variant, baseline)
    return Difference(float(gains.mean()), float(low), float(high), over, p_value, error, paired)


def _shared_groups(variant: Variant, baseline: Variant) -> NDArray[np.str_] | None:
    """Groups of the faces, None unless all runs know the same ones, at least two."""
    first, *others = (run.groups for side in (variant, baseline) for run in side.runs)
    if first is None or not number_of_groups(first):
        return None
    same = all(other is not None and np.array_equal(first, other) for other in others)
    return first if same else None


def _p_value(one: Run, other: Run, groups: NDArray[np.str_] | None) -> float:
    if groups is None:
        return mcnemar(one.correct, other.correct)
    return clustered_mcnemar(one.correct, other.correct, groups)


def _paired(variant: Variant, baseline: Variant) -> PairedSeeds | None:
    ours, theirs = ({run.seed: run.accuracy for run in side.runs} for side in (variant, baseline))
    if ours.keys() != theirs.keys() or len(ours) < 2:
        return None
    return paired_seeds(list(ours.values()), [theirs[seed] for seed in ours])


def redrawn_means(gains: NDArray[np.float64], draws: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Bootstrap means of the gains of N faces (N,), one per resample (draws,)."""
    values, counts = np.unique(gains, return_counts=True)
    return np.asarray(random.multinomial(len(gains), counts / len(gains), size=draws) @ values / len(gains))


def _seed_noise(variant: Variant, draws: int, random: np.random.Generator) -> NDArray[np.float64]:
    """How far the mean over other seeds may lie from the one over these, (draws,)."""
    count = len(variant.runs)
    error = variant.accuracies.std(ddof=1) / np.sqrt(count)
    return np.asarray(random.standard_t(count - 1, draws) * error)
