"""Pictures in worker processes: whose turn it is, within which limits, and who is told what when a worker is ended."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

from mien.errors import LimitError, MienError, TooLargeError, WorkerError
from mien.media.picture_structure import announced_pixels, is_plain_jpeg
from mien.recognition.finder import MakeFinder
from mien.service.metrics import Metrics
from mien.service.searching import MakeSearch, Upload
from mien.service.settings import Settings
from mien.service.turns import HEAVY, Turn, Turns
from mien.service.worker_deaths import refused
from mien.worker_process import Bounds
from mien.workers import Leash, Workers

_GRACE: Final = 0.3
"""Seconds in which a worker may finish a picture that nobody waits for any more, before it is ended: to start another
one takes as long as most pictures.
"""
_WAITING: Final = 0.8
"""Share of its time that a costly picture may wait for a worker; the rest is left to decode it."""


class PictureWorkers:
    """Worker processes that do one task for one picture.

    Args:
        make: makes the finder of each.
        settings: how many, and what is allowed.
        metrics: count workers that were ended.
    """

    def __init__(self, make: MakeFinder, settings: Settings, metrics: Metrics) -> None:
        limits, self._metrics, self._count = settings.limits, metrics, settings.workers
        self._limits = limits
        self._workers = Workers(MakeSearch(make), self._count)
        self._threads = ThreadPoolExecutor(self._count, thread_name_prefix="mien-find")
        hurried = _WAITING * limits.picture_seconds
        self._turns = Turns(self._count, limits.queue_seconds, hurried, limits.large_pictures)
        self._running, self._progress = 0, 0.0

    async def start(self) -> None:
        """Start all of them."""
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(self._threads, self._workers.prepare) for _ in range(self._count)))

    def close(self) -> None:
        """End them, whatever they do."""
        self._workers.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    @property
    def stuck(self) -> bool:
        """Whether pictures are worked on, and none was finished for long."""
        return self._running > 0 and time.monotonic() - self._progress > self._limits.stuck_seconds

    async def do(self, upload: Upload, task: Any, *, slow: bool = False) -> Any:
        """The result of a task, when it is its client's turn. The turn lasts until a worker is ready for the next one;
        a worker whose result nobody waits for any more is ended.

        Args:
            upload: the picture.
            task: what to do with it.
            slow: whether that is slow even where decoding is quick.

        Raises:
            RequestError: not a supported picture format; no worker was free in time, or it took too long.
            InputError: it cannot be decoded.
            TooLargeError: it costs more than is allowed.
        """
        pixels = self._checked(upload)
        costly = pixels > HEAVY and (slow or not is_plain_jpeg(upload.content))
        turn = await self._turns.take(upload.client, pixels, costly=costly, since=upload.since)
        loop, leash = asyncio.get_running_loop(), Leash()
        answer: asyncio.Future[Any] = loop.create_future()
        self._progress = self._progress if self._running else time.monotonic()
        self._running += 1
        job = self._threads.submit(self._do, task, self._bounds(turn), leash, _Answer(loop, answer))
        job.add_done_callback(lambda _: _soon(loop, self._done, turn))
        try:
            return await answer
        except asyncio.CancelledError:
            loop.call_later(_GRACE, leash.pull)
            raise
        except WorkerError as error:
            if error.signal or (isinstance(error, LimitError) and error.limit != "busy"):
                self._turns.blame(upload.client)
            raise refused(upload.name, error, self._metrics.worker_ended) from None

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

    def _bounds(self, turn: Turn) -> Bounds:
        """Of a picture whose turn has come; what a hurried one has waited is taken off its time."""
        limits = self._limits
        return Bounds(
            memory=limits.large_picture_memory if turn.pixels > HEAVY else limits.picture_memory,
            cpu_seconds=limits.picture_cpu_seconds,
            seconds=limits.picture_seconds - (turn.waited if turn.hurried else 0.0),
            starved_seconds=0.0 if turn.costly else limits.starved_seconds,
            cheap_cpu_seconds=limits.cheap_cpu_seconds,
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
