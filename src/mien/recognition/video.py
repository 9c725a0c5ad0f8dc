"""From a video to frames with followed, classified, steadied faces; nothing is drawn or written here."""

import logging
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from numbers import Integral
from pathlib import Path
from time import monotonic
from typing import Any, Final, TypedDict

import numpy as np

from mien.defaults import DEFAULT_FPS, DEFAULT_SMOOTHING, REOPEN_SECONDS
from mien.errors import UsageError
from mien.faces.cuts import Cuts
from mien.faces.follow import Follower, Pace
from mien.faces.persons import Persons
from mien.given import flag, keep, several, whole
from mien.media.decode_picture import as_pixels
from mien.media.excerpt import WHOLE, Excerpt, not_live, seconds_of
from mien.media.open_video import excerpted, open_video
from mien.media.read_image import PICTURES, Picture, check_array
from mien.media.readahead import Reader
from mien.media.reopening import check_patience
from mien.media.video_source import Interruption, VideoImage, VideoSource, check_fps, is_live, without_password
from mien.output.recognized import Recognized
from mien.recognition.finder import Candidate, Finder
from mien.recognition.pipeline import Pipeline, Searched, batched
from mien.recognition.smoothing import CAUSAL, SYMMETRIC, TIME_CONSTANT, MakeSmoothing, Smoother, check_smoothing
from mien.recognition.still import Stillness
from mien.recognition.symmetric import Symmetric
from mien.results import Frame

BATCH: Final = 16
"""Frames of a file whose faces are classified together; of live sources every frame at once."""

log: Final = logging.getLogger("mien")

_SOURCE: Final = "a path, an address, the number of a webcam, a list of pictures or a mien.VideoSource"

VideoInput = str | Path | int | Sequence[Picture] | VideoSource


class StreamKeywords(TypedDict, total=False):
    """How `Recognizer.stream` and `Recognizer.watch` read a video: see there."""

    every: int | None
    smooth: str | MakeSmoothing
    time_constant: float | None
    raw: bool
    mirror: bool | None
    fps: float
    start: str | float
    end: str | float | None
    step: int
    fps_out: float | None
    reopen: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOptions:
    """How a video is recognised: `StreamKeywords`, checked.

    Args:
        batch: frames of a file whose faces are classified together, at least 1.

    Raises:
        UsageError: an option out of range.
    """

    every: int | None = None
    smooth: str | MakeSmoothing = DEFAULT_SMOOTHING
    time_constant: float | None = None
    raw: bool = False
    mirror: bool | None = None
    fps: float = DEFAULT_FPS
    batch: int = BATCH
    start: str | float = 0.0
    end: str | float | None = None
    step: int = 1
    fps_out: float | None = None
    reopen: float = REOPEN_SECONDS

    def __post_init__(self) -> None:
        every, mirror = self.every, self.mirror
        keep(
            self,
            every=None if every is None else whole("every", every, "a whole number of frames, at least 1, or None", 1),
            mirror=None if mirror is None else flag("mirror", mirror, "True, False or None"),
            time_constant=check_smoothing(self.smooth, self.time_constant),
            raw=flag("raw", self.raw),
            fps=check_fps(self.fps),
            reopen=check_patience(self.reopen),
            batch=whole("batch", self.batch, "a whole number of frames, at least 1", 1),
            step=self.excerpt.step,
            fps_out=self.excerpt.rate,
        )

    @property
    def excerpt(self) -> Excerpt:
        """Which frames are recognised.

        Raises:
            UsageError: an option out of range.
        """
        end = None if self.end is None else seconds_of(self.end, "end")
        return Excerpt(start=seconds_of(self.start, "start"), end=end, step=self.step, rate=self.fps_out)

    def smoothing(self, *, live: bool) -> str | MakeSmoothing:
        """How a file or a live source is smoothed."""
        if self.smooth != DEFAULT_SMOOTHING:
            return self.smooth
        return CAUSAL if live else SYMMETRIC

    def to_dict(self, *, live: bool | None = None) -> dict[str, Any]:
        """Those that change results, as values of JSON.

        Args:
            live: whether the video is a live source; None: not known, so that ``auto`` stays.
        """
        used = self.smooth if live is None else self.smoothing(live=live)
        smooth = used if isinstance(used, str) else getattr(used, "__name__", "own")
        options = {"every": self.every, "smooth": smooth, "mirror": self.mirror, "fps": self.fps}
        if self.time_constant is not None:
            options["time_constant"] = self.time_constant
        if self.raw:
            options["raw"] = True
        return options | self.excerpt.to_dict()


def checked_source(source: Any, excerpt: Excerpt = WHOLE) -> VideoInput:
    """What a video is read from; what it cannot be read from is refused before the first frame is asked for.

    Raises:
        UsageError: it is no path, number, address, list of pictures or `mien.VideoSource`; or it is live, and the
            excerpt has a start or an end.
    """
    if isinstance(source, Integral) and not isinstance(source, bool):
        source = whole("the number of a webcam", source, "a whole number, from 0", 0)
    elif isinstance(source, bool | bytes | bytearray) or not (
        isinstance(source, str | Path | Sequence) or callable(getattr(source, "images", None))
    ):
        raise UsageError(f"a {type(source).__name__} is no video: expected {_SOURCE}")
    elif isinstance(source, Sequence) and not isinstance(source, str):
        several("the source", source, PICTURES, _SOURCE)
        for picture in source:
            if isinstance(picture, np.ndarray):
                check_array(picture)
    if excerpt.cuts and (getattr(source, "live", False) or (isinstance(source, str | int) and is_live(source))):
        raise not_live(without_password(str(getattr(source, "name", source))))
    found: VideoInput = source
    return found


def recognize_video(
    pipeline: Pipeline, source: VideoInput, options: StreamOptions | None = None
) -> Generator[Recognized, None, None]:
    """The images of a video with their faces, in order; closing the iterator releases the source.

    Raises:
        InputError: the source cannot be opened, or, after its last readable image, is damaged or ends early.
        MissingExtraError: the source needs PyAV, which is not installed.
    """
    options = options or StreamOptions()
    opened = _opened(source, options)
    with closing(_search_opened(pipeline, opened, options, keep_images=True)) as searched:
        yield from recognize_images(pipeline, searched, options, live=opened.live)


def recognize_images(
    pipeline: Pipeline, searched: Iterable[Searched], options: StreamOptions, *, live: bool = False
) -> Generator[Recognized, None, None]:
    """The images of one video in which faces were looked for, wherever that was done, classified and steadied.

    Raises:
        UsageError: a live source is to be smoothed by what looks ahead.
    """
    header = pipeline.header.with_options(**options.to_dict(live=live))
    classified: Iterator[Recognized] = (
        recognized
        for together in batched(map(Stillness().noted, searched), 1 if live else options.batch)
        for recognized in pipeline.recognized(together, header)
    )
    if options.raw:
        classified = map(_with_raw, classified)
    smoothing = options.smoothing(live=live)
    if smoothing == SYMMETRIC and not live:
        return Symmetric(options.time_constant or TIME_CONSTANT).steadied(classified)
    smoother = Smoother(smoothing, options.time_constant)
    return (replace(seen, frame=smoother.smooth(seen.frame)) for seen in classified)


def _with_raw(seen: Recognized) -> Recognized:
    faces = tuple(replace(face, raw=face.probabilities) for face in seen.frame.faces)
    return replace(seen, frame=replace(seen.frame, faces=faces))


def search_video(
    finder: Finder, source: VideoInput, options: StreamOptions, *, keep_images: bool = True
) -> Generator[Searched, None, None]:
    """The images of a video and the followed faces in them, in order; closing the iterator releases the source.

    Raises:
        InputError: see `recognize_video`.
        MissingExtraError: likewise.
    """
    return _search_opened(finder, _opened(source, options), options, keep_images=keep_images)


def _search_opened(
    finder: Finder, opened: VideoSource, options: StreamOptions, *, keep_images: bool
) -> Generator[Searched, None, None]:
    follower = finder.follower(Pace(options.every, monotonic if opened.live else None))
    mirror = getattr(opened, "mirrored", False) if options.mirror is None else options.mirror
    images = Reader(opened)
    try:
        for found in _search(finder, follower, images, Frame(opened.name), mirror=mirror):
            yield found if keep_images else replace(found, image=None)
    finally:
        images.close()
        if images.dropped:
            log.warning("%s: %d of %d frames dropped to keep up", opened.name, images.dropped, images.count)


def _opened(source: VideoInput, options: StreamOptions) -> VideoSource:
    if isinstance(source, str | Path | int | Sequence):
        return open_video(source, options.fps, options.excerpt, options.reopen)
    return excerpted(source, options.excerpt)


def _search(
    finder: Finder, follower: Follower, images: Iterable[VideoImage | Interruption], frame: Frame, *, mirror: bool
) -> Iterator[Searched]:
    cuts, persons = Cuts(), Persons()
    for shown in images:
        if isinstance(shown, Interruption):
            yield Searched(replace(frame, index=shown.number, time=shown.time, error=shown.reason))
            continue
        image = as_pixels(f"an image of {frame.source}", shown.image)
        image = np.ascontiguousarray(image[:, ::-1]) if mirror else image
        if cuts.cut(image, shown.time):
            follower.cut()
            persons.cut(back=cuts.back)
        height, width = image.shape[:2]
        finder.check((height, width), frame.source)
        found = finder.crop(image, follower.follow(image, shown.number, shown.time))
        seen = replace(frame, index=shown.number, time=shown.time, width=width, height=height)
        yield Searched(seen, image, tuple(_numbered(found, persons, shown.time)))


def _numbered(found: Sequence[Candidate], persons: Persons, time: float) -> Iterator[Candidate]:
    """The faces of a frame with the numbers of people instead of tracks."""
    faces = [(face.track, face.box, face.crop) for face in found if face.track is not None]
    numbers = persons.numbers(faces, time)
    yield from (replace(face, track=number) for face, number in zip(found, numbers, strict=True))
