"""What a table says of rows beside their label: a group (subject, photo), a trait (age band, light), votes."""

import csv
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from io import StringIO
from math import isnan
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.errors import DataError
from mien.labels import VOTE_CLASSES

ROW: Final = "row"
FILE_NAME: Final = "file_name"
GROUP: Final = "group"
"""Columns of a file of groups: the row's number from 0, or the picture's path in its folder; and the group's name."""

FILE: Final = "file"
"""Column of the picture that a face was cut out of, below the folder that was imported, in tables that mien writes."""

VOTE_COLUMNS: Final = tuple(f"votes_{name}" for name in VOTE_CLASSES)
"""FER+'s votes in tables that mien writes."""

LONGEST_NAME: Final = 100

_NAMED_IN_ERRORS: Final = 5
_DELIMITERS: Final = ",;\t"


QUOTING: Final[Mapping[str, Any]] = {"strict": True, "skipinitialspace": True}
"""How quotes in a csv are read, for `csv.reader`.

Strict, since a quote that is not closed would swallow the lines below it; a blank before a quote does not make it text.
"""


def delimiter_of(header: str) -> str:
    """What stands between the cells of a csv, by its header: whichever of comma, semicolon and tab there is most of.

    Spreadsheets write what the language of their system asks for.
    """
    return max(_DELIMITERS, key=header.count)


_BEYOND: Final = "beyond the header"
"""Key of what stands in a line of a csv beyond its columns, for `csv.DictReader`."""


def csv_lines(
    path: str | Path, columns: Callable[[Sequence[str]], Sequence[str]]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Each line of a csv, see `lines_of_text`.

    Args:
        path: the csv, UTF-8; a pipe too.
        columns: as there.

    Raises:
        DataError: unreadable, or as there.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            text = file.read()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: not a csv in UTF-8") from None
    yield from lines_of_text(text, path, columns)


def lines_of_text(
    text: str, path: str | Path, columns: Callable[[Sequence[str]], Sequence[str]] = list
) -> Iterator[tuple[int, dict[str, str]]]:
    """Each line of a csv by its columns, and its number from 1: where a cell has lines of its own, that of the last.

    Args:
        text: the csv, with a header; commas, semicolons or tabs stand between its cells.
        path: what to call it in messages.
        columns: the names of the columns that those in the header, without blanks around them, stand for, or an error.

    Yields:
        Number, and text by column without surrounding blanks; cells that a line lacks are empty.

    Raises:
        DataError: no csv, or a line with text beyond the columns: a name with a delimiter in it was cut there. The
            message names the line.
    """
    delimiter = delimiter_of(text.partition("\n")[0])
    lines = csv.DictReader(StringIO(text, newline=""), delimiter=delimiter, restkey=_BEYOND, restval="", **QUOTING)
    try:
        lines.fieldnames = columns([name.strip() for name in lines.fieldnames or ()])
        for line in lines:
            if "".join(line.pop(_BEYOND, ())).strip():
                raise DataError(
                    f"{path}: line {lines.line_num} has more cells than the header: "
                    f"expected text with {delimiter!r} in it in quotes"
                )
            yield lines.line_num, {name: cell.strip() for name, cell in line.items()}
    except csv.Error as error:
        raise DataError(f"{path}: {wrong_quotes(text, lines.line_num, lines.reader.line_num, error)}") from None


def wrong_quotes(text: str, whole: int, reached: int, error: csv.Error) -> str:
    """What to say of a csv whose quotes are wrong.

    Args:
        text: the csv.
        whole: number of the last line that was read, from 1; 0 when none was.
        reached: number of the line that was being read.
        error: of Python's reader.
    """
    if not str(error).endswith("expected after '\"'"):
        return f"not a csv after line {whole} ({error}): expected each quote closed"
    begun = next(number for number, line in enumerate(StringIO(text, newline=""), 1) if number > whole and line.strip())
    where = f"line {reached} has" if begun == reached else f"lines {begun} to {reached} have"
    return f"{where} text or blanks after a closing quote: expected nothing there, and a quote within quotes doubled"


def check_once(path: str | Path, header: Sequence[str], names: Iterable[str]) -> None:
    """Refuse a csv of which a column that is read stands there twice.

    Raises:
        DataError: as said; the first such column is named.
    """
    if repeated := [name for name in names if header.count(name) > 1]:
        raise DataError(f"{path}: the column {repeated[0]} stands there twice: expected each once")


def check_group(name: str, where: object) -> None:
    """Refuse an overlong name of a group.

    Raises:
        DataError: longer than `LONGEST_NAME`; the message says where.
    """
    if len(name) > LONGEST_NAME:
        raise DataError(f"{where} has group {name[:40]!r}...: expected at most {LONGEST_NAME} characters")


def text_of(cell: Any) -> str:
    """A cell as a text, "" where it has none; a whole number without the point that it gets in a column of floats."""
    if cell is None or (isinstance(cell, float) and isnan(cell)):
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def texts_of(path: Path, what: str, cells: Sequence[Any]) -> list[str]:
    """Cells as texts.

    Raises:
        DataError: one is empty, or names a group and is overlong.
    """
    texts = [text_of(cell) for cell in cells]
    if "" in texts:
        raise DataError(f"{path}: some rows have no {what}: expected text in each")
    if what in {GROUP, f"{GROUP}s"}:
        check_group(max(texts, key=len, default=""), path)
    return texts


def row_column(path: str | Path, column: str, rows: NDArray[np.intp], count: int) -> NDArray[np.str_]:
    """A column of a csv for some rows of a data set, (N,) text, in the order of ``rows``.

    Args:
        path: the csv, UTF-8, with a header: ``row``, the row's number from 0, and ``column``. Other columns are
            ignored, and so are the lines of other rows of the data set.
        column: the name of the column.
        rows: row numbers (N,).
        count: how many rows the data set has.

    Raises:
        DataError: the file is malformed, lacks a row, or names one that the data set does not have.
    """
    values = read_column(path, ROW, column)
    return matched(path, values, [str(row) for row in rows.tolist()], known=set(map(str, range(count))))


def read_column(path: str | Path, key: str, column: str) -> dict[str, str]:
    """A column of a csv by another one, without surrounding blanks.

    Raises:
        DataError: unreadable, a missing column, an empty or overlong cell, more cells than columns, or a key that
            occurs twice; the message names file and line.
    """
    found: dict[str, str] = {}
    for where, name, value in _cells(path, key, column):
        if not name or not value or len(value) > LONGEST_NAME:
            raise DataError(
                f"{where} has {key} {name[:40]!r} and {column} {value[:40]!r}: expected text in both, "
                f"{column} of at most {LONGEST_NAME} characters"
            )
        if name in found:
            raise DataError(f"{where} names {key} {name[:40]!r} again: expected each once")
        found[name] = value
    return found


def _cells(path: str | Path, key: str, column: str) -> Iterator[tuple[str, str, str]]:
    """Place, key and value of each line."""

    def columns(header: Sequence[str]) -> Sequence[str]:
        if missing := [name for name in (key, column) if header.count(name) != 1]:
            shown = ",".join(header)[:100]
            raise DataError(f"{path}: the header is {shown!r}: expected the column {' and '.join(missing)} once")
        return header

    for number, line in csv_lines(path, columns):
        yield f"{path}: line {number}", line[key], line[column]


def matched(
    path: str | Path, values: Mapping[str, str], wanted: Collection[str], known: Collection[str]
) -> NDArray[np.str_]:
    """Values of the keys that are wanted, in their order (N,).

    Args:
        path: the file they come from, for messages.
        values: by key, see `read_column`.
        wanted: keys that must be there.
        known: keys that may be there.

    Raises:
        DataError: a key is missing, or unknown; the first of them are named, and their number.
    """
    if missing := [key for key in wanted if key not in values]:
        raise DataError(f"{path}: {_listed(missing)} missing: expected a line for each of {len(wanted):,} rows")
    if unknown := [key for key in values if key not in known]:
        raise DataError(f"{path}: {_listed(unknown)} not in the data set: expected its own rows only")
    return np.array([values[key] for key in wanted], np.str_)


def _listed(keys: list[str]) -> str:
    shown = ", ".join(key[:60] for key in keys[:_NAMED_IN_ERRORS])
    more = len(keys) - _NAMED_IN_ERRORS
    return f"{shown} and {more:,} more are" if more > 0 else f"{shown} {'is' if len(keys) == 1 else 'are'}"
