"""How tables reach standard output."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.table import Table

_UNBOUNDED: Final = 10_000


def print_table(table: "Table") -> None:
    """Print a table as wide as the terminal, or without breaking any cell over lines where there is none."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console.width = _UNBOUNDED
    console.print(table)
