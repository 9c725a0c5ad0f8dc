"""All that was asked for, pictures first, then one video after the other: what is broken stops nothing."""

from collections.abc import Generator
from contextlib import closing

from mien.errors import MienError
from mien.media.sources import Sources, video_name
from mien.output.recognized import Recognized
from mien.recognition.parallel import Parallel
from mien.recognition.pictures import recognize_searched
from mien.recognition.pipeline import Pipeline
from mien.recognition.video import StreamOptions, recognize_images, recognize_video
from mien.results import Frame


def recognize_all(
    pipeline: Pipeline, sources: Sources, options: StreamOptions, parallel: Parallel
) -> Generator[Recognized, None, None]:
    """Pictures and videos, in order. What cannot be read, or breaks off, gives a frame with the error and no image.

    Args:
        pipeline: what finds and classifies the faces.
        sources: what was asked for, sorted.
        options: how videos are recognised; of pictures ``batch`` are classified together.
        parallel: how many processes search for faces.
    """
    with parallel.pool(options) as workers:
        searched = parallel.pictures(workers, pipeline, sources.pictures)
        yield from recognize_searched(pipeline, searched, options.batch)
        for video, images in parallel.videos(workers, sources.videos):
            if images is None:
                recognized = recognize_video(pipeline, video, options)
            else:
                recognized = recognize_images(pipeline, images, options)
            yield from whole_video(pipeline, video_name(video), recognized)


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
