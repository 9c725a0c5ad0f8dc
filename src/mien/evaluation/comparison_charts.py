"""Charts of several runs: learning curves, and bars of final figures."""

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mien.evaluation.comparison import Variant
from mien.evaluation.metrics import standard_error

_DPI: Final = 200
_DASHES: Final = ("-", "--", ":", "-.")
"""Lines that coincide stay apart by these."""
_PANELS: Final = (
    ("loss", "training loss"),
    ("accuracy", "accuracy, faces that choose"),
    ("learning_rate", "learning rate"),
)


def draw_comparison(variants: Sequence[Variant], folder: Path) -> list[Path]:
    """Write curves.png and accuracy.png into a folder; returns their paths."""
    pictures = {"curves": draw_curves(variants), "accuracy": draw_accuracies(variants)}
    paths = [folder / f"{name}.png" for name in pictures]
    for path, figure in zip(paths, pictures.values(), strict=True):
        FigureCanvasAgg(figure)
        figure.savefig(path)
    return paths


def draw_curves(variants: Sequence[Variant]) -> Figure:
    """Loss, accuracy and learning rate over epochs: mean over seeds as a line, their range as a band."""
    figure = Figure(figsize=(7, 8.5), dpi=_DPI, layout="constrained")
    panels = figure.subplots(len(_PANELS), 1, sharex=True)
    for axes, (key, title) in zip(panels, _PANELS, strict=True):
        for variant, colour, dashes in zip(variants, _colours(len(variants)), cycle(_DASHES), strict=False):
            _draw_curve(axes, variant, key, colour, dashes)
        axes.set_ylabel(title)
        _tidy(axes)
    _by_powers_of_ten(panels[-1])
    panels[-1].set_xlabel("epoch")
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=3, frameon=False)
    return figure


def _draw_curve(axes: Axes, variant: Variant, key: str, colour: tuple[float, ...], dashes: str) -> None:
    values = variant.curve(key)
    logged = ~np.isnan(values).all(axis=0)
    epochs = np.flatnonzero(logged) + 1
    values = values[:, logged]
    axes.plot(epochs, np.nanmean(values, axis=0), color=colour, linestyle=dashes, linewidth=1.5, label=_label(variant))
    if len(values) > 1:
        axes.fill_between(epochs, np.nanmin(values, axis=0), np.nanmax(values, axis=0), color=colour, alpha=0.2, lw=0)


def _by_powers_of_ten(axes: Axes) -> None:
    """Learning rates span decades; what lies four below the greatest, as the end of a cosine, leaves the picture."""
    greatest = max(float(np.nanmax(line.get_ydata())) for line in axes.get_lines())
    axes.set_yscale("log")
    axes.set_ylim(greatest * 1e-4, greatest * 2)


def draw_accuracies(variants: Sequence[Variant]) -> Figure:
    """Accuracy of each variant: mean as a bar with one standard error over faces, each seed as a mark."""
    figure = Figure(figsize=(7, 1.2 + 0.5 * len(variants)), dpi=_DPI, layout="constrained")
    axes = figure.subplots()
    for row, (variant, colour) in enumerate(zip(variants, _colours(len(variants)), strict=True)):
        accuracies = 100 * variant.accuracies
        error = 100 * standard_error(float(variant.accuracies.mean()), len(variant.correct))
        axes.barh(row, accuracies.mean(), xerr=error, color=colour, alpha=0.6, height=0.6, ecolor="#222222", capsize=3)
        axes.plot(accuracies, np.full(len(accuracies), row), "|", color="#222222", markersize=9)
        axes.text(accuracies.max() + error + 1, row, f"{accuracies.mean():.1f}", va="center", fontsize=9)
    axes.set_yticks(range(len(variants)), [_label(variant) for variant in variants])
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel(
        f"{variants[0].runs[0].usage} accuracy, per cent\nline: one standard error over faces; strokes: seeds"
    )
    _tidy(axes)
    return figure


def _label(variant: Variant) -> str:
    seeds = len(variant.runs)
    return f"{variant.name} ({seeds} seeds)" if seeds > 1 else variant.name


def _colours(count: int) -> list[tuple[float, ...]]:
    return [tuple(colour) for colour in colormaps["viridis"](np.linspace(0.05, 0.85, count))]


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
