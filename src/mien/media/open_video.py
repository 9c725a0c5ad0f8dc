"""The one place that picks what reads a video."""

from collections.abc import Sequence
from pathlib import Path

from mien.defaults import DEFAULT_FPS
from mien.errors import MissingExtraError
from mien.media.animated import is_animation
from mien.media.animation import Animation
from mien.media.excerpt import WHOLE, Excerpt, Excerpted, check_live
from mien.media.read_image import Picture
from mien.media.reopening import Reopening
from mien.media.sequence import PictureSequence
from mien.media.video_source import VideoSource, check_fps, is_camera


def open_video(
    source: str | Path | int | Sequence[Picture],
    fps: float = DEFAULT_FPS,
    excerpt: Excerpt = WHOLE,
    reopen: float = 0.0,
) -> VideoSource:
    """A video to read.

    Args:
        source: path of a file, number of a webcam, address of a stream, ``-`` for standard input, an animated
            picture, or pictures in the order in which they are shown.
        fps: frames a second of what has no times of its own (pictures, raw streams).
        excerpt: which frames are wanted; files are decoded from the key frame before its start on.
        reopen: seconds for which a webcam or stream that broke off is opened again; 0: not at all.

    Raises:
        InputError: it cannot be opened, or holds no video.
        UsageError: ``fps`` is not a positive number, or a live source is to have a start or an end.
        MissingExtraError: PyAV is needed and not installed.
    """
    check_fps(fps)
    if not isinstance(source, str | Path | int):
        return PictureSequence(source, fps, excerpt)
    if isinstance(source, int) or (is_camera(source) and not Path(source).exists()):
        from mien.media.webcam import Camera  # OpenCV, which files and streams do without

        number = int(str(source))
        camera = Camera(number)
        return excerpted(Reopening(camera, lambda: Camera(number), reopen) if reopen else camera, excerpt)
    if is_animation(Path(source)):
        return excerpted(Animation(Path(source)), excerpt)
    try:
        from mien.media.files_and_streams import Container
    except ImportError:
        raise MissingExtraError("reading videos", "video") from None
    opened = Container(str(source), fps, excerpt)
    check_live(opened, excerpt)
    if not (reopen and opened.goes_on):
        return opened
    opened.excerpt = WHOLE
    return excerpted(Reopening(opened, lambda: Container(str(source), fps), reopen), excerpt)


def excerpted(source: VideoSource, excerpt: Excerpt) -> VideoSource:
    """A source that gives the wanted images of another.

    Raises:
        UsageError: a live one is to have a start or an end; it is closed.
    """
    check_live(source, excerpt)
    return source if excerpt == WHOLE else Excerpted(source, excerpt)
