"""Pictures and videos searched for in folders and by patterns; what is left out is counted and can be said."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from mien.errors import InputError
from mien.media.kinds import SORTED_FILE, is_own, looks_like_one

_WILDCARDS: Final = frozenset("*?[")
_ANY_DEPTH: Final = "**"


@dataclass(frozen=True, slots=True)
class EmptySource:
    """A folder or glob pattern in which nothing is found, or that cannot be searched.

    Args:
        source: the folder or pattern.
        error: one line that says so.
    """

    source: str
    error: str


class Search:
    """Looks for pictures and videos, and keeps count of what it leaves out.

    What mien wrote it does not read back: files whose name has ``.mien.`` in it or that carry `mien.media.kinds.MARK`
    are left out of folders and patterns, and where files are named, beside others that mien did not write.
    """

    def __init__(self) -> None:
        self._own: list[Path] = []
        self._hidden: list[Path] = []
        self._hidden_folders: list[Path] = []
        self._sorted: list[Path] = []
        self._repeated: list[Path] = []
        self._dangling: list[Path] = []

    def expand(self, sources: Sequence[str]) -> list[Path | EmptySource]:
        """The files that files, folders and glob patterns name, each once, in the order given.

        Folders are searched to the bottom, but for hidden ones, and their files sorted by path. Links to folders are
        followed, each folder once. Every file that looks like a picture or a video is found
        (`mien.media.kinds.looks_like_one`). A file that is named but missing stays in the list, so that reading it
        reports it; an `EmptySource` stands for a folder or pattern without any, for a folder that cannot be searched,
        and for a pipe, socket or device.

        Raises:
            InputError: there is not one file.
        """
        found = self._each_once(entry for source in sources for entry in self._expand(source))
        found = self._without_own_beside_others(found)
        empty = [entry.error for entry in found if isinstance(entry, EmptySource)]
        if len(empty) == len(found):
            raise InputError("; ".join(empty) or "no sources: expected pictures, videos, folders or patterns")
        return found

    def left_out(self) -> list[str]:
        """A line for each kind of files that were left out, with their number."""
        said = (
            (self._own, "file", "made by mien", "; name it alone to read it"),
            (self._hidden, "file", "hidden", ""),
            (self._hidden_folders, "folder", "hidden", "; name it to read it"),
            (self._sorted, "folder", "sorted by mien", "; name it to read it"),
            (self._repeated, "file", "found before", ""),
            (self._dangling, "file", "links to nothing", ""),
        )
        return [left_out_line(list(dict.fromkeys(map(str, paths))), *words) for paths, *words in said if paths]

    def _expand(self, source: str) -> Sequence[Path | EmptySource]:
        path = Path(source)
        try:
            if path.is_dir():
                return self._searched(path) or [self._nothing(path)]
            if path.exists() or not _WILDCARDS.intersection(source):
                return [path]
        except OSError:  # a name too long, a folder that must not be entered: reading it reports it
            return [path]
        before = len(self._own)
        matches = self._without_own(self._matches(source))
        found = [entry for match in matches for entry in self._matched(match)]
        own = len(self._own) - before
        beside = f" but {own} that mien wrote" if own else ""
        return found or [EmptySource(str(path), f"{path}: no picture or video matches this pattern{beside}")]

    def _matched(self, path: Path) -> Sequence[Path | EmptySource]:
        return self._searched(path) if os.path.isdir(path) else [_no_file(path) or path]  # noqa: PTH112 - as in `_is_link`

    def _each_once(self, entries: Iterable[Path | EmptySource]) -> list[Path | EmptySource]:
        """The entries without what is the same as one before, however it is written."""
        kept: dict[str | EmptySource, Path | EmptySource] = {}
        for entry in entries:
            first = kept.setdefault(os.path.realpath(entry) if isinstance(entry, Path) else entry, entry)
            if isinstance(entry, Path) and entry != first:
                self._repeated.append(entry)
        return list(kept.values())

    def _nothing(self, folder: Path) -> EmptySource:
        own = sum(folder in path.parents for path in self._own)
        beside = f" but {own} that mien wrote" if own else ""
        looked = "looked for *.jpg, *.png, *.mp4, ..."
        return EmptySource(str(folder), f"{folder}: no pictures or videos in this folder{beside} ({looked})")

    def _matches(self, pattern: str) -> list[Path]:
        """What a pattern matches, each file once, sorted."""
        parts = Path(pattern).parts
        if _ANY_DEPTH not in parts:
            return sorted(map(Path, glob.glob(pattern)))  # noqa: PTH207 - absolute patterns
        start = parts.index(_ANY_DEPTH)
        folders = glob.glob(str(Path(*parts[:start]))) if start else ["."]  # noqa: PTH207 - likewise
        found = (path for folder in sorted(folders) for path in self._at_any_depth(Path(folder), parts[start:]))
        return sorted(self._once(sorted(found, key=lambda path: (_is_link(path), path)), set()))

    def _at_any_depth(self, folder: Path, patterns: Sequence[str]) -> Iterator[Path]:
        """The files below a folder that fit patterns, and the pictures and videos in folders that do.

        `glob` would follow links around a loop; with several loops it would not come to an end.
        """
        for path in self._walked(folder) if folder.is_dir() else ():
            if isinstance(path, EmptySource):
                continue
            parts = path.relative_to(folder).parts
            if path.name.startswith("."):
                continue
            fits = _fits(parts, patterns) and patterns[-1] != _ANY_DEPTH
            below = any(_fits(parts[:end], patterns) for end in range(len(parts)))
            if fits or (below and self._is_wanted(path)):
                yield path

    def _searched(self, root: Path) -> list[Path | EmptySource]:
        """The pictures and videos below a folder, sorted by path; then what could not be searched."""
        walked = list(self._walked(root))
        closed = [entry for entry in walked if isinstance(entry, EmptySource)]
        wanted = [path for path in sorted(_paths(walked)) if self._is_wanted(path)]
        closed += filter(None, map(_no_file, wanted))
        files = [path for path in wanted if _no_file(path) is None]
        plain, links = [path for path in files if not _is_link(path)], [path for path in files if _is_link(path)]
        links = self._once(links, {os.path.realpath(path) for path in plain})
        return [*sorted(self._without_own([*plain, *links])), *closed]

    def _walked(self, root: Path) -> Iterator[Path | EmptySource]:
        """The files below a folder that is not to be left out, and the folders that cannot be read."""
        return _walk(root, self._repeated, self._hidden_folders, self._sorted)

    def _is_wanted(self, path: Path) -> bool:
        if not looks_like_one(path):
            if _is_link(path) and not os.path.exists(path):  # noqa: PTH110 - as in `_is_link`
                self._dangling.append(path)
            return False
        if path.name.startswith("."):
            self._hidden.append(path)
            return False
        return True

    def _once(self, paths: Sequence[Path], seen: set[str]) -> list[Path]:
        """Those that are not the same file as one that was seen, or as one before."""
        kept: list[Path] = []
        for path in paths:
            real = os.path.realpath(path)
            (self._repeated if real in seen else kept).append(path)
            seen.add(real)
        return kept

    def _without_own(self, paths: Sequence[Path]) -> list[Path]:
        own = {path for path in paths if is_own(path)}
        self._own += [path for path in paths if path in own]
        return [path for path in paths if path not in own]

    def _without_own_beside_others(self, found: list[Path | EmptySource]) -> list[Path | EmptySource]:
        """A shell has expanded ``*.jpg`` to names, those of annotated copies too: only alone such a file is meant."""
        own = {entry for entry in found if isinstance(entry, Path) and is_own(entry)}
        if not own or all(entry in own for entry in found):
            return found
        self._own += [entry for entry in found if entry in own and isinstance(entry, Path)]
        return [entry for entry in found if entry not in own]


def searched_folders(sources: Iterable[str]) -> tuple[Path, ...]:
    """The folders that are searched where folders and patterns are named: those themselves, and what stands before the
    first wildcard.
    """
    folders: list[Path] = []
    for source in sources:
        path = Path(source)
        if os.path.isdir(path):  # noqa: PTH112 - false, and no error, where a name is too long
            folders.append(path)
        elif not os.path.exists(path) and _WILDCARDS.intersection(source):  # noqa: PTH110 - likewise
            wild = next(number for number, part in enumerate(path.parts) if _WILDCARDS.intersection(part))
            folders.append(Path(*path.parts[:wild]))
    return tuple(folders)


def _fits(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    """Whether a relative path fits a pattern, both split into parts; ``**`` stands for any number of folders."""
    if not patterns:
        return not parts
    first, *rest = patterns
    if first == _ANY_DEPTH:
        return any(_fits(parts[start:], rest) for start in range(len(parts) + 1))
    return bool(parts) and fnmatch(parts[0], first) and _fits(parts[1:], rest)


def _paths(entries: Iterable[Path | EmptySource]) -> Iterator[Path]:
    return (entry for entry in entries if isinstance(entry, Path))


def _is_link(path: Path) -> bool:
    return os.path.islink(path)  # noqa: PTH114 - false, and no error, in a folder that must not be entered


def _no_file(path: Path) -> EmptySource | None:
    """What is said of something that was found and is no file: opening a pipe would wait for whoever writes to it."""
    if os.path.isfile(path) or not os.path.exists(path):  # noqa: PTH110, PTH113 - as in `_is_link`
        return None
    return EmptySource(str(path), f"{path}: a pipe, socket or device, not a file; name it to read it")


def _walk(
    root: Path, repeated: list[Path], hidden: list[Path], sorted_ones: list[Path]
) -> Iterator[Path | EmptySource]:
    """The files below a folder, and the folders that cannot be read. Links to folders are followed after all others, to
    each folder once; those that lead back, or into what encloses the root, are noted instead, and hidden ones and those
    that mien sorted pictures into, too.
    """
    seen = {_identity(folder) for folder in (root, *root.resolve().parents)}
    pending, links = [root], list[Path]()
    while pending or links:
        folder = pending.pop() if pending else links.pop(0)
        if folder != root and _identity(folder) in seen:
            repeated.append(folder)
            continue
        seen.add(_identity(folder))
        if folder != root and os.path.exists(folder / SORTED_FILE):  # noqa: PTH110 - as in `_is_link`
            sorted_ones.append(folder)
            continue
        try:
            for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
                path = folder / entry.name
                if _is_folder(entry):
                    (hidden if entry.name.startswith(".") else links if entry.is_symlink() else pending).append(path)
                else:
                    yield path
        except OSError as error:
            yield EmptySource(str(folder), f"{folder}: cannot be searched ({error.strerror or error})")


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _identity(folder: Path) -> tuple[int, int] | str:
    try:
        found = folder.stat()
    except OSError:  # searching it says so
        return str(folder)
    return found.st_dev, found.st_ino


def left_out_line(paths: Sequence[str], noun: str, what: str, mend: str = "") -> str:
    """A line that says how many files or folders were left out, and the first one's path.

    Args:
        paths: at least one.
        noun: what they are, such as ``file``.
        what: why they were left out, such as ``hidden``.
        mend: what to do about it.
    """
    count = f"1 {noun}" if len(paths) == 1 else f"{len(paths)} {noun}s"
    return f"left out {count}, {what}: {paths[0]}{', ...' if len(paths) > 1 else ''}{mend}"
