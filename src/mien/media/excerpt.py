"""Which frames of a video are wanted: from a start to an end, every N-th one, or so many a second."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mien.errors import InputError, UsageError
from mien.given import keep, real, whole, wrong
from mien.media.video_source import Interruption, VideoImage, VideoSource, stop_waiting

_CLOCK: Final = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)", re.ASCII)
_MOMENT: Final = "seconds (90, 90.5), mm:ss or hh:mm:ss.mmm"
_EPSILON: Final = 1e-6
"""Seconds that times may be off by rounding."""


def seconds_of(moment: str | float, name: str) -> float:
    """A moment of a video as seconds.

    Args:
        moment: seconds, as a number or written; ``mm:ss`` or ``hh:mm:ss``, with decimals or without.
        name: of the option, for messages.

    Raises:
        UsageError: it is none of these, or negative.
    """
    if not isinstance(moment, str):
        return float(real(name, moment, _MOMENT, lambda seconds: 0 <= seconds < math.inf))
    text = moment.strip()
    clock = _CLOCK.fullmatch(text)
    if clock:
        hours, minutes, seconds = (float(part or 0) for part in clock.groups())
        if seconds < 60 and (minutes < 60 or clock[1] is None):
            return 3600 * hours + 60 * minutes + seconds
    elif re.fullmatch(r"\d+(\.\d*)?|\.\d+", text, re.ASCII):
        seconds = float(text)
        if 0 <= seconds < math.inf:
            return seconds
    raise wrong(name, moment, _MOMENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """The wanted frames of a video. Their times and numbers stay those of the whole video.

    Args:
        start: time of the first frame at the earliest, seconds.
        end: frames from this time on are left out, seconds; None: as far as the video goes.
        step: every how manieth frame is wanted, from the first one on, at least 1.
        rate: at most so many frames a second: of each stretch of 1/rate seconds the first frame; None: all.

    Raises:
        UsageError: a value out of range, an end that is not behind the start, or both ``step`` and ``rate``.
    """

    start: float = 0.0
    end: float | None = None
    step: int = 1
    rate: float | None = None

    def __post_init__(self) -> None:
        keep(self, step=whole("step", self.step, "a whole number of frames, at least 1", 1))
        if self.rate is not None:
            expected = "a number of frames a second above 0"
            keep(self, rate=real("fps_out", self.rate, expected, lambda rate: 0 < rate < math.inf))
        if self.rate is not None and self.step != 1:
            raise UsageError("step and fps_out contradict each other: leave one out")
        if self.end is not None and self.end <= self.start:
            raise UsageError(f"the end, {self.end:g} s, is not behind the start, {self.start:g} s")

    @property
    def cuts(self) -> bool:
        """Whether it has a start or an end."""
        return self.start > 0 or self.end is not None

    def to_dict(self) -> dict[str, float | int]:
        """What is not as for the whole video, by the names of the options."""
        named = {"start": self.start or None, "end": self.end, "step": self.step if self.step > 1 else None}
        return {name: value for name, value in (named | {"fps_out": self.rate}).items() if value is not None}

    def choice(self) -> "Choice":
        """What picks the frames of one video."""
        return Choice(self)


WHOLE: Final = Excerpt()
"""Every frame."""


class Choice:
    """Picks frames by their times, which are asked for in order.

    Args:
        excerpt: which are wanted.
    """

    def __init__(self, excerpt: Excerpt) -> None:
        self._excerpt = excerpt
        self._first: float | None = None
        self._count = 0
        self._stretch = -1
        self._last = 0.0
        self.over = False
        """Whether the end was passed, so that nothing more is wanted."""

    def __call__(self, time: float) -> bool:
        """Whether the frame of that time, seconds, is wanted."""
        excerpt = self._excerpt
        self._last = max(self._last, time)
        self.over = self.over or (excerpt.end is not None and time >= excerpt.end - _EPSILON)
        if self.over or time < excerpt.start - _EPSILON:
            return False
        self._first = time if self._first is None else self._first
        self._count += 1
        if excerpt.rate is None:
            return (self._count - 1) % excerpt.step == 0
        stretch = math.floor((time - self._first) * excerpt.rate + _EPSILON)
        new, self._stretch = stretch > self._stretch, max(stretch, self._stretch)
        return new

    def check(self, name: str) -> None:
        """Refuse a part without a frame; to be called at the end of a video, or of its part.

        Raises:
            InputError: no frame was so late, or none lies between start and end.
        """
        excerpt = self._excerpt
        if self._first is not None:
            return
        if self.over:
            found = f"no frame from {excerpt.start:g} to {excerpt.end:g} s, the next one is at {self._last:.3f} s"
            raise InputError(f"{name}: {found}")
        if excerpt.start > 0:
            late = f"its last frame is at {self._last:.3f} s, before the start asked for, {excerpt.start:g} s"
            raise InputError(f"{name}: {late}")


class Excerpted:
    """A source of which some images are wanted.

    Args:
        source: any source.
        excerpt: which of its images.
    """

    def __init__(self, source: VideoSource, excerpt: Excerpt) -> None:
        self.name, self.live = source.name, source.live
        self.mirrored = getattr(source, "mirrored", False)
        self._source, self._excerpt = source, excerpt

    def images(self) -> Iterator[VideoImage | Interruption]:
        """The wanted images, and every interruption; what lies behind the last image is not read."""
        wanted = self._excerpt.choice()
        for image in self._source.images():
            if isinstance(image, Interruption) or wanted(image.time):
                yield image
            elif wanted.over:
                break
        wanted.check(self.name)

    def stop(self) -> None:
        """End a wait for images, see `mien.media.reopening.Reopening`."""
        stop_waiting(self._source)

    def close(self) -> None:
        """Release the source."""
        self._source.close()


def check_live(source: VideoSource, excerpt: Excerpt) -> None:
    """Refuse a start or an end of what has neither; the source is closed then.

    Raises:
        UsageError: it is live.
    """
    if source.live and excerpt.cuts:
        source.close()
        raise not_live(source.name)


def not_live(name: str) -> UsageError:
    """What is said of a start or an end of a live source."""
    return UsageError(f"{name}: a live source has no start and no end to choose; they are for files")
