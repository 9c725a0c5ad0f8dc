"""The chart of one training: its curves on training and validation faces."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mien.chart_style import wrapped

_BLUE, _ORANGE, _GREY, _INK = "#1f5a94", "#e08a1e", "#8a8a8a", "#222222"
_FEW: Final = 15
"""Epochs up to which each is marked."""

_LETTERS: Final = 44
"""Of a line of a legend, which stands inside its panel."""

MINIMISED: Final = "loss"

_PANELS: Final = (
    (
        "loss, cross-entropy in nats",
        (
            (MINIMISED, "minimised", _GREY, ":"),
            ("training_loss", "training sample", _ORANGE, "-"),
            ("validation_loss", "validation", _BLUE, "--"),
        ),
    ),
    (
        "accuracy, 0..1",
        (("training_accuracy", "training sample", _ORANGE, "-"), ("accuracy", "validation", _BLUE, "--")),
    ),
    (
        "validation, mean over classes, 0..1",
        (("macro_f1", "macro F1", _BLUE, "-"), ("balanced_accuracy", "balanced accuracy", _INK, "--")),
    ),
    ("learning rate", (("learning_rate", "", _INK, "-"),)),
)
"""Title of a panel, and its lines: key of the log, label, colour, dashes."""


def draw_run(history: Sequence[Mapping[str, Any]], title: str, minimised: str = "") -> Figure:
    """Loss, accuracy, macro F1 with balanced accuracy, and learning rate by epoch; a line marks the epoch kept.

    Args:
        history: entries of a run's log (`mien.runs.LOG_COLUMNS`), at least one.
        title: of the chart.
        minimised: what the loss of the steps holds that others do not, for example "augmented, smoothed".
    """
    figure = Figure(figsize=(9, 6), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"{title}\n{_summary(history)}", x=0.02, ha="left", fontsize=11, parse_math=False)
    for axes, (name, lines) in zip(figure.subplots(2, 2, sharex=True).flat, _PANELS, strict=True):
        for key, label, colour, dashes in lines:
            more = f" ({minimised})" if key == MINIMISED and minimised else ""
            _draw_line(axes, history, key, label + more, colour, dashes)
        _finish(axes, history, name)
    figure.supxlabel("epoch", fontsize=10)
    return figure


def _summary(history: Sequence[Mapping[str, Any]]) -> str:
    best, epochs = _kept(history), f"{len(history)} epoch{'' if len(history) == 1 else 's'}"
    if best is None or "accuracy" not in best:
        return epochs
    return f"{epochs}; epoch {best['epoch']} is the best: validation accuracy {best['accuracy']:.3f}"


def _kept(history: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return next((entry for entry in reversed(history) if entry.get("best")), None)


def _draw_line(
    axes: Axes, history: Sequence[Mapping[str, Any]], key: str, label: str, colour: str, dashes: str
) -> None:
    points = [(entry["epoch"], entry[key]) for entry in history if key in entry]
    if not points:
        return
    epochs, values = np.array(points, float).T
    marker = "o" if len(points) <= _FEW else ""
    label = wrapped(f"{label}: {values[-1]:.3g}", _LETTERS)
    axes.plot(epochs, values, color=colour, linestyle=dashes, marker=marker, markersize=3.5, label=label)


def _finish(axes: Axes, history: Sequence[Mapping[str, Any]], name: str) -> None:
    axes.set_title(name, loc="left", fontsize=10)
    best = _kept(history)
    if best is not None:
        axes.axvline(best["epoch"], color=_GREY, linewidth=0.8)
    if name != "learning rate" and axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8, title="at the end", title_fontsize=8, alignment="left")
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
    axes.set_xlim(history[0]["epoch"] - 0.5, history[-1]["epoch"] + 0.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
