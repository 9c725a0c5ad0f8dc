"""An uploaded video as a stream of JSON lines, searched by a worker process and classified in a thread of its own."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import chain
from typing import Final

from mien.errors import MienError, TooLargeError, WorkerError
from mien.recognition.pipeline import Pipeline, Searched
from mien.recognition.video import StreamOptions, recognize_images
from mien.results import Frame
from mien.service.searching import Wishes
from mien.worker_process import Bounds, WithContent
from mien.workers import Leash, Workers

_HELD: Final = 20_000
"""Faces that are searched and not given yet, 90 MB: smoothing looks ahead by a time, in which there may be thousands of
frames. So many are 40 frames of a crowd, or 900 of 20 people.
"""


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


async def recognized_lines(
    pipeline: Pipeline, video: SearchedVideo, options: StreamOptions, wishes: Wishes
) -> AsyncGenerator[str, None]:
    """The frames of a video as lines of JSON; if it breaks off, a last one with the error. The first line is empty: it
    comes when the first image was searched, and smoothing may have to look far ahead of it.

    Args:
        pipeline: what classifies the faces.
        video: the video; its worker is ended at the end, or when the consumer stops.
        options: how it is recognised.
        wishes: say which expressions are certain.

    Raises:
        MienError: it cannot be opened, or not one frame can be read.
    """
    thread = ThreadPoolExecutor(1, thread_name_prefix="mien-video")
    leash = Leash()
    images = video.images(leash)
    loop = asyncio.get_running_loop()
    try:
        first = await loop.run_in_executor(thread, next, images, None)
        yield ""
        if first is not None:
            frames = _frames(pipeline, first, images, options)
            while (frame := await loop.run_in_executor(thread, next, frames, None)) is not None:
                yield f"{wishes.judged(frame).to_json()}\n"
    finally:
        leash.pull()
        thread.submit(_ended, images, video.workers)  # in the thread, because an image may be on its way there
        thread.shutdown(wait=False)


def _ended(images: Generator[Searched, None, None], workers: Workers) -> None:
    """Close the images; afterwards there is a worker for the next video."""
    images.close()
    with suppress(MienError):  # whoever comes next is told
        workers.prepare()


def _frames(
    pipeline: Pipeline, first: Searched, rest: Iterable[Searched], options: StreamOptions
) -> Generator[Frame, None, None]:
    index, held = -1, 0

    def counted() -> Iterator[Searched]:
        nonlocal held
        for image in chain([first], rest):
            held += len(image.candidates)
            if held > _HELD:
                said = f"more than {_HELD:,} faces within the time that smoothing looks ahead; ask for smooth=ema"
                raise TooLargeError(f"{first.frame.source}: {said}")
            yield image

    try:
        with closing(recognize_images(pipeline, counted(), options)) as recognized:
            for image in recognized:
                index, held = image.frame.index, held - len(image.frame.faces)
                yield image.frame
    except MienError as error:
        yield Frame(first.frame.source, index + 1, error=str(error))
