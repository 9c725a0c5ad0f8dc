"""A chart of the features of faces, drawn with matplotlib off screen."""

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mien.chart_style import ChartStyle, outside_legend, save_chart
from mien.data.chart_names import chart_names, fit_upright
from mien.evaluation.evaluated import Evaluation
from mien.evaluation.features import principal_plane
from mien.files import writing_into
from mien.output.colours import colours_of

_EDGE: Final = "#333333"
_MOST_DRAWN: Final = 4000
"""Faces; more of them hide each other."""


def draw_features(
    evaluation: Evaluation, features: NDArray[np.float32], table: Path, style: ChartStyle | None = None
) -> Path:
    """Write the plane in which the features vary most, a mark for each face and a larger one for the mean of each
    class, beside the table of features and under its name; returns the path.

    Raises:
        UsageError: it cannot be written.
    """
    places, shares = principal_plane(features)
    figure = Figure(figsize=(7.2, 6.2), layout="constrained")
    what = f"what its last layer reads ({features.shape[1]} features); colour: true class"
    title = f"{evaluation.model} on {evaluation.where}, {len(evaluation):,} faces\n{what}"
    figure.suptitle(title, x=0.02, ha="left", fontsize=11, parse_math=False)
    axes = figure.subplots()
    marks = _draw_marks(axes, evaluation, places)
    axes.set_xlabel(f"first principal component, {shares[0]:.0%} of the variance")
    axes.set_ylabel(f"second principal component, {shares[1]:.0%} of the variance")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_aspect("equal", adjustable="datalim")
    axes.spines[["top", "right"]].set_visible(False)
    columns = 4 if fit_upright(list(marks)) else 2
    outside_legend(figure, (list(marks.values()), list(marks)), "lower center", columns=columns)
    with writing_into(table.absolute().parent):
        return save_chart(figure, table.parent, table.stem, style)


def _draw_marks(axes: Axes, evaluation: Evaluation, places: NDArray[np.float64]) -> dict[str, PathCollection]:
    """Faces in an order of chance, so that no class hides the others, and the means above them; these by name."""
    colours = np.array(list(colours_of(evaluation.classes).values())) / 255
    drawn = np.random.default_rng(0).permutation(len(places))[:_MOST_DRAWN]
    axes.scatter(
        places[drawn, 0], places[drawn, 1], s=7, c=colours[evaluation.labels[drawn]], edgecolors=_EDGE, linewidths=0.15
    )
    means = {}
    for number, name in enumerate(chart_names(evaluation.classes)):
        mine = places[evaluation.labels == number]
        if len(mine):
            mean, look = mine.mean(axis=0), {"color": colours[number], "edgecolors": "black", "linewidths": 1.5}
            means[name] = axes.scatter(mean[0], mean[1], s=160, zorder=3, **look)
    return means
