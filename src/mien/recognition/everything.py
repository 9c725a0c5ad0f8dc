"""All that was asked for: pictures, then one video after the other, then live sources side by side.

What is broken stops nothing.
"""

from collections.abc import Generator
from contextlib import closing
from functools import partial

from mien.errors import MienError
from mien.media.sources import Sources, VideoEntry, video_name
from mien.output.recognized import Recognized
from mien.recognition.parallel import Parallel
from mien.recognition.pictures import recognize_searched
from mien.recognition.pipeline import Pipeline
from mien.recognition.side_by_side import side_by_side
from mien.recognition.video import StreamOptions, recognize_images, recognize_video
from mien.results import Frame


def recognize_all(
    pipeline: Pipeline, sources: Sources, options: StreamOptions, parallel: Parallel
) -> Generator[Recognized, None, None]:
    """Pictures and videos, in order, several live sources as their frames come.

    What cannot be read, or breaks off, gives a frame with the error and no image.

    Args:
        pipeline: what finds and classifies the faces.
        sources: what was asked for, sorted.
        options: how videos are recognised; of pictures ``batch`` are classified together.
        parallel: how many processes search for faces.
    """
    together = sources.live if len(sources.live) > 1 else ()
    with parallel.pool(options) as workers:
        searched = parallel.pictures(workers, pipeline, sources.pictures)
        yield from recognize_searched(pipeline, searched, options.batch)
        for video, images in parallel.videos(workers, [video for video in sources.videos if video not in together]):
            if images is None:
                recognized = recognize_video(pipeline, video, options)
            else:
                recognized = recognize_images(pipeline, images, options)
            yield from whole_video(pipeline, video_name(video), recognized)
    if together:
        yield from side_by_side([partial(_stream, pipeline, video, options) for video in together])


def _stream(pipeline: Pipeline, video: VideoEntry, options: StreamOptions) -> Generator[Recognized, None, None]:
    return whole_video(pipeline, video_name(video), recognize_video(pipeline, video, options))


def whole_video(
    pipeline: Pipeline, name: str, images: Generator[Recognized, None, None]
) -> Generator[Recognized, None, None]:
    """The images of a video; a frame with the error follows where it cannot be read or breaks off.

    Args:
        pipeline: what finds and classifies the faces.
        name: what results call the video.
        images: of `mien.recognition.video.recognize_images`.
    """
    following = 0
    try:
        with closing(images):
            for recognized in images:
                yield recognized
                following = recognized.frame.index + 1
    except MienError as error:
        yield Recognized(Frame(name, following, error=str(error), header=pipeline.header), None)
