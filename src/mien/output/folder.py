"""A folder for results: how they are named, and annotated pictures, one for every source."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from mien.errors import InputError, SinkError
from mien.files import made_folder, shortened_name, write_text
from mien.media.kinds import SORTED_FILE
from mien.media.video_source import is_address
from mien.output.drawing_options import DrawingOptions
from mien.output.picture_file import JPEG_SUFFIXES, write_picture
from mien.output.recognized import Recognized
from mien.output.sink import Sink, finished, log, said
from mien.results import Header
from mien.toml_json import to_json

HEADER_FILE: Final = "results.mien.json"
"""Says what the annotated pictures of a folder come from."""

_LONGEST_STEM: Final = 220
"""Bytes of a source's name that are taken over, so that what is added to it fits into a name."""


class Names:
    """Names in a folder, never those of a source, and none twice, not even in capitals: ``party.jpg`` becomes
    ``party.mien.jpg``, a second one ``party-2.mien.jpg``; ``clip.mp4`` becomes ``clip.mien``, to which suffixes are
    added. What an earlier run saved is replaced. The subfolders of a searched folder are kept: they are made when
    something is named in them.

    Args:
        folder: is made when it is not there.
        sources: every file that may be saved under a name of its own, so that none is ever overwritten.
        searched: folders whose subfolders are kept.

    Raises:
        InputError: a folder cannot be made, now or when something is named in it.
    """

    def __init__(self, folder: Path, sources: Iterable[Path] = (), searched: Sequence[Path] = ()) -> None:
        self.folder, self._searched = made_folder(folder, InputError), searched
        about = (self.folder / HEADER_FILE, self.folder / SORTED_FILE)
        self._taken = {_same(path) for path in (*sources, *about)}

    def picture(self, source: str) -> Path:
        """For the annotated copy of a picture: JPEG for what came as JPEG, else PNG."""
        path = _picture_path(source)
        suffix = path.suffix.lower()
        suffix = suffix if suffix in JPEG_SUFFIXES else ".png"
        base = self._free(self._within(path), path.stem, ".mien", suffix)
        return base.with_name(f"{base.name}{suffix}")

    def explained(self, source: str) -> Path:
        """For the explained faces of a picture, and for their JSON: without suffix."""
        path = _picture_path(source)
        return self._free(self._within(path), path.stem, ".explained.mien", ".png", ".json")

    def video(self, source: str) -> Path:
        """For what is saved of a video, without suffix."""
        path = Path(source)
        if path.is_file():
            return self._free(self._within(path), path.stem, ".mien", ".mp4", ".json")
        return self._free(self.folder, re.sub(r"\W+", "-", source).strip("-") or "video", ".mien", ".mp4", ".json")

    def _within(self, source: Path) -> Path:
        """The folder for what is saved of a file: as far below this one as the file is below the folder that was
        searched.
        """
        root = next((folder for folder in self._searched if folder in source.parents), source.parent)
        below = source.parent.relative_to(root)
        if below == Path() or ".." in below.parts:
            return self.folder
        return made_folder(self.folder / below, InputError)

    def _free(self, folder: Path, stem: str, mark: str, *suffixes: str) -> Path:
        """A path without suffix at which none of the files with these suffixes is taken; they are from now on."""
        stem = shortened_name(stem, _LONGEST_STEM)
        for number in count(1):
            base = folder / f"{stem}{f'-{number}' if number > 1 else ''}{mark}"
            files = {_same(base.with_name(f"{base.name}{suffix}")) for suffix in suffixes}
            if self._taken.isdisjoint(files):
                break
        self._taken |= files
        return base


def _picture_path(source: str) -> Path:
    """A path that is called like a picture, which may be an address."""
    if is_address(source):
        source = re.sub(r"[^\w.]+", "-", urlsplit(source).path.rpartition("/")[2]).strip("-.") or "picture"
    return Path(source)


def _same(path: Path) -> str:
    """What two paths share that are one file where file systems ignore case or how an accent is encoded."""
    return unicodedata.normalize("NFC", str(path.absolute()).casefold())


class AnnotatedPictures(Sink):
    """Annotated copies of pictures, and a file that says what they come from. One that cannot be written keeps no other
    from being written. Frames of videos, and pictures that could not be read, are passed over.

    Args:
        names: of the files.
        drawing: what is drawn.
    """

    def __init__(self, names: Names, drawing: DrawingOptions | None = None) -> None:
        self._names, self._drawing = names, drawing or DrawingOptions()
        self._paths: list[Path] = []
        self._failures: list[str] = []
        self._header: Header | None = None

    def add(self, recognized: Recognized) -> None:
        frame = recognized.frame
        if recognized.image is None or frame.time is not None:
            return
        self._header = frame.header or self._header
        try:
            target = self._names.picture(frame.source)
            self._paths.append(said(write_picture(target, recognized.annotated(**self._drawing))))
        except InputError as error:
            log.error("%s", error)
            self._failures.append(str(error))

    def close(self) -> Sequence[Path]:
        """The files that were written.

        Raises:
            SinkError: one could not be written.
        """
        if self._header is not None and self._paths:
            text = to_json(self._header.to_dict())
            self._paths += finished([partial(write_text, self._names.folder / HEADER_FILE, text, InputError)])
        if self._failures:
            raise SinkError(self._failures, self._paths)
        return self._paths
