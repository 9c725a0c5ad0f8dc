"""What `mien predict` prints for people: a table of the faces in pictures, and one of the people in each video."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mien.cli.tables import print_table
from mien.output.recognized import Recognized
from mien.output.sink import Sink
from mien.results import Frame

if TYPE_CHECKING:
    from mien.output.people import TrackSummary, VideoSummary

_LEAST_SHARE: Final = 0.05
"""Share of the time below which an expression is not named."""


class PictureTable(Sink):
    """The faces in pictures, printed at the end; frames of videos are passed over."""

    def __init__(self) -> None:
        from rich.table import Table

        self._table = Table("file", "face", "emotion", "probability", "position (x, y) and size", box=None)
        self._table.pad_edge = False
        self._table.columns[-1].no_wrap = True
        self._videos: set[str] = set()

    def add(self, recognized: Recognized) -> None:
        from rich.text import Text

        frame = recognized.frame
        if frame.time is not None:
            self._videos.add(frame.source)
        elif frame.source not in self._videos:
            for cells in _cells(frame):
                self._table.add_row(*map(Text, cells))

    def close(self) -> Sequence[Path]:
        """Print the table."""
        if self._table.row_count:
            print_table(self._table)
        return ()


def _cells(frame: Frame) -> Iterator[tuple[str, ...]]:
    if frame.error is not None:
        yield frame.source, "-", f"not read: {frame.error.removeprefix(f'{frame.source}: ')}"
    elif not frame.faces:
        yield frame.source, "-", "no face found"
    for number, face in enumerate(frame.faces):
        x, y, width, height = face.box
        yield frame.source, str(number), face.emotion, f"{face.probability:.0%}", f"({x}, {y}) {width} x {height}"


def print_people(summary: "VideoSummary") -> None:
    """Print who was in a video, for how long, with which expressions."""
    from rich.table import Table
    from rich.text import Text

    table = Table("video", "person", "from", "to", "seen", "changes", "expressions", box=None, pad_edge=False)
    for person in summary.people:
        table.add_row(*map(Text, (summary.source, *_described(person))))
    if not summary.people:
        table.add_row(Text(summary.source), "-", "-", "-", "-", "-", f"no face found in {summary.frames} frames")
    print_table(table)


def _described(person: "TrackSummary") -> tuple[str, ...]:
    # Of equal shares the name decides, so that the order is always the same.
    shares = sorted(((share, emotion) for emotion, share in person.shares.items()), reverse=True)
    mixture = ", ".join(f"{emotion} {share:.0%}" for share, emotion in shares if share >= _LEAST_SHARE)
    times = f"{person.start:.2f} s", f"{person.end:.2f} s", f"{person.seconds:.2f} s"
    return str(person.track), *times, str(person.changes), mixture
