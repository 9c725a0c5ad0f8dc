"""Charts of several runs: learning curves, and bars of final figures."""

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from mien.chart_style import ChartStyle, outside_legend, save_chart, wrapped
from mien.evaluation.clustered import clustered_interval, number_of_groups
from mien.evaluation.comparison import Variant, compared_rows
from mien.evaluation.comparison_rows import ACCURACY_CHART, CURVES_CHART
from mien.evaluation.metrics import wilson_interval

_DASHES: Final = ("-", "--", ":", "-.")
"""Lines that coincide stay apart by these."""
_PANELS: Final = (
    ("loss", "training loss (minimised)"),
    ("training_loss", "training loss (sample), nats"),
    ("validation_loss", "validation loss, nats"),
    ("training_accuracy", "training accuracy (sample)"),
    ("accuracy", "validation accuracy"),
    ("macro_f1", "validation macro F1"),
    ("learning_rate", "learning rate"),
)
"""Keys of the log and titles; what no run has logged is left out."""
_INSTEAD: Final = {"loss": "training_loss"}
"""The loss that steps minimised stands in for that of the sample in runs that did not measure it."""


def draw_comparison(variants: Sequence[Variant], folder: Path, style: ChartStyle | None = None) -> list[Path]:
    """Write the charts accuracy and, where there are runs with curves, curves into a folder; returns their paths."""
    paths = [save_chart(draw_accuracies(variants), folder, ACCURACY_CHART, style)]
    trained = [variant for variant in variants if any(run.history for run in variant.runs)]
    if trained:
        paths.insert(0, save_chart(draw_curves(trained), folder, CURVES_CHART, style))
    return paths


def draw_curves(variants: Sequence[Variant]) -> Figure:
    """What was logged by epoch, a panel for each: mean over seeds as a line, their range as a band."""
    panels = [(key, title) for key, title in _PANELS if _is_logged(variants, key)]
    panels = [(key, title) for key, title in panels if _INSTEAD.get(key) not in dict(panels)]
    lines = -(-len(panels) // 2)
    figure = Figure(figsize=(9, 1.3 + 2.5 * lines), layout="constrained")
    _entitle(figure, variants)
    grid = list(figure.subplots(lines, 2, sharex=True, squeeze=False).flat)
    for axes, (key, title) in zip(grid, panels, strict=False):
        for variant, colour, dashes in zip(variants, _colours(len(variants)), cycle(_DASHES), strict=False):
            _draw_curve(axes, variant, key, colour, dashes)
        axes.set_title(title, loc="left", fontsize=10)
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
        if key == "learning_rate":
            _by_powers_of_ten(axes)
        if "accuracy" in key:
            axes.yaxis.set_major_formatter(PercentFormatter(1))
        _tidy(axes)
    longest = max(len(run.history) for variant in variants for run in variant.runs)
    grid[0].set_xlim(0.5, longest + 0.5)
    for axes in grid[: len(panels)][-2:]:
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("epoch")
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    outside_legend(figure, _entries(grid, variants), "lower left")
    return figure


def _entries(panels: Sequence[Axes], variants: Sequence[Variant]) -> tuple[list[Artist], list[str]]:
    """A line of each variant with its label: a panel may lack some, whose runs did not log what it shows."""
    lines = {line.get_gid(): line for axes in panels for line in axes.get_lines()}
    shown = [variant for variant in variants if variant.name in lines]
    return [lines[variant.name] for variant in shown], [wrapped(_label(variant)) for variant in shown]


def _is_logged(variants: Sequence[Variant], key: str) -> bool:
    return any(not np.isnan(variant.curve(key)).all() for variant in variants)


def _draw_curve(axes: Axes, variant: Variant, key: str, colour: tuple[float, ...], dashes: str) -> None:
    values = variant.curve(key)
    logged = ~np.isnan(values).all(axis=0)
    if not logged.any():
        return
    epochs = np.flatnonzero(logged) + 1
    values = values[:, logged]
    means, mark = np.nanmean(values, axis=0), "o" if len(epochs) == 1 else ""
    axes.plot(
        epochs,
        means,
        color=colour,
        linestyle=dashes,
        marker=mark,
        markersize=4,
        linewidth=1.5,
        gid=variant.name,  # a label that begins with "_" would be no entry of the legend
    )
    if len(values) > 1:
        axes.fill_between(epochs, np.nanmin(values, axis=0), np.nanmax(values, axis=0), color=colour, alpha=0.2, lw=0)


def _by_powers_of_ten(axes: Axes) -> None:
    """Learning rates span decades; what lies four below the greatest, as the end of a cosine, leaves the picture."""
    greatest = max(float(np.nanmax(line.get_ydata())) for line in axes.get_lines())
    axes.set_yscale("log")
    axes.set_ylim(greatest * 1e-4, greatest * 2)


def draw_accuracies(variants: Sequence[Variant]) -> Figure:
    """Accuracy of each variant: a point with its 95 % interval over faces, or groups, each seed as a stroke."""
    figure = Figure(figsize=(7, 1.5 + 0.45 * len(variants)), layout="constrained")
    _entitle(figure, variants)
    axes, grouped = figure.subplots(), all(number_of_groups(variant.runs[0].groups) for variant in variants)
    for row, (variant, colour) in enumerate(zip(variants, _colours(len(variants)), strict=True)):
        accuracies = 100 * variant.accuracies
        mean = float(accuracies.mean())
        low, high = (100 * end for end in _interval(variant, grouped=grouped))
        axes.plot([low, high], [row, row], color=colour, linewidth=1.5)
        axes.plot(accuracies, np.full(len(accuracies), row), "|", color="#222222", markersize=9)
        axes.plot(mean, row, "o", color=colour, markersize=6)
        axes.annotate(f"{mean:.1f}", (max(high, float(accuracies.max())), row), (6, -3), textcoords="offset points")
    axes.set_yticks(range(len(variants)), [wrapped(_label(variant)) for variant in variants], parse_math=False)
    axes.set_ylim(len(variants) - 0.5, -0.5)
    axes.margins(x=0.12)
    over = "groups" if grouped else "faces"
    figure.supxlabel(f"accuracy, %, not from 0\nline: 95 % over {over}; strokes: seeds", fontsize=10)
    _tidy(axes)
    return figure


def _interval(variant: Variant, *, grouped: bool) -> tuple[float, float]:
    """95 % interval of the mean accuracy over seeds, over groups or over faces."""
    groups = variant.runs[0].groups
    if grouped and groups is not None:
        return clustered_interval(variant.correct, groups)
    return wilson_interval(float(variant.accuracies.mean()), len(variant.correct))


def _entitle(figure: Figure, variants: Sequence[Variant]) -> None:
    title = f"{compared_rows(variants)}, {len(variants[0].correct):,} faces"
    figure.suptitle(title, x=0.02, ha="left", fontsize=11, parse_math=False)


def _label(variant: Variant) -> str:
    seeds = len(variant.runs)
    return f"{variant.name} ({seeds} seeds)" if seeds > 1 else variant.name


def _colours(count: int) -> list[tuple[float, ...]]:
    return [tuple(colour) for colour in colormaps["viridis"](np.linspace(0.05, 0.85, count))]


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
