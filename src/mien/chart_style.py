"""How charts are written: format, size and title, for screens and for papers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import StepPatch
from matplotlib.text import Text

from mien.choices import ChartFormat

_DPI: Final = {False: 200, True: 400}
"""Of PNG files, by whether they are as small as a column."""

_COLUMN_INCHES: Final = 3.4
_SMALLER: Final = 0.68
"""Text and lines of a chart that is as small as a column; less than the chart shrinks, so that text stays legible."""

_EMBEDDED: Final[Any] = {"pdf.fonttype": 42, "svg.fonttype": "path"}
"""Fonts whole inside PDF files, as publishers ask, and as outlines in SVG files."""


@dataclass(frozen=True, slots=True)
class ChartStyle:
    """How charts are written.

    Args:
        format: of the files, by suffix.
        column: whether a chart is as wide as one column of a paper, 3.4 inches.
        title: whether it carries its title; a paper has a caption instead.
    """

    format: ChartFormat = "png"
    column: bool = False
    title: bool = True


def save_chart(figure: Figure, folder: Path, name: str, style: ChartStyle | None = None) -> Path:
    """Write a figure as ``folder/name.format``; returns its path."""
    style = style or ChartStyle()
    FigureCanvasAgg(figure)
    if not style.title:
        _hide_title(figure)
    if style.column:
        _shrink(figure)
    path = folder / f"{name}.{style.format}"
    with mpl.rc_context(_EMBEDDED):
        figure.savefig(path, dpi=_DPI[style.column])
    return path


def outside_legend(figure: Figure, entries: tuple[Sequence[Any], Sequence[str]], where: str, size: float = 10) -> None:
    """A legend of two columns outside of the axes; of one column where a paper's is too narrow.

    Args:
        figure: that it belongs to.
        entries: handles and labels, as matplotlib's legend takes them.
        where: the side and the end of it, for example "upper left".
        size: of its text, points.
    """
    _add_legend(figure, entries, where, size, columns=2).set_gid(where)  # by which `_fit_legends` finds its place


def _add_legend(
    figure: Figure, entries: tuple[Sequence[Any], Sequence[str]], where: str, size: float, *, columns: int
) -> Legend:
    place: Any = f"outside {where}"
    return figure.legend(*entries, loc=place, ncols=columns, frameon=False, fontsize=size)


def _fit_legends(figure: Figure) -> None:
    """Legends of `outside_legend` that would be wider than a paper's column, in one column."""
    figure.draw_without_rendering()
    for legend in list(figure.legends):
        where, inches = legend.get_gid(), legend.get_window_extent().width / figure.dpi
        if where and inches * _SMALLER > _COLUMN_INCHES:
            texts = legend.get_texts()
            entries = list(legend.legend_handles), [text.get_text() for text in texts]
            legend.remove()
            _add_legend(figure, entries, where, float(texts[0].get_fontsize()), columns=1)


def _hide_title(figure: Figure) -> None:
    for text in figure.texts:
        if text.get_text() == figure.get_suptitle():
            text.set_visible(False)
            text.set_in_layout(False)


def _shrink(figure: Figure) -> None:
    """To the width of a column; somewhat higher in proportion, since text shrinks less."""
    _fit_legends(figure)
    width, height = figure.get_size_inches()
    share = _COLUMN_INCHES / width
    figure.set_size_inches(_COLUMN_INCHES, height * share * min(1.25, _SMALLER / share))
    for text in _parts(figure, Text):
        text.set_fontsize(text.get_fontsize() * _SMALLER)
    for line in _parts(figure, Line2D):
        line.set_linewidth(line.get_linewidth() * _SMALLER)
        line.set_markersize(line.get_markersize() * _SMALLER)
    for stairs in _parts(figure, StepPatch):
        stairs.set_linewidth(stairs.get_linewidth() * _SMALLER)
    for marks in _parts(figure, PathCollection):
        marks.set_sizes(marks.get_sizes() * _SMALLER**2)


def _parts(figure: Figure, kind: type) -> list[Any]:
    """Everything of a kind in a figure; matplotlib types what it finds as any artist."""
    return list(figure.findobj(kind))
