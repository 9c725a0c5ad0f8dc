"""Which of the things that are asked for are pictures, and which are videos."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from mien.errors import UsageError
from mien.media.animated import is_animation
from mien.media.kinds import PICTURE_SUFFIXES, UNREAD, is_video_file, suffix
from mien.media.search import EmptySource, Search, searched_folders
from mien.media.sequence import folder_of
from mien.media.video_source import STANDARD_INPUT, VIDEO_SUFFIXES, is_address, is_camera, is_video, without_password

_STREAM_SUFFIXES: Final = frozenset({".m3u8", ".mpd", ".sdp"})
"""Of the lists that name the parts of a stream."""

PictureEntry = str | Path | EmptySource
"""An http(s) address; a file; what was found empty."""

VideoEntry = str | Path | tuple[Path, ...]
"""A camera, address or ``-``; a file; pictures that are the frames of one video."""


def video_name(video: VideoEntry) -> str:
    """What results call a video."""
    return folder_of(video) if isinstance(video, tuple) else without_password(str(video))


@dataclass(frozen=True, slots=True)
class Sources:
    """What was asked for, sorted.

    Args:
        pictures: to be read one by one, and what was found empty.
        videos: to be followed through time, animated pictures among them.
        left_out: a line for each kind of files that were found and left out.
        folders: where folders and patterns were searched.
    """

    pictures: tuple[PictureEntry, ...]
    videos: tuple[VideoEntry, ...]
    left_out: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()

    @property
    def live(self) -> tuple[str, ...]:
        """Cameras and addresses among the videos."""
        return tuple(video for video in self.videos if isinstance(video, str) and video != STANDARD_INPUT)


def sort_sources(sources: Sequence[str], fps: float | None = None) -> Sources:
    """Files, folders, patterns and addresses, sorted into pictures and videos, each once, in the order given.

    Args:
        sources: see `Search.expand`; besides the number of a webcam (unless a file has that name), an address, ``-``.
            An http(s) address is a picture when its suffix says so, or when there is no suffix of a video and the
            server says so.
        fps: not None: the pictures of each folder or pattern are the frames of one video, in the order of the numbers
            in their names; pictures that are named one by one are the frames of another, in the order given.

    Raises:
        InputError: nothing is found.
        UsageError: a name is empty, as an unset variable of a shell is.
    """
    if "" in sources:
        raise UsageError("a source is empty: name a file, a folder or an address")
    search = Search()
    named = [source for source in sources if not _is_live(source)]
    elsewhere = list(dict.fromkeys(source for source in sources if _is_live(source)))
    addresses = [source for source in elsewhere if _is_picture_address(source)]
    live = [source for source in elsewhere if source not in addresses]
    if fps is not None:
        found, videos = _sequences(search, named)
    else:
        entries = search.expand(named) if named or not elsewhere else []
        videos = [entry for entry in entries if isinstance(entry, Path) and _moves(entry)]
        moving = set(videos)  # of a million files a list would be searched for each
        found = [entry for entry in entries if entry not in moving]
    folders = searched_folders(named)
    return Sources((*found, *addresses), (*videos, *live), tuple(search.left_out()), folders)


def _sequences(search: Search, named: Sequence[str]) -> tuple[list[EmptySource | Path], list[VideoEntry]]:
    """What was found empty, and videos."""
    empty: list[EmptySource | Path] = []
    videos: list[VideoEntry] = []
    single: list[Path] = []
    for source in named:
        found = search.expand([source])
        paths = [entry for entry in found if isinstance(entry, Path)]
        moving = {path for path in paths if _moves(path)}  # of the frames of a film a list would be searched for each
        pictures = [path for path in paths if path not in moving]
        videos += [path for path in paths if path in moving]
        empty += [entry for entry in found if isinstance(entry, EmptySource)]
        if pictures == [Path(source)]:
            (single if pictures[0].exists() else empty).extend(pictures)
        elif pictures:
            videos.append(tuple(sorted(pictures, key=_counted)))
    if single:
        videos.append(tuple(single))
    return empty, videos


def _is_picture_address(source: str) -> bool:
    if not source.lower().startswith(("http://", "https://")):
        return False
    try:
        name = suffix(urlsplit(source).path)
    except ValueError:  # a bracket that is not closed: to be told like one that cannot be fetched
        return True
    if name in PICTURE_SUFFIXES or name in UNREAD:
        return True
    if name in VIDEO_SUFFIXES | _STREAM_SUFFIXES:
        return False
    from mien.media.fetch import is_picture_there  # which imports much that files do without

    return is_picture_there(source)


def _moves(path: Path) -> bool:
    return is_video(path) or is_animation(path) or is_video_file(path)


def _counted(path: Path) -> list[tuple[int, str]]:
    """A key that sorts shot-2 before shot-10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", str(path))]


def _is_live(source: str) -> bool:
    return source == STANDARD_INPUT or is_address(source) or (is_camera(source) and not Path(source).exists())
