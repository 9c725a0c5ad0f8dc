"""Inference for many clients at once, off the event loop.

A pool of worker threads decodes pictures and detects faces; one more thread classifies the faces of all of them in
batches. The event loop never blocks.
"""

import asyncio
import io
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import numpy as np

from mien.faces.follow import Pace
from mien.faces.opencv_threads import threads_for_each
from mien.media.decode_picture import Pixels, decode_picture
from mien.recognition.pipeline import Candidate, Pipeline, Searched
from mien.recognition.recognizer import Recognizer
from mien.recognition.smoothing import Smoother
from mien.results import Frame
from mien.service.batcher import Batcher
from mien.service.media_types import PICTURES, picture_type
from mien.service.metrics import Metrics
from mien.service.settings import Settings

Find = Callable[[Pixels], Sequence[Candidate]]


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture that a client sent.

    Args:
        name: what the client calls it.
        content: of the file.
    """

    name: str
    content: bytes


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
            self._finders.shutdown(cancel_futures=True)
            self._classifiers.shutdown(cancel_futures=True)

    async def recognize(self, upload: Upload) -> Frame:
        """The faces of a picture.

        Raises:
            RequestError: not a supported picture format.
            InputError: it cannot be decoded.
        """
        return await self._frame(upload, self.recognizer.pipeline.find)

    async def recognize_all(self, uploads: Sequence[Upload]) -> list[Frame | BaseException]:
        """The faces of the pictures of one request, in order, or what `recognize` raised.

        For fairness, a semaphore lets only a few pictures of a request queue at a time: a request with one picture is
        not starved by one with many.
        """
        places = asyncio.Semaphore(2 * self._workers)

        async def recognized(upload: Upload) -> Frame:
            async with places:
                return await self.recognize(upload)

        return await asyncio.gather(*map(recognized, uploads), return_exceptions=True)

    async def view(self, viewer: Viewer, upload: Upload, number: int, seconds: float) -> Frame:
        """The faces of the next picture of a live stream; one picture of a stream at a time.

        Raises:
            RequestError: not a supported picture format.
            InputError: it cannot be decoded.
        """
        frame = await self._frame(upload, lambda image: viewer.find(image, number, seconds))
        return viewer.finish(frame, number, seconds)

    async def _frame(self, upload: Upload, find: Find) -> Frame:
        self._finding += 1
        try:
            loop = asyncio.get_running_loop()
            searched = await loop.run_in_executor(self._finders, self._search, upload, find)
        finally:
            self._finding -= 1
        faces = await self._batcher.classified(searched.candidates)
        return replace(searched.frame, faces=tuple(faces))

    def _search(self, upload: Upload, find: Find) -> Searched:
        """The faces found in a picture; its pixels are released."""
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
