"""Progress bars of `mien predict` on standard error, unless the terminal shows results at the same time."""

import sys
from collections.abc import Callable, Collection, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mien.cli.tables import shortened
from mien.media.excerpt import Excerpt
from mien.output.recognized import Recognized
from mien.results import Frame

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn, Task

_MANY: Final = 8
"""Pictures from which a progress bar is worth its line."""

_NAME: Final = 40
"""Columns of the terminal for the name of what is read."""

Span = tuple[float, float]
"""Times of a video between which it is read, seconds."""


def with_progress(
    images: Iterator[Recognized], bars: "Bars", *, prints_rows: bool
) -> Generator[Recognized, None, None]:
    """The same results, with bars that show how far they are, unless the terminal shows the results themselves.

    Args:
        images: pictures first, then one video after the other.
        bars: what is shown.
        prints_rows: whether standard output gets results meanwhile.
    """
    if not sys.stderr.isatty() or (prints_rows and sys.stdout.isatty()):
        yield from images
        return
    try:
        for recognized in images:
            bars.end_unless_of(recognized.frame)  # what others print between two videos is not to be drawn over
            yield recognized
            bars.show(recognized.frame)
    finally:
        bars.stop()


class Bars:
    """A progress bar for many pictures, then one for every video: the share that is done and the time left where its
    length is known, else the number of its frames.

    Args:
        pictures: how many pictures there are.
        span_of: the times between which a video of that name is read; None: nobody knows how long it is.
        together: names of the live sources that are read side by side, which share one bar.
        console: where bars are drawn; by default standard error.
    """

    def __init__(
        self,
        pictures: int,
        span_of: Callable[[str], Span | None],
        together: Collection[str] = (),
        console: "Console | None" = None,
    ) -> None:
        self._together = together if len(together) > 1 else ()
        self._pictures, self._span_of, self._console = pictures, span_of, console
        self._name: str | None = None
        self._bar: Progress | None = None
        self._span: Span | None = None

    def end_unless_of(self, frame: Frame) -> None:
        """Remove the bar of something else than a frame that is about to be given on."""
        if self._named(frame) != self._name:
            self.stop()

    def show(self, frame: Frame) -> None:
        """Show that a frame is done."""
        if self._named(frame) != self._name:
            self._begin(frame)
        if self._bar is None:
            return
        task = self._bar.tasks[0]
        done = task.completed + 1 if self._span is None else max(0.0, (frame.time or 0.0) - self._span[0])
        self._bar.update(task.id, completed=done, frames=task.fields["frames"] + 1)

    def stop(self) -> None:
        """Remove the bar that is shown."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        self._name = None

    def _begin(self, frame: Frame) -> None:
        self._name = self._named(frame)
        self._span = None if frame.time is None else self._span_of(frame.source)
        if frame.time is not None or self._pictures >= _MANY:
            total = float(self._pictures) if frame.time is None else None
            if self._span is not None:
                total = self._span[1] - self._span[0]
            self._bar = self._started(self._name, total)

    def _named(self, frame: Frame) -> str:
        if frame.time is not None and frame.source in self._together:
            return f"{len(self._together)} live sources"
        return "recognizing" if frame.time is None else frame.source

    def _started(self, name: str, total: float | None) -> "Progress":
        from rich.console import Console
        from rich.progress import Progress

        console = self._console or Console(stderr=True)
        bar = Progress(*_columns(timed=self._span is not None), console=console, transient=True, redirect_stdout=False)
        bar.add_task(shortened(name, _NAME), total=total, frames=0)
        bar.start()
        return bar


def _columns(*, timed: bool) -> tuple["ProgressColumn", ...]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        ProgressColumn,
        SpinnerColumn,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: "Task") -> Text:
            return Text(f"{task.fields['frames'] / task.elapsed:.0f} frames/s" if task.elapsed else "")

    begin = SpinnerColumn(), TextColumn("{task.description}", markup=False)
    if timed:
        return (*begin, BarColumn(), TaskProgressColumn(), Rate(), TextColumn("left"), TimeRemainingColumn())
    return (*begin, MofNCompleteColumn(), Rate(), TimeElapsedColumn())


def span_of(source: str, excerpt: Excerpt) -> Span | None:
    """The times of a video between which it is read; None where nobody knows how long it is.

    Args:
        source: what results call the video.
        excerpt: which of its frames are wanted.
    """
    try:
        from mien.media.files_and_streams import length_of
    except ImportError:  # PyAV, which animated pictures do without
        return None
    length = length_of(Path(source)) if Path(source).is_file() else None
    if length is None or length <= excerpt.start:
        return None
    return excerpt.start, length if excerpt.end is None else min(length, excerpt.end)
