"""Inference for many clients at once, off the event loop.

Worker processes decode pictures and videos and find faces (`mien.service.searching`), each within hard limits of memory
and time; one thread classifies the faces of all of them in batches. The event loop never blocks.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from mien.faces.follow import Followed, Pace
from mien.media.picture_structure import announced_pixels
from mien.output.drawing_options import DrawingOptions
from mien.recognition.pipeline import Searched
from mien.recognition.recognizer import Recognizer
from mien.recognition.smoothing import Smoother
from mien.recognition.video import StreamOptions
from mien.results import Frame
from mien.service.batcher import Batcher
from mien.service.metrics import Metrics
from mien.service.picture_workers import PictureWorkers
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
from mien.service.video_lines import SearchedVideo
from mien.service.worker_deaths import refused
from mien.worker_process import Bounds, WithContent
from mien.workers import Workers


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
        self._pictures = PictureWorkers(make, settings, metrics)
        self._videos = Workers(MakeSearch(make), max(1, settings.limits.videos))
        self._classifiers = ThreadPoolExecutor(1, thread_name_prefix="mien-classify")
        self._finding = 0
        classify, gather = recognizer.pipeline.classify, settings.gather_seconds
        self._batcher = Batcher(classify, self._classifiers, gather, lambda: self._finding > 0, metrics.batch)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Engine"]:
        """The engine, its workers started; they are ended with the block, whatever they do."""
        try:
            loop = asyncio.get_running_loop()
            starting = [loop.run_in_executor(None, self._videos.prepare) for _ in range(self._limits.videos)]
            classify = self.recognizer.classifier.probabilities
            warming = loop.run_in_executor(self._classifiers, classify, np.zeros((1, 48, 48), np.uint8))
            await asyncio.gather(self._pictures.start(), *starting, warming)
            yield self
        finally:
            self._pictures.close()
            self._videos.close()
            self._classifiers.shutdown(wait=False, cancel_futures=True)

    @property
    def stuck(self) -> bool:
        """Whether pictures are worked on, and none was finished for long."""
        return self._pictures.stuck

    def pixels_of(self, uploads: Sequence[Upload]) -> int:
        """Pixels of the pictures that are not too large, by their headers."""
        pixels = (announced_pixels(upload.content) for upload in uploads)
        return sum(count for count in pixels if count <= self._limits.pixels)

    async def recognize(self, upload: Upload, wishes: Wishes = ALL, *, slow: bool = False) -> Frame:
        """The faces of a picture; ``slow``: of one that is drawn afterwards.

        Raises:
            RequestError: not a supported picture format; no worker was free in time, or it took too long.
            InputError: it cannot be decoded.
        """
        return wishes.judged(await self._frame(upload, SearchPicture(upload, wishes, self._limits), slow=slow))

    async def annotated(self, upload: Upload, frame: Frame, options: DrawingOptions) -> bytes:
        """The picture with the faces of its frame drawn in, as PNG.

        Raises:
            RequestError: no worker was free in time, or it took too long.
        """
        task = DrawPicture(upload, frame.faces, options, self._limits)
        drawn: bytes = await self._pictures.do(upload, task, slow=True)
        return drawn

    async def recognize_all(
        self, uploads: Sequence[Upload], wishes: Wishes, *, slow: bool = False
    ) -> list[Frame | BaseException]:
        """The faces of the pictures of one request, in order, or what `recognize` raised.

        For fairness, a semaphore lets only a few pictures of a request queue at a time: a request with one picture is
        not starved by one with many.
        """
        places = asyncio.Semaphore(2 * self._count)

        async def recognized(upload: Upload) -> Frame:
            async with places:
                return await self.recognize(upload, wishes, slow=slow)

        return await asyncio.gather(*map(recognized, uploads), return_exceptions=True)

    async def view(self, viewer: Viewer, upload: Upload, number: int, seconds: float) -> Frame:
        """The faces of the next picture of a live stream; one picture of a stream at a time.

        Raises:
            RequestError: not a supported picture format; no worker was free in time, or it took too long.
            InputError: it cannot be decoded.
        """
        self._finding += 1
        try:
            task = FollowPicture(upload, self._limits, viewer.followed, number, seconds)
            searched, viewer.followed = await self._pictures.do(upload, task)
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
            cheap_cpu_seconds=limits.cheap_cpu_seconds,
            once=True,
        )
        return SearchedVideo(self._videos, task, bounds, lambda error: refused(name, error, self._metrics.worker_ended))

    async def _frame(self, upload: Upload, task: SearchPicture, *, slow: bool) -> Frame:
        self._finding += 1
        try:
            searched: Searched = await self._pictures.do(upload, task, slow=slow)
        finally:
            self._finding -= 1
        return await self._classified(searched)

    async def _classified(self, searched: Searched) -> Frame:
        return replace(searched.frame, faces=tuple(await self._batcher.classified(searched.candidates)))
