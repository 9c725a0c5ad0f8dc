"""An uploaded video as a stream of JSON lines, recognised in a thread of its own."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing

from mien.errors import MienError
from mien.media.video_source import VideoSource
from mien.recognition.recognizer import Recognizer
from mien.recognition.video import StreamOptions, recognize_video
from mien.results import Frame


async def recognized_frames(
    recognizer: Recognizer, open_video: Callable[[], VideoSource], options: StreamOptions
) -> AsyncGenerator[Frame, None]:
    """The frames of a video; if it breaks off, a last one with the error.

    Args:
        recognizer: what finds and classifies the faces.
        open_video: opens the video; it is closed at the end, or when the consumer stops.
        options: how it is recognised.

    Raises:
        MienError: it cannot be opened, or not one frame can be read.
    """
    thread = ThreadPoolExecutor(1, thread_name_prefix="mien-video")
    frames = _frames(recognizer, open_video, options)
    loop = asyncio.get_running_loop()
    try:
        while (frame := await loop.run_in_executor(thread, next, frames, None)) is not None:
            yield frame
    finally:  # in the thread, because a frame may be on its way there
        thread.submit(frames.close)
        thread.shutdown(wait=False)


def _frames(
    recognizer: Recognizer, open_video: Callable[[], VideoSource], options: StreamOptions
) -> Generator[Frame, None, None]:
    last: Frame | None = None
    try:
        with closing(recognize_video(recognizer.pipeline, open_video(), options)) as images:
            for recognized in images:
                last = recognized.frame
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
