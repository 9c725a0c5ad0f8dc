"""What the child processes of a job do: read one input, find the faces in it."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mien.errors import InputError, MienError
from mien.jobs.inputs import Input
from mien.jobs.manifest import Kind
from mien.jobs.stores import address_of, copied, is_store, read_bytes
from mien.media.open_video import open_video
from mien.media.search import EmptySource
from mien.media.sources import PictureEntry, VideoEntry
from mien.media.video_source import is_address
from mien.recognition.finder import Finder, MakeFinder
from mien.recognition.pictures import failed_picture, search, search_picture
from mien.recognition.pipeline import Searched
from mien.recognition.video import StreamOptions, search_video

END: Final = "end"
"""The last result of an input that was read."""

ALIVE: Final = "alive"
"""A result that only says that a download goes on."""


@dataclass(frozen=True, slots=True)
class Reading:
    """An input to read.

    Args:
        kind: see `mien.jobs.manifest.Part`.
        inputs: a picture, a video, or the pictures of a sequence.
    """

    kind: Kind
    inputs: tuple[Input, ...]

    @property
    def source(self) -> PictureEntry | VideoEntry:
        """The input as predicting takes it."""
        first = self.inputs[0]
        if len(self.inputs) > 1:
            return tuple(Path(image.path) for image in self.inputs)
        if first.error is not None:
            return EmptySource(first.path, first.error)
        return first.path if is_address(first.path) else Path(first.path)

    @property
    def name(self) -> str:
        """What results call it."""
        if len(self.inputs) > 1:
            return str(Path(self.inputs[0].path).parent)
        path = self.inputs[0].path
        return address_of(path).name if is_store(path) else path


@dataclass(frozen=True, slots=True)
class MakeReader:
    """Makes what a child process does with an input.

    Args:
        make: makes its finder.
        options: how videos are read.
        folder: below which relative paths are.
        stores: an address for each object store that is read, so that it is opened before memory is limited.
    """

    make: MakeFinder
    options: StreamOptions
    folder: str
    stores: Sequence[str] = ()

    def __call__(self) -> Callable[[Reading], Iterator[Any]]:
        """What a child process does with a `Reading`: results, of pictures one, then `END`."""
        with suppress(OSError):  # it is not there on this machine: all paths are absolute then, or not found
            os.chdir(self.folder)
        for store in self.stores:
            _ = address_of(store).system
        finder, options = self.make(), self.options

        def read(task: Reading) -> Iterator[Any]:
            if task.kind == "pictures":
                yield _picture(finder, task)
            else:
                yield from _video(finder, task, options)
            yield END

        return read


def _picture(finder: Finder, task: Reading) -> Searched:
    source = task.source
    try:
        _refuse_changed(task)
        if isinstance(source, str) and is_store(source):
            content = read_bytes(address_of(source))
            return search(finder, task.name, content, keep_image=False)
    except MienError as error:
        return _failed(task, error)
    assert not isinstance(source, tuple)
    return search_picture(finder, source, keep_image=False)


def _failed(task: Reading, error: MienError) -> Searched:
    """A picture that could not be read, named in its error."""
    said = str(error)
    return failed_picture(EmptySource(task.name, said), said if task.name in said else f"{task.name}: {said}")


def _video(finder: Finder, task: Reading, options: StreamOptions) -> Iterator[Any]:
    _refuse_changed(task)
    source = task.source
    assert not isinstance(source, EmptySource)
    if isinstance(source, str) and is_store(source):
        yield from _stored_video(finder, task, options)
    else:
        yield from search_video(finder, source, options, keep_images=False)


def _stored_video(finder: Finder, task: Reading, options: StreamOptions) -> Iterator[Any]:
    """A video of an object store, which is copied first: reading it needs to seek."""
    address = address_of(task.inputs[0].path)
    folder = Path(tempfile.mkdtemp(prefix="mien-"))
    copy = folder / f"copy{Path(address.key).suffix}"
    try:
        with copy.open("wb") as file:
            for _ in copied(address, file):
                yield ALIVE
        opened = open_video(copy, options.fps)
        opened.name = task.name
        yield from search_video(finder, opened, options, keep_images=False)
    except MienError as error:
        raise type(error)(str(error).replace(str(copy), task.name)) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _refuse_changed(task: Reading) -> None:
    """Refuse a file that is no longer what it was when the job began.

    Raises:
        InputError: it has changed, or is gone.
    """
    for entry in task.inputs:
        if entry.error is None and not is_address(entry.path) and (now := Input.of_file(Path(entry.path))) != entry:
            raise InputError(f"{entry.path}: {'gone' if now.size is None else 'changed'} since the job began")
