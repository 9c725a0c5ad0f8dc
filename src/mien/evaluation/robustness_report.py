"""Figures under corruption as files, as a table for model cards, and of several models side by side."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mien.errors import MissingExtraError, UsageError
from mien.evaluation.comparison import redrawn_means
from mien.evaluation.corruptions import SEVERITIES
from mien.evaluation.robustness import CONFIDENT, Robustness, Score
from mien.files import made_folder, writing_into
from mien.toml_json import to_json

if TYPE_CHECKING:
    from mien.chart_style import ChartStyle

_DRAWS: Final = 10_000
_COLUMNS: Final = (
    "model", "corruption", "family", "severity", "strength", "unit", "accuracy", "ece", "confident_errors",
)  # fmt: skip


class RobustnessFolder:
    """A folder for figures under corruption, made before a model is asked anything.

    Raises:
        UsageError: the folder cannot be made.
        MissingExtraError: matplotlib, which draws the chart, is not installed.
    """

    def __init__(self, folder: Path, style: "ChartStyle | None" = None) -> None:
        try:
            from mien.evaluation import robustness_chart
        except ModuleNotFoundError:
            raise MissingExtraError("drawing the chart of corruptions", "train") from None
        self._folder, self._chart, self._style = made_folder(folder), robustness_chart, style

    def write(self, results: Sequence[Robustness], document: dict[str, Any]) -> list[Path]:
        """Write corruptions.json, .csv, .md (tables for model cards) and a chart over earlier ones; returns the paths.

        Args:
            results: of one model, or of several.
            document: what corruptions.json holds.

        Raises:
            UsageError: the folder is not writable.
        """
        report, table, cards = (self._folder / f"corruptions.{kind}" for kind in ("json", "csv", "md"))
        with writing_into(self._folder):
            report.write_text(to_json(document), encoding="utf-8")
            with table.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(_COLUMNS)
                writer.writerows(row for result in results for row in _rows(result))
            cards.write_text("\n".join(map(markdown_table, results)), encoding="utf-8")
            return [report, table, cards, self._chart.draw(results, self._folder, self._style)]


def _rows(result: Robustness) -> Iterator[tuple[Any, ...]]:
    """A line for the faces as they are, severity 0, and one for each corruption and severity."""
    yield result.model, "clean", "", 0, "", "", *_digits(result.clean)
    for entry in result.corruptions:
        for severity, strength, score in zip(SEVERITIES, entry.strengths, entry.scores, strict=True):
            yield result.model, entry.name, entry.family, severity, strength, entry.unit, *_digits(score)


def _digits(score: Score) -> tuple[str, str, str]:
    return f"{score.accuracy:.6f}", f"{score.ece:.6f}", f"{score.confident_errors:.6f}"


def compared(results: Sequence[Robustness], *, draws: int = _DRAWS, seed: int = 0) -> dict[str, Any]:
    """Several models on the same faces, JSON-ready: each one's figures, and how the others differ from the first.

    ``difference`` is that of the mean accuracy over corruptions and severities, ``interval`` its 95 % bootstrap
    interval over faces (each face drawn with everything that was made of it), ``relative_corruption_error`` the mean
    over corruptions of the model's errors divided by the first's, as ImageNet-C has it (1 is alike, less is better);
    null where the first makes no error. ``mean_not_trained_by_any`` has each model's accuracy over the corruptions
    whose family none of them was trained with; null where there are none, or a card does not say.

    Args:
        results: at least two.
        draws: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        UsageError: fewer than two models, or other faces, corruptions or seeds.
    """
    if len(results) < 2:
        raise UsageError(f"{len(results)} models under corruption: expected at least two to compare")
    first = results[0]
    if any(_measured_on(result) != _measured_on(first) for result in results):
        raise UsageError("models were not measured on the same faces with the same corruptions: compare them apart")
    return {
        "models": [result.to_dict() for result in results],
        "differences": [_difference(result, first, draws, seed) for result in results[1:]],
        "mean_not_trained_by_any": _strange_to_all(results),
    }


def _strange_to_all(results: Sequence[Robustness]) -> list[float] | None:
    families = [result.trained_families for result in results]
    met = {family for known in families if known is not None for family in known}
    if None in families or not any(entry.family not in met for entry in results[0].corruptions):
        return None
    return [fmean(entry.mean.accuracy for entry in result.corruptions if entry.family not in met) for result in results]


def _measured_on(result: Robustness) -> tuple[Any, ...]:
    corruptions = tuple((entry.name, entry.strengths) for entry in result.corruptions)
    return result.source_sha256, result.usage, result.tta, result.targets, result.n, result.seed, corruptions


def _difference(result: Robustness, first: Robustness, draws: int, seed: int) -> dict[str, Any]:
    gains = result.right - first.right
    low, high = np.percentile(redrawn_means(gains, draws, np.random.default_rng(seed)), [2.5, 97.5])
    return {
        "model": result.model,
        "baseline": first.model,
        "difference": float(gains.mean()),
        "interval": [float(low), float(high)],
        "relative_corruption_error": relative_corruption_error(result, first),
    }


def relative_corruption_error(result: Robustness, baseline: Robustness) -> float | None:
    """Mean over corruptions of the errors at all severities divided by the baseline's (ImageNet-C's mCE, as a share).

    None where the baseline makes no error under some corruption.
    """
    pairs = zip(result.corruptions, baseline.corruptions, strict=True)
    errors = [(1 - ours.mean.accuracy, 1 - theirs.mean.accuracy) for ours, theirs in pairs]
    return fmean(ours / theirs for ours, theirs in errors) if all(theirs > 0 for _, theirs in errors) else None


def markdown_table(result: Robustness) -> str:
    """The table of a model card: accuracy at each severity, and means over them, in per cent; ECE as a share."""
    head = f"| accuracy, % | {' | '.join(map(str, SEVERITIES))} | mean | ECE | wrong at {CONFIDENT:.0%} or more |"
    lines = [head, "|---" * (len(SEVERITIES) + 4) + "|"]
    lines.append(_line("clean", [""] * len(SEVERITIES), result.clean))
    for entry in result.corruptions:
        lines.append(_line(entry.name, [f"{100 * score.accuracy:.1f}" for score in entry.scores], entry.mean))
    lines.append(_line("mean", [f"{100 * value:.1f}" for value in by_severity(result)], result.mean))
    for name, trained in (("families trained with", True), ("families not trained with", False)):
        if mean := result.mean_over(trained=trained):
            lines.append(_line(name, [""] * len(SEVERITIES), mean))
    return "\n".join(lines) + "\n"


def by_severity(result: Robustness) -> list[float]:
    """Mean accuracy over corruptions at each severity."""
    return [fmean(entry.scores[at].accuracy for entry in result.corruptions) for at in range(len(SEVERITIES))]


def _line(name: str, accuracies: Sequence[str], mean: Score) -> str:
    means = f"{100 * mean.accuracy:.1f}", f"{mean.ece:.3f}", f"{100 * mean.confident_errors:.1f}"
    return f"| {' | '.join((name, *accuracies, *means))} |"
