"""The chart of accuracy by a trait, drawn with matplotlib off screen."""

from pathlib import Path
from typing import Final

from matplotlib.figure import Figure

from mien.chart_style import ChartStyle, save_chart, wrapped
from mien.evaluation.by_trait import ByTrait

_BLUE, _PALE, _GREY = "#1f5a94", "#9db8d2", "#8a8a8a"
_LINE_INCHES: Final = 0.42


def draw_by_trait(found: ByTrait, folder: Path, style: ChartStyle | None = None) -> Path:
    """Write by_trait: accuracy of each value with its 95 % interval, paler where faces are few; returns the path."""
    whole, parts = found.whole, found.parts
    figure = Figure(figsize=(7, 1.5 + _LINE_INCHES * len(parts)), layout="constrained")
    title = f"{whole.model} on {whole.where}, {len(whole):,} faces\naccuracy by {found.trait}; paler: few faces"
    figure.suptitle(title, x=0.02, ha="left", fontsize=11, parse_math=False)
    axes = figure.subplots()
    for row, (value, part) in enumerate(parts.items()):
        colour = _PALE if value in found.few else _BLUE
        low, high = part.accuracy_interval
        axes.plot([100 * low, 100 * high], [row, row], color=colour, linewidth=1.5)
        axes.plot(100 * part.accuracy, row, "o", color=colour, markersize=6)
        axes.annotate(f"{100 * part.accuracy:.1f}", (100 * high, row), (6, -3), textcoords="offset points", fontsize=8)
    axes.axvline(100 * whole.accuracy, color=_GREY, linestyle="--", linewidth=1)
    names = [f"{wrapped(value)} ({len(part):,})" for value, part in parts.items()]
    axes.set_yticks(range(len(parts)), names, parse_math=False)
    axes.set_ylim(len(parts) - 0.5, -0.5)
    axes.margins(x=0.1)
    figure.supxlabel("accuracy, %, not from 0; line: 95 %; dashed: all faces", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    return save_chart(figure, folder, "by_trait", style)
