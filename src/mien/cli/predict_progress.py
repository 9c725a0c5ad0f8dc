"""Progress bars of `mien predict` on standard error, unless the terminal shows results at the same time."""

import sys
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Final

from mien.cli.tables import shortened
from mien.output.recognized import Recognized

if TYPE_CHECKING:
    from rich.progress import Progress

_MANY: Final = 8
"""Pictures from which a progress bar is worth its line."""

_NAME: Final = 40
"""Columns of the terminal for the name of what is read."""


def with_progress(
    images: Iterator[Recognized], pictures: int, *, prints_rows: bool
) -> Generator[Recognized, None, None]:
    """The same results, with a progress bar for many pictures and one for every video.

    Args:
        images: pictures first, then one video after the other.
        pictures: how many pictures there are.
        prints_rows: whether standard output gets results meanwhile.
    """
    hidden = not sys.stderr.isatty() or (prints_rows and sys.stdout.isatty())
    bar: Progress | None = None
    current: str | None = None
    try:
        for recognized in images:
            name = "recognizing" if recognized.frame.time is None else recognized.frame.source
            begins, current = name != current, name
            if bar is not None and begins:  # what others print between two videos is not to be drawn over
                bar.stop()
                bar = None
            yield recognized
            of_pictures = recognized.frame.time is None
            if begins and not hidden and not (of_pictures and pictures < _MANY):
                bar = _started(name, pictures if of_pictures else None)
            elif bar is not None:
                bar.advance(bar.task_ids[0])
    finally:
        if bar is not None:
            bar.stop()


def _started(name: str, total: int | None) -> "Progress":
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), MofNCompleteColumn(), TimeElapsedColumn()
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    bar.add_task(shortened(name, _NAME), total=total, completed=1)
    bar.start()
    return bar
