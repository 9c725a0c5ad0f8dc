"""Sinks: where results go, several as one, and one for every video."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, Self

from mien.errors import MienError, SinkError
from mien.output.recognized import Recognized
from mien.results import Frame

log: Final = logging.getLogger("mien")


class Sink(ABC):
    """Takes results as they come. One of your own is a subclass with `add`, and `close` if it has something to finish.

    A context manager: leaving it closes it.
    """

    @abstractmethod
    def add(self, recognized: Recognized) -> None:
        """Take the next result; its `frame.error` says why an image could not be read."""

    def close(self) -> Sequence[Path]:
        """Finish; the files that were written."""
        return ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            self.close()
        except MienError as failure:
            if error is None:
                raise
            log.error("%s", failure)  # what ended the block is the error that its caller must see


class Sinks(Sink):
    """Several sinks as one. One that fails is closed and gets no more; recognition and the others go on.

    A reader of standard output that has gone (`BrokenPipeError`) is not a failure of a sink: it ends everything.

    Args:
        sinks: get every result in this order.
    """

    def __init__(self, sinks: Iterable[Sink]) -> None:
        self._sinks = list(sinks)
        self._paths: list[Path] = []
        self._failures: list[str] = []

    @property
    def alive(self) -> bool:
        """Whether one of them still takes results."""
        return bool(self._sinks)

    def add(self, recognized: Recognized) -> None:
        for sink in tuple(self._sinks):
            if not self._tried(sink, partial(sink.add, recognized)):
                self._close(sink)

    def close(self) -> Sequence[Path]:
        """Finish every sink; the files that were written.

        Raises:
            SinkError: one failed, now or before; it names all that did, and the files of the others.
        """
        while self._sinks:
            self._close(self._sinks[0])
        if self._failures:
            raise SinkError(self._failures, self._paths)
        return self._paths

    def _close(self, sink: Sink) -> None:
        self._sinks.remove(sink)
        self._tried(sink, lambda: self._paths.extend(sink.close()))

    def _tried(self, sink: Sink, action: Callable[[], None]) -> bool:
        try:
            action()
        except BrokenPipeError:
            if not [other for other in self._sinks if other is not sink]:
                raise
            self._note(["standard output: its reader has gone"])
            return False
        except SinkError as error:  # it said so when it happened
            self._paths += error.paths
            self._note(error.failures)
            return False
        except Exception as error:  # a sink of somebody else may raise anything
            failure = str(error) if isinstance(error, MienError) else f"{type(sink).__name__}: {error!r}"
            if failure not in self._failures:  # one that fails again when it is closed has said so
                log.error("%s", failure)
            self._note([failure])
            return False
        return True

    def _note(self, failures: Iterable[str]) -> None:
        self._failures += [failure for failure in failures if failure not in self._failures]


class PerVideo(Sink):
    """A sink of its own for every video; pictures, and frames that could not be read, are passed over.

    A video that fails keeps no other from being taken.

    Args:
        begin: makes the sink of a video from its first frame.
        together: names of the sources whose frames come by turns, since they are read side by side.
    """

    def __init__(self, begin: Callable[[Frame], Sink], together: Collection[str] = ()) -> None:
        self._begin, self._together = begin, frozenset(together)
        self._open: dict[str, Sinks] = {}
        self._last: dict[str, int] = {}
        self._paths: list[Path] = []
        self._failures: list[str] = []

    def add(self, recognized: Recognized) -> None:
        frame = recognized.frame
        if frame.error is not None or frame.time is None:
            return
        if frame.index <= self._last.get(frame.source, -1):
            self._finish(frame.source)
        for source in set(self._open) - self._together - {frame.source}:
            self._finish(source)
        if frame.source not in self._open:
            self._open[frame.source] = Sinks(self._begun(frame))
        self._last[frame.source] = frame.index
        self._open[frame.source].add(recognized)

    def close(self) -> Sequence[Path]:
        """Finish the videos that are still open; the files of all of them.

        Raises:
            SinkError: something could not be written; it names the files that could.
        """
        for source in tuple(self._open):
            self._finish(source)
        if self._failures:
            raise SinkError(self._failures, self._paths)
        return self._paths

    def _begun(self, frame: Frame) -> list[Sink]:
        try:
            return [self._begin(frame)]
        except MienError as error:
            log.error("%s", error)
            self._failures.append(str(error))
            return []

    def _finish(self, source: str) -> None:
        current = self._open.pop(source, None)
        self._last.pop(source, None)
        try:
            self._paths += current.close() if current is not None else ()
        except SinkError as error:
            self._paths += error.paths
            self._failures += error.failures


def finished(endings: Iterable[Callable[[], Path]]) -> list[Path]:
    """The files that several calls write, each named on the logger; one that fails keeps no other from being written.

    Raises:
        SinkError: one could not be written.
    """
    paths: list[Path] = []
    failures: list[str] = []
    for ending in endings:
        try:
            paths.append(said(ending()))
        except MienError as error:
            log.error("%s", error)
            failures.append(str(error))
    if failures:
        raise SinkError(failures, paths)
    return paths


def said(path: Path) -> Path:
    """The same path, named on the logger as saved."""
    log.info("saved %s", path)
    return path
