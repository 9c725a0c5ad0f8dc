"""Which of the things that are asked for are pictures, and which are videos."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mien.media.animation import is_animation
from mien.media.images import EmptySource, expand_sources
from mien.media.video import STANDARD_INPUT, is_address, is_camera, is_video

VideoEntry = str | Path | tuple[Path, ...]
"""A camera, address or ``-``; a file; pictures that are the frames of one video."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What was asked for, sorted.

    Args:
        pictures: to be read one by one, and what was found empty.
        videos: to be followed through time, animated pictures among them.
    """

    pictures: tuple[Path | EmptySource, ...]
    videos: tuple[VideoEntry, ...]


def sort_sources(sources: Sequence[str], fps: float | None = None) -> Sources:
    """Files, folders and patterns, sorted into pictures and videos, each once, in the order given.

    Args:
        sources: see `expand_sources`; besides the number of a webcam (unless a file has that name), an address, ``-``.
        fps: not None: the pictures of each folder or pattern are the frames of one video, in the order of the numbers
            in their names; pictures that are named one by one are the frames of another, in the order given.

    Raises:
        InputError: nothing is found.
    """
    named = [source for source in sources if not _is_live(source)]
    live: list[VideoEntry] = list(dict.fromkeys(source for source in sources if _is_live(source)))
    if fps is not None:
        return _sequences(named, live)
    found = expand_sources(named) if named or not live else []
    videos = [entry for entry in found if isinstance(entry, Path) and _moves(entry)]
    return Sources(tuple(entry for entry in found if entry not in videos), (*videos, *live))


def _sequences(named: Sequence[str], live: list[VideoEntry]) -> Sources:
    empty: list[EmptySource] = []
    videos: list[VideoEntry] = []
    single: list[Path] = []
    for source in named:
        found = expand_sources([source])
        paths = [entry for entry in found if isinstance(entry, Path)]
        pictures = [path for path in paths if not _moves(path)]
        videos += [path for path in paths if path not in pictures]
        empty += [entry for entry in found if isinstance(entry, EmptySource)]
        if pictures == [Path(source)]:
            single += pictures
        elif pictures:
            videos.append(tuple(sorted(pictures, key=_counted)))
    if single:
        videos.append(tuple(single))
    return Sources(tuple(empty), (*videos, *live))


def _moves(path: Path) -> bool:
    return is_video(path) or is_animation(path)


def _counted(path: Path) -> list[tuple[int, str]]:
    """A key that sorts shot-2 before shot-10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", str(path))]


def _is_live(source: str) -> bool:
    return source == STANDARD_INPUT or is_address(source) or (is_camera(source) and not Path(source).exists())
