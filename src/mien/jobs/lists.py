"""Lists of inputs: a text file with a path a line, a CSV or Parquet file with a column of paths."""

import csv
import io
import os
import re
from pathlib import Path
from typing import Final

from mien.data.columns import QUOTING, wrong_quotes
from mien.errors import InputError, MissingExtraError
from mien.jobs.stores import address_of, is_store, read_bytes
from mien.media.kinds import PICTURE_SUFFIXES, suffix
from mien.media.video_source import VIDEO_SUFFIXES, is_address

_COLUMNS: Final = ("path", "file", "filename", "source", "image", "picture", "video", "url", "uri")
"""Names of the column of paths, in the order in which they are looked for; the only column may have any name."""

_LISTS: Final = (".txt", ".csv", ".parquet")

_CELLS: Final = re.compile(r'(?:\A|,)( *)("(?:[^"]|"")*"|[^,\r\n]*)')
"""The cells of a line of a CSV as they are written, and the blanks before each."""


def is_list(source: str) -> bool:
    """Whether a source is a list of inputs, by its suffix."""
    if is_store(source):
        return suffix(address_of(source).key) in _LISTS
    return suffix(source) in _LISTS and not is_address(source) and Path(source).is_file()


def listed(source: str) -> list[str]:
    """The inputs that a list names, each once; paths are taken below the folder of the list, or else as they stand.

    Raises:
        InputError: the list cannot be read, is no UTF-8, has no column of paths, or a line of a CSV has
            more cells than its first.
        MissingExtraError: pyarrow is needed and not installed.
    """
    content = _content(source)
    form = suffix(address_of(source).key if is_store(source) else source)
    read = {".txt": _lines, ".csv": _column_of_csv, ".parquet": _column_of_parquet}[form]
    names = list(dict.fromkeys(name for name in read(content, source) if name))
    if not names:
        raise InputError(f"{source}: the list is empty: expected a path in each line")
    if broken := next((name for name in names if "\0" in name), None):
        raise InputError(f"{source}: {broken[:80]!r} is no path: it has a character of code 0")
    return names if is_store(source) else [_below(Path(source).parent, name) for name in names]


def _content(source: str) -> bytes:
    if is_store(source):
        return read_bytes(address_of(source))
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise InputError(f"{source}: the list cannot be read ({error.strerror})") from None


def _below(folder: Path, name: str) -> str:
    if is_address(name) or Path(name).is_absolute() or folder == Path():
        return name
    inside = folder / name
    return str(inside) if _is_there(inside) or not _is_there(name) else name


def _is_there(path: str | Path) -> bool:
    """Whether there is such a file or folder; no error where a name is overlong, as a path's own `exists` gives."""
    return os.path.exists(path)  # noqa: PTH110


def _as_written(name: str, column: int, line: str, source: str) -> str:
    """A path with the blanks before it, which separate it from the cell before unless there is a file of that name."""
    if f" {name}" not in line:
        return name
    blanks, cell = _CELLS.findall(line)[column]
    with_blanks = blanks + name
    return with_blanks if cell == name and _is_there(_below(Path(source).parent, with_blanks)) else name


def _text(content: bytes, source: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{source}: the list is not in UTF-8") from None


def _lines(content: bytes, source: str) -> list[str]:
    return [line.strip("\r") for line in _text(content, source).split("\n")]


def _column_of_csv(content: bytes, source: str) -> list[str]:
    text = _text(content, source)
    lines = io.StringIO(text, newline="").readlines()
    reader = csv.reader(lines, **QUOTING)
    rows: list[tuple[str, int, list[str]]] = []
    whole = 0
    try:
        for row in reader:
            rows += [("".join(lines[whole : reader.line_num]), reader.line_num, row)] if any(row) else []
            whole = reader.line_num
    except csv.Error as error:
        raise InputError(f"{source}: {wrong_quotes(text, whole, reader.line_num, error)}") from None
    if not rows:
        return []
    (_, _, header), *rest = rows
    column = _column([name.strip() for name in header], source)
    for _, number, row in rest:
        if any(row[len(header) :]):
            raise InputError(
                f"{source}: line {number} has more cells than the first: expected paths with a comma in them in quotes"
            )
    return [_as_written(row[column], column, line, source) for line, _, row in rest if len(row) > column]


def _column_of_parquet(content: bytes, source: str) -> list[str]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise MissingExtraError("reading Parquet", "tables") from None
    try:
        file = parquet.ParquetFile(pa.BufferReader(content))
        names = file.schema_arrow.names
        column = names[_column(names, source)]
        # A pool of threads that is still being started ends a process that exits meanwhile by SIGABRT.
        values = file.read([column], use_threads=False)[column].to_pylist()
    except (OSError, ValueError) as error:
        raise InputError(f"{source}: not a Parquet file ({error})") from None
    known = [value for value in values if value is not None]
    if others := [value for value in known if not isinstance(value, str | bytes)]:
        raise InputError(f"{source}: column {column} holds {others[0]!r}: expected paths as text")
    return [os.fsdecode(value) for value in known]


def _is_input(name: str) -> bool:
    """Whether what should be a column's name is an input: the list has no first line of names."""
    return is_address(name) or suffix(name) in PICTURE_SUFFIXES | VIDEO_SUFFIXES or "/" in name


def _column(names: list[str], source: str) -> int:
    """Which column has the paths."""
    lower = [name.lower() for name in names]
    for name in _COLUMNS:
        if name in lower:
            return lower.index(name)
    if named := next(filter(_is_input, names), None):
        raise InputError(f"{source}: begins with {named[:80]}: expected names of columns first, such as {_COLUMNS[0]}")
    if len(names) == 1 and not {";", "\t"} & set(names[0]):
        return 0
    found = ", ".join(names)[:80]
    raise InputError(f"{source}: no column of paths among {found}: expected one called {_COLUMNS[0]}, commas between")
