"""What `mien predict` prints for people: a table of the faces in pictures, and one of the people in each video."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mien.cli.messages import printable
from mien.cli.tables import fitted, print_table
from mien.output.recognized import Recognized
from mien.output.sink import Sink
from mien.results import Frame

if TYPE_CHECKING:
    from mien.output.frame_noise import FrameNoise
    from mien.output.people import TrackSummary, VideoSummary

_LEAST_SHARE: Final = 0.05
"""Share of the time below which an expression is not named."""

_SENTENCE: Final = 24
"""Columns of the terminal from which a cell is wrapped rather than that a name is cut."""

_GAP: Final = 2
"""Columns between two cells."""

_SET: Final = "set"
"""Heading of the conformal sets, which may leave out the likeliest expression, the one that the probability is of."""


class PictureTable(Sink):
    """The faces in pictures, printed at the end; frames of videos are passed over."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, ...]] = []
        self._videos: set[str] = set()

    def add(self, recognized: Recognized) -> None:
        frame = recognized.frame
        if frame.time is not None:
            self._videos.add(frame.source)
        elif frame.source not in self._videos:
            self._rows += _cells(frame)

    def close(self) -> Sequence[Path]:
        """Print the table."""
        if self._rows:
            headings = "file", "face", "emotion", "probability", "(x, y) and size", _SET
            _print_rows(headings[: max(map(len, self._rows))], self._rows)
        return ()


def _print_rows(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows that begin with the name of a file, which stays whole; sentences in other cells are wrapped."""
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*_even(headings, rows), strict=True)]
    others = sum(min(width, _SENTENCE) + _GAP for width in widths[1:])
    names = fitted((row[0] for row in rows), others)
    longest = max(map(cell_len, names.values()))
    table = Table(*headings, box=None, pad_edge=False)
    for column, width in zip(table.columns, widths, strict=True):
        column.no_wrap = width <= _SENTENCE
    table.columns[0].no_wrap = True
    table.columns[0].min_width = longest
    for name, *cells in rows:
        table.add_row(*map(Text, (names[name], *cells)))
    print_table(table, longest + others)


def _even(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[Sequence[str]]:
    """The headings and the rows, which may be shorter, with as many cells each."""
    for row in (headings, *rows):
        yield [*row, *[""] * (len(headings) - len(row))]


def _cells(frame: Frame) -> Iterator[tuple[str, ...]]:
    if frame.error is not None:
        yield frame.source, "-", f"not read: {frame.error.removeprefix(f'{frame.source}: ')}"
    elif not frame.faces:
        yield frame.source, "-", "no face found"
    for number, face in enumerate(frame.faces):
        x, y, width, height = face.box
        emotion = face.emotion + ("" if face.certain else " ?") + (" (out of place)" if face.out_of_place else "")
        held = () if face.emotions is None else (" | ".join(face.emotions),)
        yield frame.source, str(number), emotion, f"{face.probability:.0%}", f"({x}, {y}) {width} x {height}", *held


def print_people(summary: "VideoSummary") -> None:
    """Print who was in a video, for how long, with which expressions."""
    rows = [(summary.source, *_described(person)) for person in summary.people]
    nobody = summary.source, "-", "-", "-", "-", "-", "-", f"no face found in {summary.frames} frames"
    _print_rows(("video", "person", "from", "to", "seen", "changes", "noise", "expressions"), rows or [nobody])


def _described(person: "TrackSummary") -> tuple[str, ...]:
    times = f"{person.start:.2f} s", f"{person.end:.2f} s", f"{person.seconds:.2f} s"
    changes, expressions = str(person.changes), _mixture(person.shares, person.uncertain)
    return str(person.track), *times, changes, _noise(person.noise), expressions


def _noise(noise: "FrameNoise") -> str:
    """Share of answers that change although the face does not, before and after smoothing."""
    if noise.before is None or noise.after is None:
        return "-"
    return f"{noise.before:.0%} > {noise.after:.0%}"


def _mixture(shares: Mapping[str, float], uncertain: float) -> str:
    """Shares as whole percents that sum to 100, the largest first; small ones together, then what is not certain."""
    # Of equal shares the name decides, so that the order is always the same.
    named = sorted(((share, name) for name, share in shares.items() if share >= _LEAST_SHARE), reverse=True)
    rest = sum(share for share in shares.values() if share < _LEAST_SHARE)
    parts = [(name, share) for share, name in named] + [("others", rest), ("not certain", uncertain)]
    percents = percents_of([share for _, share in parts])
    return ", ".join(f"{name} {percent}%" for (name, _), percent in zip(parts, percents, strict=True) if percent)


def percents_of(shares: Sequence[float]) -> list[int]:
    """Shares that sum to 1 as whole percents that sum to 100 (method of the largest remainder)."""
    percents = [math.floor(100 * share) for share in shares]
    remainders = sorted(range(len(shares)), key=lambda place: percents[place] - 100 * shares[place])
    for place in remainders[: 100 - sum(percents)]:
        percents[place] += 1
    return percents
