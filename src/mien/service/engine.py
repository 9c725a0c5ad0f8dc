"""Inference for many clients at once, off the event loop.

A pool of worker threads decodes pictures and detects faces; one more thread classifies the faces of all of them in
batches. The event loop never blocks.
"""

import asyncio
import io
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from mien.faces.follow import Pace
from mien.faces.opencv_threads import threads_for_each
from mien.media.decode_picture import Pixels, decode_picture, decode_reduced
from mien.media.picture_structure import announced_pixels
from mien.output.drawing import annotate
from mien.recognition.finder import Candidate
from mien.recognition.pipeline import Pipeline, Searched
from mien.recognition.recognizer import Recognizer
from mien.recognition.smoothing import Smoother
from mien.results import Frame
from mien.service.batcher import Batcher
from mien.service.media_types import PICTURES, picture_type
from mien.service.metrics import Metrics
from mien.service.settings import Settings
from mien.service.turns import Turns

Result = TypeVar("Result")
Find = Callable[[Pixels], Sequence[Candidate]]


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture that a client sent.

    Args:
        name: what the client calls it.
        content: of the file.
        client: address of whoever sent it.
    """

    name: str
    content: bytes
    client: str = ""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a request asks for.

    Args:
        min_confidence: of the detector, 0..1; below that of the service it changes nothing.
        min_probability: of an expression to be called certain, 0..1.
        max_faces: the largest faces only.
    """

    min_confidence: float = 0.0
    min_probability: float = 0.0
    max_faces: int | None = None

    def options(self) -> dict[str, float]:
        """What was asked for, by name; what was not is left out."""
        return {name: value for name, value in asdict(self).items() if value}

    def wanted(self, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        """Those of the faces, largest first, that are asked for."""
        found = [face for face in candidates if face.detection.score >= self.min_confidence]
        return found[: self.max_faces]

    def judged(self, frame: Frame) -> Frame:
        """A frame whose faces say whether they are certain."""
        faces = (replace(face, certain=face.probability >= self.min_probability) for face in frame.faces)
        return replace(frame, faces=tuple(faces))


class Viewer:
    """State of one live stream: tracks, and the temporal smoothing of each.

    Args:
        pipeline: what finds and classifies the faces.
        smooth: ``none``, ``mode`` or ``ema``.

    Raises:
        UsageError: an unknown smoothing.
    """

    def __init__(self, pipeline: Pipeline, smooth: str) -> None:
        self._smoother = Smoother(smooth)
        self._pipeline = pipeline
        self._follower = pipeline.follower(Pace(clock=time.monotonic))

    def find(self, image: Pixels, number: int, seconds: float) -> list[Candidate]:
        """The faces of the next picture of the stream, with their tracks."""
        return self._pipeline.crop(image, self._follower.follow(image, number, seconds))

    def finish(self, frame: Frame, number: int, seconds: float) -> Frame:
        """The frame of that picture, once its faces are classified: with its index and time in the stream, smoothed."""
        return self._smoother.smooth(replace(frame, index=number, time=seconds))


class Engine:
    """Recognises expressions for many clients concurrently.

    Args:
        recognizer: what finds and classifies the faces.
        settings: how many threads, and what is allowed.
        metrics: count batches.
    """

    def __init__(self, recognizer: Recognizer, settings: Settings, metrics: Metrics) -> None:
        self.recognizer = recognizer
        self._max_pixels = settings.limits.pixels
        self._workers, self._threads_each = settings.workers, settings.threads_each
        self._finders = ThreadPoolExecutor(settings.workers, thread_name_prefix="mien-find")
        self._classifiers = ThreadPoolExecutor(1, thread_name_prefix="mien-classify")
        self._finding = 0
        self._turns = Turns(settings.workers, settings.limits.queue_seconds)
        self._running, self._progress = 0, 0.0
        self._stuck_seconds = settings.limits.stuck_seconds
        classify, gather = recognizer.pipeline.classify, settings.gather_seconds
        self._batcher = Batcher(classify, self._classifiers, gather, lambda: self._finding > 0, metrics.batch)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Engine"]:
        """The engine, warmed up; its thread pools shut down when the block ends."""
        try:
            with threads_for_each(self._threads_each):
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._finders, self.recognizer.predict, np.zeros((48, 48, 3), np.uint8))
                yield self
        finally:
            for threads in (self._finders, self._classifiers):  # a decoder that does not end is not waited for
                threads.shutdown(wait=False, cancel_futures=True)

    @property
    def stuck(self) -> bool:
        """Whether pictures are worked on, and none was finished for long."""
        return self._running > 0 and time.monotonic() - self._progress > self._stuck_seconds

    async def recognize(self, upload: Upload, wishes: Wishes = Wishes()) -> Frame:
        """The faces of a picture.

        Raises:
            RequestError: not a supported picture format.
            InputError: it cannot be decoded.
        """
        return wishes.judged(await self._frame(upload, partial(self._search, upload, wishes)))

    async def annotated(self, upload: Upload, frame: Frame) -> bytes:
        """The picture with the faces of its frame drawn in, as PNG.

        Raises:
            RequestError: no worker was free in time.
        """
        return await self._worked(upload, _annotated, upload, frame, self._max_pixels)

    async def recognize_all(self, uploads: Sequence[Upload], wishes: Wishes) -> list[Frame | BaseException]:
        """The faces of the pictures of one request, in order, or what `recognize` raised.

        For fairness, a semaphore lets only a few pictures of a request queue at a time: a request with one picture is
        not starved by one with many.
        """
        places = asyncio.Semaphore(2 * self._workers)

        async def recognized(upload: Upload) -> Frame:
            async with places:
                return await self.recognize(upload, wishes)

        return await asyncio.gather(*map(recognized, uploads), return_exceptions=True)

    async def view(self, viewer: Viewer, upload: Upload, number: int, seconds: float) -> Frame:
        """The faces of the next picture of a live stream; one picture of a stream at a time.

        Raises:
            RequestError: not a supported picture format.
            InputError: it cannot be decoded.
        """
        frame = await self._frame(
            upload, partial(self._follow, upload, lambda image: viewer.find(image, number, seconds))
        )
        return viewer.finish(frame, number, seconds)

    async def _frame(self, upload: Upload, search: Callable[[], Searched]) -> Frame:
        self._finding += 1
        try:
            searched = await self._worked(upload, search)
        finally:
            self._finding -= 1
        faces = await self._batcher.classified(searched.candidates)
        return replace(searched.frame, faces=tuple(faces))

    async def _worked(self, upload: Upload, work: Callable[..., Result], *arguments: Any) -> Result:
        """What work on a picture gives, when it is its client's turn; the turn lasts as long as a thread is busy, even
        if nobody waits for it any more.
        """
        pixels = announced_pixels(upload.content)
        await self._turns.take(upload.client, pixels)
        loop = asyncio.get_running_loop()
        self._progress = self._progress if self._running else time.monotonic()
        self._running += 1
        job = self._finders.submit(work, *arguments)
        job.add_done_callback(lambda _: _soon(loop, self._done, upload.client, pixels))
        return await asyncio.wrap_future(job)

    def _done(self, client: str, pixels: int) -> None:
        self._running -= 1
        self._progress = time.monotonic()
        self._turns.release(client, pixels)

    def _search(self, upload: Upload, wishes: Wishes) -> Searched:
        """The faces found in a picture; its pixels are released."""
        formats, pipeline = PICTURES[picture_type(upload.content, upload.name)], self.recognizer.pipeline
        file = io.BytesIO(upload.content)
        picture = decode_reduced(file, upload.name, pipeline.reduction, formats, self._max_pixels)
        candidates = pipeline.find_in(picture, lambda: decoded(upload, self._max_pixels))
        return Searched(
            Frame(upload.name, width=picture.width, height=picture.height), None, tuple(wishes.wanted(candidates))
        )

    def _follow(self, upload: Upload, find: Find) -> Searched:
        """The faces found in the next picture of a stream; its pixels are released."""
        image = decoded(upload, self._max_pixels)
        height, width = image.shape[:2]
        return Searched(Frame(upload.name, width=width, height=height), None, tuple(find(image)))


def decoded(upload: Upload, max_pixels: int) -> Pixels:
    """The pixels of a picture that a client sent.

    Raises:
        RequestError: not a supported picture format.
        InputError: it cannot be decoded.
    """
    formats = PICTURES[picture_type(upload.content, upload.name)]
    return decode_picture(io.BytesIO(upload.content), upload.name, formats, max_pixels)


def _annotated(upload: Upload, frame: Frame, max_pixels: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(annotate(decoded(upload, max_pixels), frame.faces)).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _soon(loop: asyncio.AbstractEventLoop, action: Callable[..., None], *arguments: Any) -> None:
    with suppress(RuntimeError):  # the service has ended
        loop.call_soon_threadsafe(action, *arguments)
