"""The inputs of a job: which pictures and videos there are, and the size and time by which a change is seen."""

import glob
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from mien.errors import InputError, UsageError
from mien.jobs.lists import is_list, listed
from mien.jobs.stores import Address, address_of, is_store, reading_store
from mien.media.kinds import PICTURE_SUFFIXES, UNREAD, has_own_name, suffix
from mien.media.search import EmptySource, left_out_line
from mien.media.sources import PictureEntry, VideoEntry, sort_sources
from mien.media.video_source import VIDEO_SUFFIXES, without_password


@dataclass(frozen=True, slots=True)
class Input:
    """A picture, a video or an image of a sequence, as it was when the job began.

    Args:
        path: as it was asked for; an address for what lies elsewhere.
        size: bytes; None where there is no file.
        modified: nanoseconds since 1970; None likewise.
        error: why there is nothing to read: a folder without pictures, for example.
    """

    path: str
    size: int | None = None
    modified: int | None = None
    error: str | None = None

    @classmethod
    def of_file(cls, path: Path) -> "Input":
        """As the file is now."""
        try:
            found = path.stat()
        except (OSError, ValueError):
            return cls(str(path))
        return cls(str(path), found.st_size, found.st_mtime_ns)

    def to_list(self) -> list[Any]:
        """JSON-ready values."""
        values = [self.path, self.size, self.modified]
        return values if self.error is None else [*values, self.error]


@dataclass(slots=True)
class Inputs:
    """What a job is to read.

    Args:
        pictures: one by one.
        videos: files, and sequences of pictures.
        left_out: a line for each kind of files that were found and left out.
    """

    pictures: list[Input] = field(default_factory=list)
    videos: list[tuple[Input, ...]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def find_inputs(sources: Sequence[str], fps: float | None = None) -> Inputs:
    """The inputs that files, folders, patterns, lists and addresses of object stores name, each once.

    Args:
        sources: see `mien.media.sources.sort_sources` and `mien.jobs.lists`.
        fps: not None: pictures of each source are the frames of one video.

    Raises:
        InputError: nothing is found, or a list or store cannot be read.
        UsageError: a camera or stream, whose pictures cannot be had again.
    """
    named = [entry for source in sources for entry in (listed(source) if is_list(source) else [source])]
    here = [source for source in named if not is_store(source)]
    inputs = Inputs()
    if here or not named:
        found = sort_sources(here, fps)
        inputs.pictures += map(_picture, found.pictures)
        inputs.videos += map(_video, found.videos)
        inputs.left_out += found.left_out
    elsewhere = [address_of(source) for source in dict.fromkeys(source for source in named if is_store(source))]
    if elsewhere:
        _add_stored(inputs, elsewhere, fps)
    return inputs


def _picture(entry: PictureEntry) -> Input:
    if isinstance(entry, EmptySource):
        return Input(entry.source, error=entry.error)
    if isinstance(entry, Path):
        return Input.of_file(entry)
    if entry != without_password(entry):
        raise UsageError(f"{without_password(entry)}: leave the password out, the manifest would keep it")
    return Input(entry)


def _video(entry: VideoEntry) -> tuple[Input, ...]:
    if isinstance(entry, str):
        raise UsageError(f"{without_password(entry)}: a live source is no input of a job; leave out --resume")
    return tuple(Input.of_file(path) for path in ([entry] if isinstance(entry, Path) else entry))


def _add_stored(inputs: Inputs, addresses: Sequence[Address], fps: float | None) -> None:
    """The pictures and videos that addresses name: files, patterns, or all below a folder."""
    files: dict[str, Input] = {}
    for (address, info), found in ((pair, _files(*pair)) for pair in _looked_up(addresses)):
        before = len(files)
        files |= {file.path: file for file in sorted(found, key=lambda file: file.path) if file.path not in files}
        if len(files) == before and str(address) not in files:
            files[str(address)] = _nothing(address, info)
    if all(file.error for file in files.values()) and not (inputs.pictures or inputs.videos):
        raise InputError("; ".join(file.error or "" for file in files.values()))
    own = [path for path in files if has_own_name(PurePosixPath(path).name)]
    if own and len(own) < len(files):
        inputs.left_out.append(left_out_line(own, "file", "made by mien"))
        for path in own:
            del files[path]
    if fps is not None:
        raise UsageError(f"{addresses[0].name}: --fps takes pictures of folders, not of object stores")
    for file in files.values():
        is_video = file.error is None and suffix(address_of(file.path).key) in VIDEO_SUFFIXES
        inputs.videos.append((file,)) if is_video else inputs.pictures.append(file)


def _nothing(address: Address, info: Any) -> Input:
    """What is said of an address that names no picture or video."""
    from pyarrow import fs

    what = "no such file" if info.type == fs.FileType.NotFound and not glob.has_magic(address.key) else "no pictures"
    return Input(address.name, error=f"{address.name}: {what} (looked for *.jpg, *.png, *.mp4, ...)")


def _looked_up(addresses: Iterable[Address]) -> Iterator[tuple[Address, Any]]:
    """What each address is, asked together for all of a store."""
    stores: dict[tuple[str, str, str], list[Address]] = {}
    for address in addresses:
        stores.setdefault((address.scheme, address.place, address.query), []).append(address)
    for group in stores.values():
        with reading_store(group[0].name):
            system, _ = group[0].system
            infos = system.get_file_info([address.system[1] for address in group])
        yield from zip(group, infos, strict=True)


def _files(source: Address, found: Any) -> Iterator[Input]:
    """The files that an address names, which was found to be a file or something else."""
    from pyarrow import fs

    pattern = source.key if glob.has_magic(source.key) else None
    if found.type == fs.FileType.File:
        yield _stored(source, source.key, found)
    elif found.type == fs.FileType.Directory or pattern:
        yield from _below(source, pattern)


def _below(source: Address, pattern: str | None) -> Iterator[Input]:
    """The pictures and videos below a folder, or those that fit a pattern."""
    from pyarrow import fs

    with reading_store(source.name):
        system, path = source.system
        folder = str(PurePosixPath(*_plain_parts(source.key))) if pattern else source.key
        base = path[: len(path) - len(source.key.rstrip("/"))]
        selector = fs.FileSelector(base + folder.strip("/") or base, allow_not_found=True, recursive=True)
        infos = system.get_file_info(selector)
    for info in infos:
        key = info.path[len(base) :].lstrip("/")
        if info.type == fs.FileType.File and _is_wanted(key, pattern):
            yield _stored(source, key, info)


def _plain_parts(key: str) -> Iterable[str]:
    """The folders before the first pattern."""
    for part in PurePosixPath(key).parts[:-1]:
        if glob.has_magic(part):
            return
        yield part


def _is_wanted(key: str, pattern: str | None) -> bool:
    if any(part.startswith(".") for part in PurePosixPath(key).parts):
        return False
    if pattern is not None and not _fits(key, pattern):
        return False
    name = suffix(key)
    return name in PICTURE_SUFFIXES | VIDEO_SUFFIXES or name in UNREAD


def _fits(key: str, pattern: str) -> bool:
    """Whether a key fits a pattern; ``**`` stands for any number of folders, ``*`` for a name."""
    if "**" in pattern:
        return fnmatchcase(key, pattern.replace("**/", "*"))
    parts, wanted = key.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))


def _stored(source: Address, key: str, info: Any) -> Input:
    address = Address(source.scheme, source.place, key, source.query)
    return Input(str(address), info.size, info.mtime_ns)
