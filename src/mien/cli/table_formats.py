"""Tables for papers and spreadsheets: CSV, Markdown and LaTeX."""

import csv
import io
import re
from collections.abc import Sequence
from typing import Final

from mien.choices import TableFormat

_LATEX: Final = str.maketrans(
    {"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
     "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "<": r"$<$", ">": r"$>$",
     "|": r"\textbar{}", '"': "''"}
)  # fmt: skip

_NEGATIVE: Final = re.compile(r"-[\d.]+")


def formatted(header: Sequence[str], rows: Sequence[Sequence[str]], kind: TableFormat) -> str:
    """A table as text that ends with a line break; the first column is left-aligned, the others right.

    LaTeX needs the package booktabs.
    """
    return {"csv": _csv, "md": _markdown, "tex": _latex}[kind](header, rows)


def _csv(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "".join(f"| {' | '.join(_markdown_cell(cell) for cell in line)} |\n" for line in lines)


def _markdown_cell(cell: str) -> str:
    return " ".join(cell.split()).replace("|", r"\|")


def _latex_cell(cell: str) -> str:
    """Text that LaTeX prints as it is, line breaks as blanks; a negative number with a minus for its hyphen."""
    text = " ".join(cell.split()).translate(_LATEX)
    return f"$-${text[1:]}" if _NEGATIVE.fullmatch(text) else text


def _latex(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        text = " & ".join(map(_latex_cell, cells)) + r" \\"
        return f"{{}}{text}" if text.startswith(("[", "*")) else text  # else the line break before takes it

    columns = "l" + "r" * (len(header) - 1)
    body = [line(header), r"\midrule", *map(line, rows)]
    lines = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", *body, r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines) + "\n"
