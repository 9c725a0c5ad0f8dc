"""How tables reach standard output."""

import io
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from mien.cli.stdout import write_stdout

if TYPE_CHECKING:
    from rich.table import Table

_UNBOUNDED: Final = 10_000
_CUT: Final = "…"


def print_table(table: "Table", least: int = 0) -> None:
    """Print a table as wide as the terminal, or without breaking any cell over lines where there is none.

    Args:
        table: what to print.
        least: columns that it needs, also where the terminal is narrower and breaks the lines itself.
    """
    from rich.console import Console

    printed = io.StringIO()
    width = max(least, terminal_width())
    Console(file=printed, width=width, force_terminal=sys.stdout.isatty()).print(table)
    write_stdout(printed.getvalue())


def print_text(text: str) -> None:
    """Print a line as it is."""
    write_stdout(f"{text}\n")


def terminal_width() -> int:
    """Columns of the terminal that standard output is; without bound where it is none."""
    from rich.console import Console

    console = Console()
    return console.width if console.is_terminal else _UNBOUNDED


def shortened(name: str, width: int) -> str:
    """A path or address that fits into so many columns: its folders are cut in the middle, the name of the file stays
    whole even if it does not fit.
    """
    from rich.cells import cell_len

    if cell_len(name) <= width:
        return name
    file = name[max(name.rfind("/"), name.rfind(os.sep)) + 1 :]
    folders = name.removesuffix(file)
    kept = width - cell_len(file) - cell_len(_CUT) - 1
    if not folders or kept < 1:
        return file if kept < -1 or not folders else f"{_CUT}/{file}"
    head, tail = _start(folders, kept - kept // 2), _start(folders[-2::-1], kept // 2)[::-1]
    return f"{head}{_CUT}{tail}{folders[-1]}{file}"


def _start(text: str, width: int) -> str:
    """The beginning of a text, of at most so many columns."""
    from rich.cells import cell_len

    while cell_len(text) > width:
        text = text[:-1]
    return text


def fitted(names: Iterable[str], rest: int) -> dict[str, str]:
    """Each name of a file as it stands in a table whose other columns need so many columns of the terminal."""
    room = terminal_width() - rest
    return {name: shortened(name, room) for name in names}
