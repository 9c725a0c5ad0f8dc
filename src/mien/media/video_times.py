"""When the frames of a video are shown, and when it ends by its header."""

import logging
import re
from collections import deque
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, Final

from av import VideoFrame

from mien.defaults import DEFAULT_FPS
from mien.media.clock import Clock

log: Final = logging.getLogger("mien")

_MAY_JUMP: Final = 0x0200
"""AVFMT_TS_DISCONT of FFmpeg's avformat.h."""

_NAMED_JUMPS: Final = 5
_DURATION_TAG: Final = re.compile(r"(\d{1,6}):(\d\d):(\d\d(?:\.\d+)?)")


class VideoTimes:
    """When the frames of a stream are shown, seconds from the first of them, never falling.

    AVI says only when packets are decoded. Its frames are shown in the order of these moments, one for one; packets
    that do not decode, and places that were left empty when it was filmed, shift nothing.
    """

    def __init__(self, name: str, container: Any, stream: Any) -> None:
        self._step = frame_seconds(stream)
        self._decoded: deque[Fraction] | None = deque() if container.format.name == "avi" else None
        self._name, self._warnings = name, 0
        self._jumps = clock_may_jump(container)
        self.clock = Clock(self._step, jumps=self._jumps, warn=self._warn)
        self._announced = announced_end(stream)
        self._moment = self._file_end = Fraction(0)
        self.end = 0.0

    def begin(self, origin: Fraction) -> None:
        """Count from a moment of the file's clock, when the frames before are not read."""
        self.clock = Clock(self._step, origin=origin, warn=self._warn)

    def pass_over(self, stamps: Iterable[Fraction]) -> None:
        """Take in the moments of frames that are not decoded."""
        for stamp in stamps:
            self._moment = self.clock.time(stamp)

    def note(self, packet: Any) -> None:
        """Take in a packet that was decoded, before its frames."""
        if self._decoded is not None and packet.dts is not None:
            self._decoded.append(packet.dts * packet.time_base)

    def of(self, frame: VideoFrame) -> float:
        """The time of the next frame."""
        stamp = self._stamp(frame)
        self._moment = self.clock.time(stamp)
        lasting = frame.duration * frame.time_base if frame.duration and frame.time_base else self._step
        self._file_end = max(self._file_end, (self._moment if stamp is None else stamp) + lasting)
        self.end = max(self.end, float(self._moment + lasting))
        return float(self._moment)

    def _stamp(self, frame: VideoFrame) -> Fraction | None:
        if self._decoded is not None:
            return self._decoded.popleft() if self._decoded else None
        if frame.pts is None or frame.time_base is None:
            return None
        return frame.pts * frame.time_base

    def _warn(self, sentence: str) -> None:
        self._warnings += 1
        if self._warnings <= _NAMED_JUMPS:
            place = f"after {float(self._moment):.2f} s of the video"
            log.warning("%s: its clock %s, %s; times go on by the frame rate", self._name, sentence, place)

    def sum_up(self) -> None:
        """Say how often the clock jumped, if not every jump was named."""
        if self._warnings > _NAMED_JUMPS:
            log.warning("%s: its clock jumps %d times in all", self._name, self._warnings)

    def fresh_clock(self) -> Clock:
        """A clock like this one's, at its beginning, that warns of nothing."""
        return Clock(self._step, jumps=self._jumps)

    @property
    def missing(self) -> float:
        """Seconds between the end that was read and the one announced, as far as they are more than two frames.

        Headers count from the zero of the file's clock, or, in Matroska of some writers, from the first frame.
        """
        if self._announced is None:
            return 0.0
        missing = self._announced - max(float(self._file_end), self.end)
        return missing if missing > max(2 * float(self._step), 0.1) else 0.0


def frame_seconds(stream: Any) -> Fraction:
    """How long a frame of a stream is shown, by its header."""
    rate = stream.average_rate or stream.guessed_rate
    return 1 / Fraction(rate) if rate else Fraction(1 / DEFAULT_FPS)


def clock_may_jump(container: Any) -> bool:
    """Whether the format of a container of PyAV lets its clock jump."""
    return bool(container.format.flags & _MAY_JUMP)


def announced_end(stream: Any) -> float | None:
    """When a stream ends by its header, seconds; None where the header does not say, or only guesses."""
    tag = _DURATION_TAG.match(stream.metadata.get("DURATION", ""))
    if tag:
        hours, minutes, seconds = tag.groups()
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    # FFmpeg guesses the duration of an AVI without index; the count is the header's.
    if stream.container.format.name == "avi":
        return float(stream.frames / stream.average_rate) if stream.frames and stream.average_rate else None
    if stream.duration is None or "mp4" not in stream.container.format.name:
        return None
    # The header of a fragmented file counts no frames; its duration runs from the zero of the clock.
    start = (stream.start_time or 0) if stream.frames else 0
    return float((start + stream.duration) * stream.time_base)
