"""What commands say on standard error, alike."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console


def say_written(paths: Iterable[Path]) -> None:
    """A line for each file that was written."""
    for path in paths:
        typer.secho(f"wrote {path}", dim=True, err=True)


def tracked(messages: "Console", what: str, chunks: range) -> Iterable[int]:
    """The same chunks with a progress bar, where a terminal shows it."""
    from rich.progress import track

    return track(chunks, what, console=messages, transient=True, disable=not messages.is_terminal)
