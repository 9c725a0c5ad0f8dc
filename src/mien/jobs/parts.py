"""From the parts of a job to their files: inputs are read by child processes, so that none can hurt another."""

import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Self

from mien.defaults import JOB_SECONDS
from mien.errors import MienError, WorkerError
from mien.jobs.accounts import ACCOUNT, Account
from mien.jobs.manifest import Part
from mien.jobs.place import Place, part_file
from mien.jobs.reading import ALIVE, END, MakeReader, Reading
from mien.output.recognized import Recognized
from mien.output.write_rows import Parquet
from mien.recognition.everything import whole_video
from mien.recognition.parallel import ISOLATED
from mien.recognition.pictures import failed_picture, recognize_searched
from mien.recognition.pipeline import Searched
from mien.recognition.recognizer import Recognizer
from mien.recognition.video import StreamOptions, recognize_images
from mien.worker_process import Bounds, Failed
from mien.workers import Workers


class EndedError(Exception):
    """Nobody wants the part any more."""


class _AgainError(Exception):
    """A video's process died; there is another try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """All that is needed to do parts, anywhere; picklable.

    Args:
        place: where the job lies.
        recognizer: what finds and classifies the faces.
        options: how videos are recognised.
        folder: below which relative paths are.
        stores: an address for each object store that is read.
        seconds: time limit of a picture, or of the next frame of a video.
    """

    place: Place
    recognizer: Recognizer
    options: StreamOptions
    folder: str
    stores: tuple[str, ...] = ()
    seconds: float = JOB_SECONDS

    @property
    def bounds(self) -> Bounds:
        """Hard limits of each input."""
        return replace(ISOLATED, result_seconds=self.seconds)


class PartWorker:
    """Does parts, one after the other, with a child process that reads. A context manager, which ends it.

    Args:
        work: what to do.
        share: how many such workers share this machine's threads.
    """

    def __init__(self, work: Work, share: int = 1) -> None:
        self._work, self._pipeline = work, work.recognizer.pipeline
        self._header = work.recognizer.header.with_options(**work.options.to_dict())
        make = MakeReader(work.recognizer.finder(share), work.options, work.folder, work.stores)
        self._pool = Workers(make, 1, work.bounds)
        self._closed = False

    def account(self, part: Part) -> Account:
        """Do a part; its account once its file is there.

        Raises:
            WorkerError: child processes do not start.
            UsageError: the file cannot be written.
            EndedError: the worker was closed meanwhile, by another thread.
        """
        with closing(self._pool.results(_readings(part))) as results:
            account = self._done(part, results)
            for _ in results:  # to its end, or the child process is ended too
                pass
        return account

    def close(self) -> None:
        """End the child process; what is being done is abandoned. Any thread may."""
        self._closed = True
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check(self) -> None:
        """Tell a child process that died from one that was ended.

        Raises:
            EndedError: it was ended.
        """
        if self._closed:
            raise EndedError

    def _done(self, part: Part, results: Iterator[tuple[Any, Any]]) -> Account:
        started = time.time()
        if part.kind == "pictures":
            searched = (self._searched(task, results) for task in _readings(part))
            return self._written(part, recognize_searched(self._pipeline, searched, self._work.options.batch), started)
        (task,) = _readings(part)
        try:
            return self._written(part, self._video(task, _first_try(results)), started)
        except _AgainError:
            self._check()
            return self._written(part, self._video(task, self._last_try(task)), started)

    def _searched(self, task: Reading, results: Iterator[tuple[Any, Any]]) -> Searched:
        """A picture, tried twice unless there is nothing to try."""
        found = _picture(task, _of_task(results))
        if found.frame.error is None or task.inputs[0].error is not None:
            return found
        self._check()
        return _picture(task, self._again(task))

    def _again(self, task: Reading) -> Iterator[Searched]:
        return _of_task((task, result) for result in self._pool.do(task, self._work.bounds))

    def _last_try(self, task: Reading) -> Iterator[Searched]:
        try:
            yield from self._again(task)
        except WorkerError as error:
            raise WorkerError(f"{task.name}: {error}") from None

    def _video(self, task: Reading, searched: Iterator[Searched]) -> Iterator[Recognized]:
        images = recognize_images(self._pipeline, searched, self._work.options)
        return whole_video(self._pipeline, task.name, images)

    def _written(self, part: Part, images: Iterable[Recognized], started: float) -> Account:
        errors: list[str] = []
        rows = 0
        with self._work.place.whole(part_file(part.name)) as file, Parquet(file, self._header) as sink:
            for recognized in images:
                sink.add(recognized)
                rows += max(1, len(recognized.faces))
                if recognized.frame.error is not None:
                    errors.append(recognized.frame.error)
            self._check()
            account = Account(
                part=part.name,
                inputs=len(part.inputs),
                rows=rows,
                errors=tuple(errors),
                started=started,
                finished=time.time(),
            )
            sink.note(ACCOUNT, account.to_json())
        return account


def _readings(part: Part) -> list[Reading]:
    if part.kind == "pictures":
        return [Reading("pictures", (entry,)) for entry in part.inputs]
    return [Reading("video", part.inputs)]


def _of_task(results: Iterator[tuple[Any, Any]]) -> Iterator[Searched]:
    """The results of the task that is next, to its end.

    Raises:
        MienError: it failed.
    """
    for _, result in results:
        if isinstance(result, Failed):
            raise result.error
        if isinstance(result, Searched):
            yield result
        elif result == END:
            return
        else:
            assert result == ALIVE


def _first_try(results: Iterator[tuple[Any, Any]]) -> Iterator[Searched]:
    try:
        yield from _of_task(results)
    except WorkerError as error:
        raise _AgainError from error


def _picture(task: Reading, searched: Iterator[Searched]) -> Searched:
    try:
        (found,) = searched
    except MienError as error:
        source = task.source
        assert not isinstance(source, tuple)
        return failed_picture(source, f"{task.name}: {error}")
    return found
