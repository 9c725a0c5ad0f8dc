"""The chart of accuracy under corruption, drawn with matplotlib off screen."""

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mien.chart_style import ChartStyle, outside_legend, save_chart, wrapped
from mien.evaluation.corruptions import SEVERITIES
from mien.evaluation.provenance import named_rows
from mien.evaluation.robustness import CorruptionScores, Robustness

_COLUMNS: Final = {False: 6, True: 3}
"""Panels in a line, by whether the chart is as small as a column."""

_LETTERS: Final = 44
"""Of a line of the legend."""

_STYLES: Final = (
    ("#0072b2", "o", "-"), ("#d55e00", "s", "--"), ("#009e73", "^", "-."), ("#cc79a7", "D", ":"),
    ("#000000", "v", "-"), ("#e69f00", "P", "--"), ("#56b4e9", "X", "-."), ("#8a8a8a", "*", ":"),
)  # fmt: skip
"""Okabe and Ito's colours, which colour-blind people tell apart; mark and dash say the same again."""


def draw(results: Sequence[Robustness], folder: Path, style: ChartStyle | None = None) -> Path:
    """Write the chart corruptions: a panel for each, accuracy against severity, 0 being the faces as they are; returns
    the path.
    """
    entries = results[0].corruptions
    columns = min(_COLUMNS[style is not None and style.column], len(entries))
    lines = -(-len(entries) // columns)
    figure = Figure(figsize=(max(6.5, 1.75 * columns), 1.2 + 1.75 * lines), layout="constrained")
    panels = np.ravel(figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False))
    for axes in panels[len(entries) :]:
        axes.set_visible(False)
    for number, axes in enumerate(panels[: len(entries)]):
        _draw_panel(axes, [(result.clean.accuracy, result.corruptions[number]) for result in results])
    for axes in panels[len(entries) - columns : len(entries)]:
        axes.set_xlabel("severity", fontsize=8)
    for axes in panels[::columns]:
        axes.set_ylabel("accuracy, %", fontsize=8)
    _label(figure, results, panels[0])
    return save_chart(figure, folder, "corruptions", style)


def _draw_panel(axes: Axes, curves: Sequence[tuple[float, CorruptionScores]]) -> None:
    for (clean, entry), (colour, mark, dash) in zip(curves, cycle(_STYLES), strict=False):
        accuracies = [100 * clean, *(100 * score.accuracy for score in entry.scores)]
        axes.axhline(100 * clean, color=colour, linewidth=0.7, alpha=0.5)
        axes.plot(
            (0, *SEVERITIES), accuracies, color=colour, marker=mark, linestyle=dash, markersize=3.5, linewidth=1.4
        )
    axes.set_title(curves[0][1].name.replace("_", " "), loc="left", fontsize=9)
    axes.set(ylim=(0, 100), xticks=(0, *SEVERITIES), yticks=(0, 25, 50, 75, 100))
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e5e5e5", linewidth=0.8)
    axes.set_axisbelow(True)


def _label(figure: Figure, results: Sequence[Robustness], panel: Axes) -> None:
    first = results[0]
    views = "" if first.tta == "none" else f", {first.tta}"
    title = (
        f"accuracy under corruption: {named_rows(first.source, first.usage)}{views}, {first.n:,} faces\n"
        "per cent, by severity; 0 and the thin line: the faces as they are"
    )
    figure.suptitle(title, x=0.01, ha="left", fontsize=10, parse_math=False)
    curves = panel.get_lines()[1::2]
    names = [
        wrapped(f"{result.model}: clean {result.clean.accuracy:.1%}, mean {result.mean.accuracy:.1%}", _LETTERS)
        for result in results
    ]
    outside_legend(figure, (curves, names), "lower left", size=9)
