"""An uploaded video as a stream of JSON lines, searched by a worker process and classified in a thread of its own."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing, suppress
from dataclasses import dataclass

from mien.errors import MienError, WorkerError
from mien.recognition.pipeline import Pipeline, Searched
from mien.recognition.video import StreamOptions, recognize_images
from mien.results import Frame
from mien.worker_process import Bounds, WithContent
from mien.workers import Leash, Workers


@dataclass(frozen=True, slots=True)
class SearchedVideo:
    """A video that a worker searches.

    Args:
        workers: the workers.
        task: `mien.service.searching.SearchVideo`, and the file.
        bounds: its hard limits.
        refused: what a client is told of a worker that died.
    """

    workers: Workers
    task: WithContent
    bounds: Bounds
    refused: Callable[[WorkerError], MienError]

    def images(self, leash: Leash) -> Generator[Searched, None, None]:
        """The images and their followed faces, without pixels; who stops before their end ends the worker.

        Raises:
            MienError: it cannot be opened, breaks off, or exceeds a limit.
        """
        try:
            yield from self.workers.do(self.task, self.bounds, leash)
        except WorkerError as error:
            raise self.refused(error) from None


async def recognized_frames(
    pipeline: Pipeline, video: SearchedVideo, options: StreamOptions
) -> AsyncGenerator[Frame, None]:
    """The frames of a video; if it breaks off, a last one with the error.

    Args:
        pipeline: what classifies the faces.
        video: the video; its worker is ended at the end, or when the consumer stops.
        options: how it is recognised.

    Raises:
        MienError: it cannot be opened, or not one frame can be read.
    """
    thread = ThreadPoolExecutor(1, thread_name_prefix="mien-video")
    leash = Leash()
    frames = _frames(pipeline, video.images(leash), options)
    loop = asyncio.get_running_loop()
    try:
        while (frame := await loop.run_in_executor(thread, next, frames, None)) is not None:
            yield frame
    finally:
        leash.pull()
        thread.submit(_ended, frames, video.workers)  # in the thread, because a frame may be on its way there
        thread.shutdown(wait=False)


def _ended(frames: Generator[Frame, None, None], workers: Workers) -> None:
    """Close the frames; afterwards there is a worker for the next video."""
    frames.close()
    with suppress(MienError):  # whoever comes next is told
        workers.prepare()


def _frames(
    pipeline: Pipeline, images: Generator[Searched, None, None], options: StreamOptions
) -> Generator[Frame, None, None]:
    last: Frame | None = None
    try:
        with closing(images), closing(recognize_images(pipeline, images, options)) as recognized:
            for image in recognized:
                last = image.frame
                yield last
    except MienError as error:
        if last is None:
            raise
        yield Frame(last.source, last.index + 1, error=str(error))


async def as_lines(first: Frame, rest: AsyncGenerator[Frame, None]) -> AsyncGenerator[str, None]:
    """Frames as lines of JSON; the generator is closed at the end, or when the consumer stops."""
    async with aclosing(rest):
        yield f"{first.to_json()}\n"
        async for frame in rest:
            yield f"{frame.to_json()}\n"
