"""How charts are written: format, size and title, for screens and for papers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
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


def _hide_title(figure: Figure) -> None:
    for text in figure.texts:
        if text.get_text() == figure.get_suptitle():
            text.set_visible(False)
            text.set_in_layout(False)


def _shrink(figure: Figure) -> None:
    """To the width of a column; somewhat higher in proportion, since text shrinks less."""
    width, height = figure.get_size_inches()
    share = _COLUMN_INCHES / width
    figure.set_size_inches(_COLUMN_INCHES, height * share * min(1.25, _SMALLER / share))
    for text in _parts(figure, Text):
        text.set_fontsize(text.get_fontsize() * _SMALLER)
    for line in _parts(figure, Line2D):
        line.set_linewidth(line.get_linewidth() * _SMALLER)
        line.set_markersize(line.get_markersize() * _SMALLER)
    for marks in _parts(figure, PathCollection):
        marks.set_sizes(marks.get_sizes() * _SMALLER**2)


def _parts(figure: Figure, kind: type) -> list[Any]:
    """Everything of a kind in a figure; matplotlib types what it finds as any artist."""
    return list(figure.findobj(kind))
