"""From a video to frames with followed, classified, steadied faces; nothing is drawn or written here."""

import logging
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any, Final

import numpy as np

from mien.defaults import DEFAULT_FPS, DEFAULT_SMOOTHING
from mien.errors import UsageError
from mien.faces.follow import Follower, Pace
from mien.media.open_video import open_video
from mien.media.readahead import Reader
from mien.media.video_source import VideoImage, VideoSource, check_fps
from mien.media.webcam import Camera
from mien.output.recognized import Recognized
from mien.recognition.finder import Finder
from mien.recognition.pipeline import Pipeline, Searched, batched
from mien.recognition.smoothing import MakeSmoothing, Smoother
from mien.results import Frame

BATCH: Final = 16
"""Frames of a file whose faces are classified together; of live sources every frame at once."""

log: Final = logging.getLogger("mien")

VideoInput = str | Path | int | Sequence[str | Path] | VideoSource


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOptions:
    """How a video is recognised; see `Recognizer.stream`.

    Args:
        every: frames between two searches of the whole picture, at least 1; None: by time.
        smooth: ``none``, ``mode``, ``ema``, or what makes a `mien.Smoothing` for a new person.
        mirror: whether images are mirrored; None: those of webcams.
        fps: of what has no times of its own.
        batch: frames of a file whose faces are classified together, at least 1.

    Raises:
        UsageError: an option out of range.
    """

    every: int | None = None
    smooth: str | MakeSmoothing = DEFAULT_SMOOTHING
    mirror: bool | None = None
    fps: float = DEFAULT_FPS
    batch: int = BATCH

    def __post_init__(self) -> None:
        if self.every is not None and type(self.every) is not int:
            raise UsageError(f"every is {self.every!r}: expected a whole number of frames, or None")
        if self.mirror is not None and type(self.mirror) is not bool:
            raise UsageError(f"mirror is {self.mirror!r}: expected True, False or None")
        Smoother(self.smooth)
        Pace(self.every)
        check_fps(self.fps)
        if self.batch < 1:
            raise UsageError(f"batch is {self.batch}: expected at least 1")

    def to_dict(self) -> dict[str, Any]:
        """Those that change results, as values of JSON."""
        smooth = self.smooth if isinstance(self.smooth, str) else getattr(self.smooth, "__name__", "own")
        return {"every": self.every, "smooth": smooth, "mirror": self.mirror, "fps": self.fps}


def check_source(source: object) -> None:
    """Refuse what no video can be read from, before the first frame is asked for.

    Raises:
        UsageError: it is no path, number, address, list of pictures or `mien.VideoSource`.
    """
    if isinstance(source, bool) or not (
        isinstance(source, str | Path | int | Sequence) or callable(getattr(source, "images", None))
    ):
        raise UsageError(
            f"a {type(source).__name__} is no video: expected a path, an address, the number of a webcam, a list of "
            "pictures or a mien.VideoSource"
        )


def recognize_video(
    pipeline: Pipeline, source: VideoInput, options: StreamOptions | None = None
) -> Generator[Recognized, None, None]:
    """The images of a video with their faces, in order; closing the iterator releases the source.

    Raises:
        InputError: the source cannot be opened, or, after its last readable image, is damaged or ends early.
        MissingExtraError: the source needs PyAV, which is not installed.
    """
    options = options or StreamOptions()
    opened = _opened(source, options.fps)
    with closing(search_video(pipeline, opened, options)) as searched:
        yield from recognize_images(pipeline, searched, options, 1 if opened.live else options.batch)


def recognize_images(
    pipeline: Pipeline, searched: Iterable[Searched], options: StreamOptions, batch: int
) -> Generator[Recognized, None, None]:
    """The images of one video in which faces were looked for, wherever that was done, classified and steadied."""
    smoother = Smoother(options.smooth)
    header = pipeline.header.with_options(**options.to_dict())
    for together in batched(searched, batch):
        for recognized in pipeline.recognized(together, header):
            yield replace(recognized, frame=smoother.smooth(recognized.frame))


def search_video(
    finder: Finder, source: VideoInput, options: StreamOptions, *, keep_images: bool = True
) -> Generator[Searched, None, None]:
    """The images of a video and the followed faces in them, in order; closing the iterator releases the source.

    Raises:
        InputError: see `recognize_video`.
        MissingExtraError: likewise.
    """
    opened = _opened(source, options.fps)
    follower = finder.follower(Pace(options.every, monotonic if opened.live else None))
    mirror = isinstance(opened, Camera) if options.mirror is None else options.mirror
    images = Reader(opened)
    try:
        for found in _search(finder, follower, images, Frame(opened.name), mirror=mirror):
            yield found if keep_images else replace(found, image=None)
    finally:
        images.close()
        if images.dropped:
            log.warning("%s: %d of %d frames dropped to keep up", opened.name, images.dropped, images.count)


def _opened(source: VideoInput, fps: float) -> VideoSource:
    return open_video(source, fps) if isinstance(source, str | Path | int | Sequence) else source


def _search(
    finder: Finder, follower: Follower, images: Iterable[VideoImage], frame: Frame, *, mirror: bool
) -> Iterator[Searched]:
    for shown in images:
        image = np.ascontiguousarray(shown.image[:, ::-1]) if mirror else shown.image
        height, width = image.shape[:2]
        found = finder.crop(image, follower.follow(image, shown.number, shown.time))
        seen = replace(frame, index=shown.number, time=shown.time, width=width, height=height)
        yield Searched(seen, image, tuple(found))
