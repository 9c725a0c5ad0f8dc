"""How charts are written: format, size and title, for screens and for papers."""

import logging
import textwrap
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont
from matplotlib.ft2font import FT2Font
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import StepPatch
from matplotlib.text import Text

from mien.choices import ChartFormat

log: Final = logging.getLogger("mien")

_DPI: Final = {False: 200, True: 400}
"""Of PNG files, by whether they are as small as a column."""

_COLUMN_INCHES: Final = 3.4
_SMALLER: Final = 0.68
"""Text and lines of a chart that is as small as a column; less than the chart shrinks, so that text stays legible."""

_LETTERS: Final = 28
"""Of a line of a name beside an axis: two lines of it fit beside each other."""

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
    """Write a figure as ``folder/name.format``; returns its path.

    Legends of `outside_legend` and the title are broken into more lines where they would not fit the width.
    """
    style = style or ChartStyle()
    figure.set_dpi(_DPI[style.column])  # text is measured as it will be drawn: up to 7 % wider than on a screen
    if not style.title:
        _hide_title(figure)
    if style.column:
        _shrink(figure)
    _fit_legends(figure, figure.get_figwidth())
    _fit_title(figure)
    path = folder / f"{name}.{style.format}"
    with mpl.rc_context(_EMBEDDED), boxes_for_letters(figure):
        figure.savefig(path, dpi=_DPI[style.column])
    return path


@contextmanager
def boxes_for_letters(figure: Figure) -> Iterator[None]:
    """Draw a figure inside the block: of letters that its font lacks it is said, once, that boxes stand for them.

    matplotlib would warn of each of them each time.
    """
    shown = {letter for text in _parts(figure, Text) if text.get_visible() for letter in text.get_text()}
    if missing := "".join(sorted(filter(_is_missing, shown))):
        _say_missing(missing)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from", UserWarning)
        yield


@cache
def letters_of_charts() -> frozenset[int]:
    """Code points that the font of charts has."""
    return frozenset(FT2Font(findfont(FontProperties())).get_charmap())


def _is_missing(letter: str) -> bool:
    return unicodedata.category(letter) not in {"Cc", "Cf"} and ord(letter) not in letters_of_charts()


@cache
def _say_missing(letters: str) -> None:
    log.warning("the font of charts lacks letters, for which they show boxes: %s", letters)


def outside_legend(
    figure: Figure, entries: tuple[Sequence[Any], Sequence[str]], where: str, size: float = 10, columns: int = 2
) -> None:
    """A legend outside of the axes, for which the figure grows.

    Args:
        figure: that it belongs to.
        entries: handles and labels, as matplotlib's legend takes them.
        where: the side and the end of it, for example "upper left".
        size: of its text, points.
        columns: where that many fit the width, else fewer.
    """
    _add_legend(figure, entries, where, size, columns=columns)
    figure.set_figheight(figure.get_figheight() + _legend_inches(figure))


def wrapped(name: str, letters: int = _LETTERS) -> str:
    """A name for an axis or a legend in at most two lines; what does not fit is left out."""
    return "\n".join(textwrap.wrap(name, letters, max_lines=2, placeholder=" ..."))


def _add_legend(
    figure: Figure, entries: tuple[Sequence[Any], Sequence[str]], where: str, size: float, *, columns: int
) -> Legend:
    place: Any = f"outside {where}"
    legend = figure.legend(*entries, loc=place, ncols=columns, frameon=False, fontsize=size)
    for text in legend.get_texts():
        text.set_parse_math(False)  # a name may have dollar signs
    legend.set_gid(f"{where} {columns}")  # by which it is found again and laid out anew
    return legend


def _outside_legends(figure: Figure) -> list[Legend]:
    """The legends of `outside_legend`."""
    return [legend for legend in figure.legends if legend.get_gid()]


def _inches(figure: Figure, part: Legend | Text) -> tuple[float, float]:
    """Width and height of a part whose place is still unknown."""
    renderer: Any = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    with boxes_for_letters(figure):
        extent = part.get_window_extent(renderer)
    return extent.width / figure.dpi, extent.height / figure.dpi


def _legend_inches(figure: Figure) -> float:
    """The height of these legends together."""
    return sum(_inches(figure, legend)[1] for legend in _outside_legends(figure))


def _fit_legends(figure: Figure, inches: float) -> None:
    """Legends of `outside_legend` anew, in as many columns as fit a width; the figure grows for the lines added."""
    before = _legend_inches(figure)
    for legend in _outside_legends(figure):
        where, _, columns = str(legend.get_gid()).rpartition(" ")
        texts = legend.get_texts()
        entries, size = (list(legend.legend_handles), [text.get_text() for text in texts]), texts[0].get_fontsize()
        legend.remove()
        for number in range(int(columns), 0, -1):
            again = _add_legend(figure, entries, where, float(size), columns=number)
            if number == 1 or _inches(figure, again)[0] <= inches:
                break
            again.remove()
    figure.set_figheight(figure.get_figheight() + _legend_inches(figure) - before)


def _fit_title(figure: Figure) -> None:
    """The title in lines that fit the width; the figure grows for those that are added."""
    for title in _titles(figure):
        lines, room = title.get_text().split("\n"), (1 - title.get_position()[0]) * figure.get_figwidth()
        letters = max(map(len, lines))
        while _inches(figure, title)[0] > room and letters > 1:
            letters -= 1
            title.set_text("\n".join(part for line in lines for part in textwrap.wrap(line, letters)))
        added = title.get_text().count("\n") + 1 - len(lines)
        figure.set_figheight(figure.get_figheight() + added * 1.2 * float(title.get_fontsize()) / 72)


def _titles(figure: Figure) -> list[Text]:
    return [text for text in figure.texts if text.get_text() and text.get_text() == figure.get_suptitle()]


def _hide_title(figure: Figure) -> None:
    for title in _titles(figure):
        title.set_visible(False)
        title.set_in_layout(False)


def _shrink(figure: Figure) -> None:
    """To the width of a column; somewhat higher in proportion, since text shrinks less."""
    width, height = figure.get_size_inches()
    share, legends = _COLUMN_INCHES / width, _legend_inches(figure)
    drawn = (height - legends) * share * min(1.25, _SMALLER / share)
    for text in _parts(figure, Text):
        text.set_fontsize(text.get_fontsize() * _SMALLER)
    for line in _parts(figure, Line2D):
        line.set_linewidth(line.get_linewidth() * _SMALLER)
        line.set_markersize(line.get_markersize() * _SMALLER)
    for stairs in _parts(figure, StepPatch):
        stairs.set_linewidth(stairs.get_linewidth() * _SMALLER)
    for marks in _parts(figure, PathCollection):
        marks.set_sizes(marks.get_sizes() * _SMALLER**2)
    figure.set_size_inches(_COLUMN_INCHES, drawn + _legend_inches(figure))


def _parts(figure: Figure, kind: type) -> list[Any]:
    """Everything of a kind in a figure; matplotlib types what it finds as any artist."""
    return list(figure.findobj(kind))
