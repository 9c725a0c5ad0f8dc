"""A chart of the features of faces, drawn with matplotlib off screen."""

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mien.chart_style import ChartStyle, outside_legend, save_chart
from mien.data.chart_names import chart_names
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
    _draw_marks(axes, evaluation, places)
    axes.set_xlabel(f"first principal component, {shares[0]:.0%} of the variance")
    axes.set_ylabel(f"second principal component, {shares[1]:.0%} of the variance")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_aspect("equal", adjustable="datalim")
    axes.spines[["top", "right"]].set_visible(False)
    outside_legend(figure, axes.get_legend_handles_labels(), "lower center", columns=4)
    with writing_into(table.absolute().parent):
        return save_chart(figure, table.parent, table.stem, style)


def _draw_marks(axes: Axes, evaluation: Evaluation, places: NDArray[np.float64]) -> None:
    """Faces in an order of chance, so that no class hides the others, and the means above them."""
    colours = np.array(list(colours_of(evaluation.classes).values())) / 255
    drawn = np.random.default_rng(0).permutation(len(places))[:_MOST_DRAWN]
    axes.scatter(
        places[drawn, 0], places[drawn, 1], s=7, c=colours[evaluation.labels[drawn]], edgecolors=_EDGE, linewidths=0.15
    )
    for number, name in enumerate(chart_names(evaluation.classes)):
        mine = places[evaluation.labels == number]
        if len(mine):
            mean = mine.mean(axis=0)
            axes.scatter(
                mean[0], mean[1], s=160, color=colours[number], edgecolors="black", linewidths=1.5, label=name, zorder=3
            )
