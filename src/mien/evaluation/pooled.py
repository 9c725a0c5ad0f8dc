"""Cross-validation: the runs of all folds as one, each face judged by the run that was trained without its fold."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.choices import FOLD_SPLITS, HELD_OUT
from mien.errors import UsageError
from mien.evaluation.comparison import Run


def pooled(runs: Sequence[Run]) -> list[Run]:
    """Runs, those of one name and seed that held out different folds as one; the others as they are.

    Raises:
        UsageError: some folds of a run are there and others are not, or one of them twice.
    """
    parts: dict[tuple[Any, ...], list[Run]] = {}
    for number, run in enumerate(runs):
        folded = run.usage == HELD_OUT and run.config.get("split") in FOLD_SPLITS
        parts.setdefault((run.name, run.seed) if folded else (number,), []).append(run)
    return [_whole(part) if len(part) > 1 else part[0] for part in parts.values()]


def _whole(runs: Sequence[Run]) -> Run:
    runs = sorted(runs, key=lambda run: int(run.config["fold"]))
    folds, wanted = [run.config["fold"] for run in runs], runs[0].config["folds"]
    if folds != list(range(wanted)):
        raise UsageError(f"{runs[0].name}, seed {runs[0].seed}: has folds {folds}: expected each of {wanted} once")
    rows, sha256 = _joined_rows(runs)
    order = np.argsort(rows, kind="stable")
    groups = [run.groups for run in runs if run.groups is not None]
    return replace(
        runs[0],
        history=_mean_history(runs),
        labels=_joined([run.labels for run in runs])[order],
        predictions=_joined([run.predictions for run in runs])[order],
        config={key: value for key, value in runs[0].config.items() if key != "fold"},
        rows=(rows[order], sha256),
        groups=_joined(groups)[order] if len(groups) == len(runs) else None,
        folds=tuple(run.accuracy for run in runs),
    )


def _joined_rows(runs: Sequence[Run]) -> tuple[NDArray[np.intp], str]:
    rows = [run.rows for run in runs if run.rows is not None]
    joined = _joined([numbers for numbers, _ in rows])
    if len(rows) < len(runs) or len({sha256 for _, sha256 in rows}) > 1 or len(np.unique(joined)) < len(joined):
        raise UsageError(f"{runs[0].name}, seed {runs[0].seed}: its folds share rows, or are of different data sets")
    return joined, rows[0][1]


def _joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(parts)


def _mean_history(runs: Sequence[Run]) -> tuple[dict[str, Any], ...]:
    """Entries of the log, the mean over folds of every number that all of them have; as long as the shortest."""
    return tuple(_mean_entry(entries) for entries in zip(*(run.history for run in runs), strict=False))


def _mean_entry(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    shared = [key for key in entries[0] if all(isinstance(entry.get(key), int | float) for entry in entries)]
    return {key: float(np.mean([entry[key] for entry in entries])) for key in shared}
