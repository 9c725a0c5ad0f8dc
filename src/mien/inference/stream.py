"""From a video to frames with followed, classified, steadied faces; nothing is drawn or written here."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

import numpy as np

from mien.errors import UsageError
from mien.faces.follow import Follower, Pace
from mien.inference.reader import Reader
from mien.inference.recognizer import Candidate, Recognizer
from mien.inference.smoothing import Smoother
from mien.inference.video import DEFAULT_FPS, Camera, VideoImage, VideoSource, open_video
from mien.pictures import Pixels
from mien.results import Frame

BATCH: Final = 16
"""Frames of a file whose faces are classified together; of live sources every frame at once."""

VideoInput = str | Path | int | Sequence[Path] | VideoSource


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOptions:
    """How a video is recognised; see `Recognizer.stream`.

    Args:
        every: frames between two searches of the whole picture, at least 1; None: by time.
        smooth: ``none``, ``mode`` or ``ema``.
        mirror: whether images are mirrored; None: those of webcams.
        fps: of what has no times of its own.
        batch: frames of a file whose faces are classified together, at least 1.
    """

    every: int | None = None
    smooth: str = "ema"
    mirror: bool | None = None
    fps: float = DEFAULT_FPS
    batch: int = BATCH


@dataclass(frozen=True, slots=True)
class RecognizedImage:
    """One image of a video and what was recognised in it."""

    frame: Frame
    image: Pixels


@dataclass(frozen=True, slots=True)
class _Searched:
    """An image with the faces found in it, not yet classified."""

    shown: VideoImage
    candidates: tuple[Candidate, ...]


def recognize_video(
    recognizer: Recognizer, source: VideoInput, options: StreamOptions | None = None
) -> Generator[RecognizedImage, None, None]:
    """The images of a video with their faces, in order; closing the iterator releases the source.

    Raises:
        InputError: the source cannot be opened, or, after its last readable image, is damaged or ends early.
        UsageError: an option out of range.
        MissingExtraError: the source needs PyAV, which is not installed.
    """
    options = options or StreamOptions()
    smoother = Smoother.named(options.smooth)
    Pace(options.every)  # so that a bad value opens nothing
    if options.batch < 1:
        raise UsageError(f"batch is {options.batch}: expected at least 1")
    opened = _opened(source, options.fps)
    pace = Pace(options.every, monotonic if opened.live else None)
    mirror = isinstance(opened, Camera) if options.mirror is None else options.mirror
    with Reader(opened) as images:
        searched = _search(recognizer, recognizer.follower(pace), images, mirror=mirror)
        for chunk in _chunks(searched, 1 if opened.live else options.batch):
            for frame, image in _classified(recognizer, chunk, opened.name):
                yield RecognizedImage(smoother.smooth(frame), image)


def _opened(source: VideoInput, fps: float) -> VideoSource:
    return open_video(source, fps) if isinstance(source, str | Path | int | Sequence) else source


def _search(
    recognizer: Recognizer, follower: Follower, images: Iterable[VideoImage], *, mirror: bool
) -> Iterator[_Searched]:
    for shown in images:
        image = np.ascontiguousarray(shown.image[:, ::-1]) if mirror else shown.image
        found = follower.follow(image, shown.number, shown.time)
        yield _Searched(VideoImage(shown.number, shown.time, image), tuple(recognizer.crop(image, found)))


def _classified(recognizer: Recognizer, chunk: Sequence[_Searched], name: str) -> Iterator[tuple[Frame, Pixels]]:
    faces = recognizer.classify([searched.candidates for searched in chunk])
    for searched, found in zip(chunk, faces, strict=True):
        shown = searched.shown
        height, width = shown.image.shape[:2]
        yield Frame(name, shown.number, shown.time, width, height, tuple(found)), shown.image


def _chunks(images: Iterable[_Searched], size: int) -> Iterator[list[_Searched]]:
    """So many at a time; when reading fails, what was read comes before the error."""
    chunk: list[_Searched] = []
    try:
        for image in images:
            chunk.append(image)
            if len(chunk) == size:
                yield chunk
                chunk = []
    except Exception:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk
