"""Inference for many clients at once, off the event loop.

Worker processes decode pictures and videos and find faces (`mien.service.searching`), each within hard limits of memory
and time; one thread classifies the faces of all of them in batches. The event loop never blocks.
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, Final

import numpy as np

from mien.errors import InputError, LimitError, MienError, RequestError, TooLargeError, WorkerError
from mien.faces.follow import Followed, Pace
from mien.media.picture_structure import announced_pixels
from mien.recognition.pipeline import Searched
from mien.recognition.recognizer import Recognizer
from mien.recognition.smoothing import Smoother
from mien.recognition.video import StreamOptions
from mien.results import Frame
from mien.service.batcher import Batcher
from mien.service.metrics import Metrics
from mien.service.searching import (
    ALL,
    DrawPicture,
    FollowPicture,
    MakeSearch,
    SearchPicture,
    SearchVideo,
    Upload,
    Wishes,
)
from mien.service.settings import Settings
from mien.service.turns import HEAVY, Turn, Turns
from mien.service.video_lines import SearchedVideo
from mien.worker_process import Bounds, WithContent
from mien.workers import Leash, Workers

_GRACE: Final = 0.3
"""Seconds in which a worker may finish a picture that nobody waits for any more, before it is ended: to start another
one takes as long as most pictures.
"""
_VIDEO_NICENESS: Final = 5
"""Pictures go before videos."""


class Viewer:
    """State of one live stream: tracks, and the temporal smoothing of each.

    Args:
        smooth: one of `mien.choices.CausalSmoothing`.
        wishes: of which the least probability counts.

    Raises:
        UsageError: an unknown smoothing.
    """

    def __init__(self, smooth: str, wishes: Wishes = ALL) -> None:
        self._smoother, self._wishes = Smoother(smooth), wishes
        self.options = {"smooth": smooth, **wishes.options()}
        self.followed = Followed(Pace(clock=time.monotonic))

    def finish(self, frame: Frame, number: int, seconds: float) -> Frame:
        """The frame of that picture, once its faces are classified: with its index and time in the stream, smoothed."""
        return self._wishes.judged(self._smoother.smooth(replace(frame, index=number, time=seconds)))


class Engine:
    """Recognises expressions for many clients concurrently.

    Args:
        recognizer: what finds and classifies the faces.
        settings: how many workers, and what is allowed.
        metrics: count batches, and workers that were ended.
    """

    def __init__(self, recognizer: Recognizer, settings: Settings, metrics: Metrics) -> None:
        self.recognizer = recognizer
        self._limits, self._count, self._metrics = settings.limits, settings.workers, metrics
        make = recognizer.finder()
        self._workers = Workers(MakeSearch(make), settings.workers)
        self._videos = Workers(MakeSearch(make, _VIDEO_NICENESS), max(1, settings.limits.videos))
        self._threads = ThreadPoolExecutor(settings.workers, thread_name_prefix="mien-find")
        self._classifiers = ThreadPoolExecutor(1, thread_name_prefix="mien-classify")
        self._finding = 0
        self._turns = Turns(settings.workers, settings.limits.queue_seconds, settings.limits.large_pictures)
        self._running, self._progress = 0, 0.0
        classify, gather = recognizer.pipeline.classify, settings.gather_seconds
        self._batcher = Batcher(classify, self._classifiers, gather, lambda: self._finding > 0, metrics.batch)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Engine"]:
        """The engine, its workers started; they are ended with the block, whatever they do."""
        try:
            loop = asyncio.get_running_loop()
            pools = [self._workers] * self._count + [self._videos] * self._limits.videos
            starting = [loop.run_in_executor(self._threads, pool.prepare) for pool in pools]
            classify = self.recognizer.classifier.probabilities
            warming = loop.run_in_executor(self._classifiers, classify, np.zeros((1, 48, 48), np.uint8))
            await asyncio.gather(*starting, warming)
            yield self
        finally:
            self._workers.close()
            self._videos.close()
            for threads in (self._threads, self._classifiers):
                threads.shutdown(wait=False, cancel_futures=True)

    @property
    def stuck(self) -> bool:
        """Whether pictures are worked on, and none was finished for long."""
        return self._running > 0 and time.monotonic() - self._progress > self._limits.stuck_seconds

    async def recognize(self, upload: Upload, wishes: Wishes = ALL) -> Frame:
        """The faces of a picture.

        Raises:
            RequestError: not a supported picture format; no worker was free in time, or it took too long.
            InputError: it cannot be decoded.
        """
        return wishes.judged(await self._frame(upload, SearchPicture(upload, wishes, self._limits.pixels)))

    async def annotated(self, upload: Upload, frame: Frame) -> bytes:
        """The picture with the faces of its frame drawn in, as PNG.

        Raises:
            RequestError: no worker was free in time, or it took too long.
        """
        drawn: bytes = await self._worked(upload, DrawPicture(upload, frame.faces, self._limits.pixels))
        return drawn

    async def recognize_all(self, uploads: Sequence[Upload], wishes: Wishes) -> list[Frame | BaseException]:
        """The faces of the pictures of one request, in order, or what `recognize` raised.

        For fairness, a semaphore lets only a few pictures of a request queue at a time: a request with one picture is
        not starved by one with many.
        """
        places = asyncio.Semaphore(2 * self._count)

        async def recognized(upload: Upload) -> Frame:
            async with places:
                return await self.recognize(upload, wishes)

        return await asyncio.gather(*map(recognized, uploads), return_exceptions=True)

    async def view(self, viewer: Viewer, upload: Upload, number: int, seconds: float) -> Frame:
        """The faces of the next picture of a live stream; one picture of a stream at a time.

        Raises:
            RequestError: not a supported picture format; no worker was free in time, or it took too long.
            InputError: it cannot be decoded.
        """
        self._finding += 1
        try:
            task = FollowPicture(upload, self._limits.pixels, viewer.followed, number, seconds)
            searched, viewer.followed = await self._worked(upload, task)
        finally:
            self._finding -= 1
        return viewer.finish(await self._classified(searched), number, seconds)

    def video(self, name: str, kind: str, content: Any, options: StreamOptions) -> SearchedVideo:
        """A video, to be searched by a worker of its own.

        Args:
            name: what the client calls it.
            kind: its media type.
            content: of the file.
            options: how it is recognised.
        """
        limits = self._limits
        task = WithContent(SearchVideo(name, kind, options, limits), content)
        bounds = Bounds(
            memory=limits.video_memory,
            cpu_seconds=limits.video_work_seconds,
            seconds=limits.video_work_seconds + limits.picture_seconds,
            result_seconds=limits.picture_seconds,
            starved_seconds=limits.starved_seconds,
        )
        return SearchedVideo(self._videos, task, bounds, lambda error: self._refused(name, error))

    async def _frame(self, upload: Upload, task: SearchPicture) -> Frame:
        self._finding += 1
        try:
            searched: Searched = await self._worked(upload, task)
        finally:
            self._finding -= 1
        return await self._classified(searched)

    async def _classified(self, searched: Searched) -> Frame:
        return replace(searched.frame, faces=tuple(await self._batcher.classified(searched.candidates)))

    async def _worked(self, upload: Upload, task: Any) -> Any:
        """The result of a task, when it is its client's turn. The turn lasts until a worker is ready for the next one;
        a worker whose result nobody waits for any more is ended.
        """
        pixels = self._checked(upload)
        turn = await self._turns.take(upload.client, pixels)
        loop, leash = asyncio.get_running_loop(), Leash()
        answer: asyncio.Future[Any] = loop.create_future()
        self._progress = self._progress if self._running else time.monotonic()
        self._running += 1
        job = self._threads.submit(self._do, task, self._bounds(pixels), leash, _Answer(loop, answer))
        job.add_done_callback(lambda _: _soon(loop, self._done, turn))
        try:
            return await answer
        except asyncio.CancelledError:
            loop.call_later(_GRACE, leash.pull)
            raise
        except WorkerError as error:
            if error.signal or isinstance(error, LimitError):
                self._turns.blame(upload.client)
            raise self._refused(upload.name, error) from None

    def _checked(self, upload: Upload) -> int:
        """The pixels that a picture announces.

        Raises:
            RequestError: not a supported picture format.
            TooLargeError: more than are allowed.
        """
        assert upload.formats
        pixels = announced_pixels(upload.content)
        if pixels > self._limits.pixels:
            limit = self._limits.pixels / 10**6
            raise TooLargeError(f"{upload.name}: {pixels:,} pixels, more than {limit:g} megapixels; shrink it first")
        return pixels

    def _bounds(self, pixels: int) -> Bounds:
        limits = self._limits
        return Bounds(
            memory=limits.large_picture_memory if pixels > HEAVY else limits.picture_memory,
            cpu_seconds=limits.picture_cpu_seconds,
            seconds=limits.picture_seconds,
            starved_seconds=limits.starved_seconds,
        )

    def _do(self, task: Any, bounds: Bounds, leash: Leash, answer: "_Answer") -> None:
        """Let a worker do a task, in a thread; afterwards there is a worker for the next one."""
        try:
            (result,) = self._workers.do(task, bounds, leash)
        except Exception as error:
            answer.fail(error)
            with suppress(MienError):  # whoever comes next is told
                self._workers.prepare()
        else:
            answer.give(result)

    def _done(self, turn: Turn) -> None:
        self._running -= 1
        self._progress = time.monotonic()
        self._turns.release(turn)

    def _refused(self, name: str, error: WorkerError) -> MienError:
        """What a client is told of a worker that died."""
        if isinstance(error, LimitError):
            self._metrics.worker_ended(error.limit)
            if error.limit == "time":
                return RequestError(503, f"{name}: the service is overloaded, or this costs too much: {error}")
            return TooLargeError(f"{name}: too costly to decode ({error}); shrink it")
        if error.signal == getattr(signal, "SIGKILL", None):
            self._metrics.worker_ended("killed")
            return RequestError(503, f"{name}: the service is overloaded (a worker was ended); try again")
        if error.signal:
            self._metrics.worker_ended("crash")
            return InputError(f"{name}: damaged, its decoder crashed")
        self._metrics.worker_ended("failed")
        return RequestError(503, f"{name}: a worker failed ({error}); try again")


class _Answer:
    """A future that a thread answers.

    Args:
        loop: whose future it is.
        future: nobody waits for one that is cancelled.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any]) -> None:
        self._loop, self._future = loop, future

    def give(self, result: Any) -> None:
        _soon(self._loop, self._settle, self._future.set_result, result)

    def fail(self, error: Exception) -> None:
        _soon(self._loop, self._settle, self._future.set_exception, error)

    def _settle(self, settle: Callable[[Any], None], value: Any) -> None:
        if not self._future.done():
            settle(value)


def _soon(loop: asyncio.AbstractEventLoop, action: Callable[..., Any], *arguments: Any) -> None:
    with suppress(RuntimeError):  # the service has ended
        loop.call_soon_threadsafe(action, *arguments)
