"""Charts of the statistics of a data set, drawn with matplotlib off screen."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from mien.chart_style import ChartStyle, outside_legend, save_chart
from mien.choices import USAGES
from mien.data.chart_names import chart_names, fit_upright, inches_of, wrapped_names
from mien.data.statistics import Statistics, sample_rows

SAMPLES: Final = 64
"""Faces on the sample sheet of an emotion."""

_COLOURS: Final = dict(zip(USAGES, ("#1f5a94", "#e08a1e", "#4d9221"), strict=True))
_DASHES: Final = dict(zip(USAGES, ("-", "--", ":"), strict=True))
"""Lines that coincide, or whose colours somebody does not tell apart, stay apart by these."""
_MEAN_FACES: Final = 8
"""In one line."""

_GAP: Final = 2
"""White pixels between the faces of a sheet."""


def draw_statistics(statistics: Statistics, folder: Path, style: ChartStyle | None = None) -> list[Path]:
    """Write the charts counts, mean_faces, tones and a samples_<emotion> for each emotion; returns their paths."""
    figures = {
        "counts": draw_counts(statistics),
        "mean_faces": draw_mean_faces(statistics),
        "tones": draw_tones(statistics),
    }
    store = statistics.store
    for emotion, rows in sample_rows(store.labels, store.classes, SAMPLES).items():
        total = int((store.labels == store.classes.index(emotion)).sum())
        shown = chart_names(store.classes)[store.classes.index(emotion)]
        title = f"{store.meta.source}: {shown}, {len(rows)} of {total:,} faces, drawn by chance"
        figures[f"samples_{emotion}"] = draw_sheet(store.faces[rows], title, columns=8)
    return [save_chart(figure, folder, name, style) for name, figure in figures.items()]


def draw_counts(statistics: Statistics) -> Figure:
    """Rows of each emotion, a panel for each usage; a bar says its rows and its share of the usage."""
    counts = statistics.store.counts()
    names = wrapped_names(statistics.store.classes)
    upright = fit_upright(names)
    high = 2.1 if upright else 0.6 + inches_of(names)
    figure = _figure(statistics, "rows by emotion", 7.6, 0.8 + high * len(counts))
    panels = np.atleast_1d(figure.subplots(len(counts), 1, sharex=upright))
    for axes, (usage, by_emotion) in zip(panels, counts.items(), strict=True):
        values, total = list(by_emotion.values()), sum(by_emotion.values())
        _draw_bars(axes, names, values, _COLOURS[usage], upright=upright)
        axes.set_title(f"{usage}, {total:,} rows", loc="left", fontsize=10)
        _tidy(axes)
    return figure


def _draw_bars(axes: Axes, names: Sequence[str], values: Sequence[int], colour: str, *, upright: bool) -> None:
    """Bars of rows by class, each with its share."""
    places, between = range(len(names)), "\n" if upright else ", "
    draw = axes.bar if upright else axes.barh
    bars = draw(places, values, 0.7, color=colour)
    words = [f"{value:,}{between}{value / sum(values):.1%}" for value in values]
    axes.bar_label(bars, words, padding=2, fontsize=8)
    along, across = (axes.xaxis, axes.yaxis) if upright else (axes.yaxis, axes.xaxis)
    along.set_ticks(places, names, parse_math=False)
    across.set_major_formatter("{x:,.0f}")
    across.set_major_locator(MaxNLocator(4, integer=True))
    across.set_label_text("rows")
    if upright:
        axes.margins(y=0.3)
    else:
        axes.margins(x=0.2, y=0.01)
        axes.invert_yaxis()


def draw_mean_faces(statistics: Statistics) -> Figure:
    """The mean face of each emotion that occurs, all on one scale from the darkest to the brightest grey level."""
    means, names = statistics.mean_faces, wrapped_names(statistics.store.classes)
    occurring = [number for number in range(len(names)) if not np.isnan(means[number]).any()]
    low, high = float(np.nanmin(means)), float(np.nanmax(means))
    columns = min(len(occurring), _MEAN_FACES)
    lines = -(-len(occurring) // columns)
    figure = _figure(
        statistics, f"mean face of each emotion, grey levels {low:.0f}..{high:.0f} stretched", 8, 0.8 + 1.3 * lines
    )
    panels = np.atleast_1d(figure.subplots(lines, columns)).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, number in zip(panels, occurring, strict=False):
        axes.imshow(means[number], cmap="gray", vmin=low, vmax=high, interpolation="nearest")
        axes.set_title(names[number], fontsize=10 if fit_upright(names) else 6, parse_math=False)
    return figure


def draw_tones(statistics: Statistics) -> Figure:
    """Brightness and contrast: their distribution in each usage, and their quartiles for each emotion.

    The whiskers of a box end at the percentiles 5 and 95.
    """
    store, names = statistics.store, wrapped_names(statistics.store.classes)
    boxes = max(3.0, inches_of(names))
    figure = _figure(statistics, "brightness (mean) and contrast (standard deviation) of a face", 9, 3.1 + boxes)
    panels = figure.subplots(2, 2, sharex="col", height_ratios=[3.0, boxes])
    measures = (("brightness, grey levels", statistics.brightness), ("contrast, grey levels", statistics.contrast))
    for (above, below), (name, values) in zip(panels.T, measures, strict=True):
        edges = np.linspace(0, max(1.0, float(values.max())), 41)
        for usage in store.counts():
            share = np.histogram(values[store.rows_of(usage)], edges)[0] / len(store.rows_of(usage))
            above.stairs(share, edges, color=_COLOURS[usage], linestyle=_DASHES[usage], label=usage, linewidth=1.4)
        above.yaxis.set_major_formatter("{x:.0%}")
        above.set_ylabel("share of the usage")
        groups = [values[store.labels == number] for number in range(len(store.classes))]
        below.boxplot(
            groups,
            orientation="horizontal",
            whis=(5, 95),
            showfliers=False,
            widths=0.6,
        )
        below.set_yticks(range(1, len(names) + 1), names, parse_math=False)
        below.invert_yaxis()
        below.set_xlabel(name)
        _tidy(above)
        _tidy(below)
    outside_legend(figure, panels[0, 0].get_legend_handles_labels(), "lower center", columns=3)
    return figure


def draw_sheet(faces: NDArray[np.uint8], title: str, columns: int) -> Figure:
    """Faces uint8 (N, H, W) or (N, H, W, 3) as a contact sheet, line by line."""
    sheet = tiled(faces, columns)
    side = 0.8 * columns
    figure = Figure(figsize=(side, side * sheet.shape[0] / sheet.shape[1] + 0.4), layout="constrained")
    axes = figure.subplots()
    _show(axes, sheet)
    figure.suptitle(title, x=0.02, ha="left", fontsize=9, parse_math=False)
    return figure


def draw_variants(face: NDArray[np.uint8], variants: NDArray[np.uint8], title: str) -> Figure:
    """A face (H, W), and beside it what augmentation makes of it (N, S, S), four in a line."""
    figure = Figure(figsize=(7.5, 4.9), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1, 2])
    _show(left, face)
    left.set_title("as in the data set", loc="left", fontsize=9)
    _show(right, tiled(variants, 4))
    right.set_title("as the network is trained on it", loc="left", fontsize=9)
    figure.suptitle(title, x=0.02, ha="left", fontsize=11, parse_math=False)
    return figure


def tiled(faces: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """Faces (N, H, W) or (N, H, W, 3) as one picture, line by line, two white pixels between them and where the last
    line ends.
    """
    count, height, width, *colours = faces.shape
    lines = -(-count // columns)
    cells = np.full((lines * columns, height + _GAP, width + _GAP, *colours), 255, np.uint8)
    cells[:count, :height, :width] = faces
    cells = cells.reshape(lines, columns, height + _GAP, width + _GAP, *colours).swapaxes(1, 2)
    return cells.reshape(lines * (height + _GAP), columns * (width + _GAP), *colours)[:-_GAP, :-_GAP]


def _figure(statistics: Statistics, subtitle: str, width: float, height: float) -> Figure:
    """An empty figure of a given size in inches, titled with the data set."""
    meta = statistics.store.meta
    figure = Figure(figsize=(width, height), layout="constrained")
    title = f"{meta.source}, {meta.rows:,} rows\n{subtitle}"
    figure.suptitle(title, x=0.02, ha="left", fontsize=11, parse_math=False)
    return figure


def _show(axes: Axes, grey: NDArray[np.uint8]) -> None:
    axes.imshow(grey, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_axis_off()


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(axis="x", length=0)
    axes.set_axisbelow(True)
