"""All that was asked for, pictures first, then one video after the other: what is broken stops nothing."""

from collections.abc import Iterator
from contextlib import closing

from mien.errors import MienError
from mien.media.sources import Sources, VideoEntry
from mien.media.video_source import without_password
from mien.output.recognized import Recognized
from mien.recognition.pictures import recognize_files
from mien.recognition.pipeline import Pipeline
from mien.recognition.video import StreamOptions, recognize_video
from mien.results import Frame


def recognize_all(pipeline: Pipeline, sources: Sources, options: StreamOptions) -> Iterator[Recognized]:
    """Pictures and videos, in order. What cannot be read, or breaks off, gives a frame with the error and no image.

    Args:
        pipeline: what finds and classifies the faces.
        sources: what was asked for, sorted.
        options: how videos are recognised; of pictures ``batch`` are classified together.
    """
    yield from recognize_files(pipeline, sources.pictures, options.batch)
    for video in sources.videos:
        yield from _whole(pipeline, video, options)


def _whole(pipeline: Pipeline, video: VideoEntry, options: StreamOptions) -> Iterator[Recognized]:
    following = 0
    try:
        with closing(recognize_video(pipeline, video, options)) as images:
            for recognized in images:
                yield recognized
                following = recognized.frame.index + 1
    except MienError as error:
        yield Recognized(Frame(_name(video), following, error=str(error), header=pipeline.header), None)


def _name(video: VideoEntry) -> str:
    return str(video[0].parent) if isinstance(video, tuple) else without_password(str(video))
