"""Charts of an evaluation, drawn with matplotlib off screen."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mien.chart_style import ChartStyle, outside_legend, save_chart
from mien.data.chart_names import fit_upright, inches_of, wrapped_names
from mien.evaluation import calibration, metrics
from mien.evaluation.evaluated import Evaluation
from mien.evaluation.selective import COVERAGES

_BLUE, _ORANGE, _GREY, _INK = "#1f5a94", "#e08a1e", "#8a8a8a", "#222222"
_DARK: Final = 0.55
"""Share from which the colour of a cell asks for white text."""
_MARK_AREA: Final = 900
"""Area in square points of a mark that stands for all faces."""


_MOST_NUMBERED: Final = 20
"""Classes up to which the cells of a confusion matrix have numbers; of more they would be too small to be read."""

_CELL, _SMALL_CELL = 0.62, 0.2
"""Inches of a class in a confusion matrix, with numbers and without."""

_LINE_INCHES: Final = 0.55
"""Least of a class where classes stand below each other."""

_FEWEST_DRAWN: Final = 20
"""Answers below which their accuracy is not drawn."""


def draw_all(evaluation: Evaluation, folder: Path, style: ChartStyle | None = None) -> list[Path]:
    """Write the charts confusion, reliability, per_class and risk_coverage into a folder; returns their paths."""
    return [save_chart(draw(evaluation), folder, name, style) for name, draw in _PICTURES.items()]


def draw_confusion(evaluation: Evaluation) -> Figure:
    """Confusion matrix: what became of the faces of each emotion, in per cent (and colour) by row and in faces."""
    counts = evaluation.confusion
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    few = len(counts) <= _MOST_NUMBERED
    side = max(6.2, (_CELL if few else _SMALL_CELL) * len(counts))
    figure = _figure(evaluation, f"accuracy {evaluation.accuracy:.1%}; per cent of each row", side, side + 0.2)
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares) if few else ():
        colour = "white" if share > _DARK else _INK
        label = f"{share:.0%}" if counts[row].any() else "none"
        axes.text(column, row - 0.1, label, ha="center", va="center", color=colour, fontsize=11)
        axes.text(column, row + 0.23, f"{counts[row, column]:,}", ha="center", va="center", color=colour, fontsize=7.5)
    positions = np.arange(len(evaluation.classes))
    names = wrapped_names(evaluation.classes)
    roomy = few and fit_upright(names)
    turned: Any = {"rotation": 30 if roomy else 60, "ha": "right", "rotation_mode": "anchor"}
    size: Any = {"fontsize": 10 if roomy else 8, "parse_math": False}
    axes.set_xticks(positions, names, **turned, **size)
    axes.set_yticks(positions, _emotions_and_faces(evaluation, "\n" if roomy else ", "), **size)
    axes.set_xticks(positions[1:] - 0.5, minor=True)
    axes.set_yticks(positions[1:] - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    axes.set(xlabel="predicted", ylabel="true")
    return figure


def draw_reliability(evaluation: Evaluation) -> Figure:
    """Reliability diagram with and without temperature, above the histogram of confidence."""
    curve = evaluation.reliability
    figure = _figure(evaluation, "reliability; a mark's area is its share of the faces", 5.6, 6.9)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[5, 1])
    above.plot([0, 1], [0, 1], color=_GREY, linestyle="--", linewidth=1, label="perfectly calibrated")
    if evaluation.temperature != 1:
        _draw_curve(above, evaluation.reliability_uncalibrated, _ORANGE, "without temperature")
    _draw_curve(above, curve, _BLUE, f"temperature {evaluation.temperature:.3g}")
    above.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy of the faces in a bin; bars: 95 %")
    above.yaxis.set_major_formatter("{x:.0%}")
    below.xaxis.set_major_formatter("{x:.0%}")
    shares, width = curve.count / curve.count.sum(), np.diff(curve.edges)
    below.bar(curve.edges[:-1], shares, width, align="edge", color=_BLUE, edgecolor="white")
    below.set(xlabel="confidence (highest probability)", ylabel="share of faces")
    below.yaxis.set_major_formatter("{x:.0%}")
    _open_frame(above)
    _open_frame(below)
    outside_legend(figure, above.get_legend_handles_labels(), "lower center", columns=1)
    return figure


def draw_per_class(evaluation: Evaluation) -> Figure:
    """Precision and recall of every emotion as bars, F1 as a mark."""
    scores, names = metrics.class_scores(evaluation.confusion), wrapped_names(evaluation.classes)
    over = " over the classes that have faces" if evaluation.absent else ""
    positions = np.arange(len(names))
    height = 1.2 + max(inches_of(names), _LINE_INCHES * len(names))
    figure = _figure(evaluation, f"macro F1 {evaluation.macro_f1_present:.3f}" + over, 6.6, height)
    axes = figure.subplots()
    for offset, values, colour, name in [
        (-0.2, scores.precision, _ORANGE, "precision"),
        (0.2, scores.recall, _BLUE, "recall"),
    ]:
        bars = axes.barh(positions + offset, values, height=0.38, color=colour, label=name)
        axes.bar_label(bars, [f"{100 * value:.0f}" for value in values], padding=3, fontsize=8, color=_INK)
    axes.plot(scores.f1, positions, "D", color="black", markersize=5, markeredgecolor="white", label="F1")
    axes.set_yticks(positions, _emotions_and_faces(evaluation, ", "), parse_math=False)
    axes.tick_params(axis="y", length=0)
    axes.set(xlim=(0, 1), ylim=(len(positions) - 0.5, -0.5), xlabel="precision, recall, F1")
    axes.xaxis.set_major_formatter("{x:.0%}")
    _open_frame(axes)
    axes.grid(visible=False)
    axes.grid(axis="x", color="#e5e5e5", linewidth=0.8)
    outside_legend(figure, axes.get_legend_handles_labels(), "lower center", columns=3)
    return figure


def draw_risk_coverage(evaluation: Evaluation) -> Figure:
    """Accuracy and threshold when only the most confident faces are answered, by the share of them."""
    curve = evaluation.risk_coverage
    area = f"area under the risk-coverage curve {curve.area:.3f}, at least {curve.least_area:.3f}"
    figure = _figure(evaluation, f"selective answers; {area}", 6.6, 6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    drawn = curve.coverage >= min(1.0, _FEWEST_DRAWN / len(evaluation))
    coverage, accuracy = curve.coverage[drawn], 1 - curve.risk[drawn]
    bounds = [metrics.wilson_interval(share, n) for share, n in zip(accuracy, coverage * len(evaluation), strict=True)]
    above.fill_between(coverage, *np.transpose(bounds), color=_BLUE, alpha=0.18, linewidth=0, label="95 %")
    above.plot(coverage, accuracy, color=_BLUE, label="accuracy of the answers")
    below.plot(coverage, curve.confidence[drawn], color=_ORANGE, label="least probability of an answer")
    for found in map(curve.at, COVERAGES):
        for axes, height in ((above, found.accuracy), (below, found.threshold)):
            axes.plot(found.coverage, height, "o", color=_INK, markersize=4, zorder=3)
            text = f"{height:.1%}" if axes is above else f"{height:.2f}"
            axes.annotate(text, (found.coverage, height), (4, 5), textcoords="offset points", fontsize=8.5)
    above.yaxis.set_major_formatter("{x:.0%}")
    below.xaxis.set_major_formatter("{x:.0%}")
    above.set(xlim=(0, 1.02), ylabel="accuracy, not from 0")
    below.set(xlabel="coverage: share of the faces that are answered", ylabel="--min-probability", ylim=(0, 1))
    _open_frame(above)
    _open_frame(below)
    (areas, said), (lines, also) = (axes.get_legend_handles_labels() for axes in (above, below))
    outside_legend(figure, (areas + lines, said + also), "lower center", columns=3)
    return figure


_PICTURES: Final[dict[str, Callable[[Evaluation], Figure]]] = {
    "confusion": draw_confusion,
    "reliability": draw_reliability,
    "per_class": draw_per_class,
    "risk_coverage": draw_risk_coverage,
}


def _figure(evaluation: Evaluation, subtitle: str, width: float, height: float) -> Figure:
    """An empty figure of a given size in inches, titled with what was evaluated."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    views = "" if evaluation.tta == "none" else f", {evaluation.tta}"
    title = f"{evaluation.model} on {evaluation.where}{views}, {len(evaluation):,} faces\n{subtitle}"
    figure.suptitle(title, x=0.02, ha="left", fontsize=11, parse_math=False)
    return figure


def _emotions_and_faces(evaluation: Evaluation, between: str) -> list[str]:
    support = evaluation.confusion.sum(axis=1)
    return [f"{name}{between}{faces:,}" for name, faces in zip(wrapped_names(evaluation.classes), support, strict=True)]


def _draw_curve(axes: Axes, curve: calibration.ReliabilityCurve, colour: str, name: str) -> None:
    filled = curve.count > 0
    confidence, accuracy, count = curve.confidence[filled], curve.accuracy[filled], curve.count[filled]
    label = f"{name}: ECE {curve.expected_calibration_error:.3f}"
    axes.plot(confidence, accuracy, color=colour, linewidth=1, label=label)
    bounds = np.array([metrics.wilson_interval(share, n) for share, n in zip(accuracy, count, strict=True)])
    reach = np.abs(bounds - accuracy[:, None]).T
    axes.errorbar(confidence, accuracy, reach, fmt="none", ecolor=colour, elinewidth=1, alpha=0.6)
    axes.scatter(confidence, accuracy, s=_MARK_AREA * count / count.sum(), color=colour, clip_on=False, zorder=3)


def _open_frame(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e5e5e5", linewidth=0.8)
    axes.set_axisbelow(True)
