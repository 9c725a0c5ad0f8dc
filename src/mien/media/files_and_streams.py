"""Video decoding (PyAV, FFmpeg): files and network streams; every frame that decodes, at its own time, upright.

What is damaged or missing becomes an error after the last frame that can be read.
"""

import logging
import re
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import av
import numpy as np
from av import VideoFrame

from mien.defaults import DEFAULT_FPS
from mien.errors import InputError
from mien.media.clock import Clock
from mien.media.decode_picture import MAX_PIXELS, Pixels
from mien.media.video_orientation import Orientation
from mien.media.video_source import RAW_SUFFIXES, STANDARD_INPUT, VideoImage, is_address, without_password

log: Final = logging.getLogger("mien")

_PATIENCE: Final = 10.0
_ALWAYS_LIVE: Final = frozenset({"rtsp", "rtsps", "rtp", "udp", "srt", "rtmp"})
_MAY_JUMP: Final = 0x0200
"""AVFMT_TS_DISCONT of FFmpeg's avformat.h."""

_NAMED_JUMPS: Final = 5
_DURATION_TAG: Final = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")


class Container:
    """A video file, stream or standard input, read by PyAV.

    Args:
        source: path, address, or ``-``.
        fps: of raw streams.

    Raises:
        InputError: it cannot be opened, or holds no video.
    """

    origin = Fraction(0)
    """When the first frame is shown by the clock of the file, seconds; known when it was read."""

    def __init__(self, source: str, fps: float = DEFAULT_FPS) -> None:
        self.name = without_password(source)
        self._container = _open(source, self.name, fps)
        self._stream = video_stream(self._container, self.name)
        if self._stream.width * self._stream.height > MAX_PIXELS:
            self.close()
            raise InputError(f"{self.name}: frames of more than {MAX_PIXELS // 10**6} megapixels")
        scheme = urlsplit(source).scheme.lower() if is_address(source) else ""
        self.live = scheme in _ALWAYS_LIVE or (bool(scheme) and self._container.duration is None)
        # Threads over frames would add latency; and PyAV drops what they still hold when the last packets are damaged.
        self._stream.thread_type = "SLICE"

    def images(self) -> Iterator[VideoImage]:
        damage = _Damage()
        times, orientation = _Times(self.name, self._container, self._stream), Orientation()
        number = 0
        for frame in self._frames(damage, times):
            moment = times.of(frame)
            self.origin = times.clock.origin or Fraction(0)
            yield VideoImage(number, moment, orientation.upright(frame, _pixels(frame)))
            number += 1
        times.sum_up()
        damage.check(self.name, number, times)

    def close(self) -> None:
        self._container.close()

    def _frames(self, damage: "_Damage", times: "_Times") -> Iterator[VideoFrame]:
        """Every frame that decodes; what does not is noted."""
        packets = self._container.demux(self._stream)
        while (packet := damage.of_file(lambda: next(packets, None))) is not None:
            frames = damage.of_packet(packet.decode)
            if frames is not None:
                times.note(packet)
            for frame in frames or ():
                damage.broken += frame.is_corrupt
                yield frame


def video_stream(container: Any, name: str) -> Any:
    """The first video stream of an open container of PyAV, which is closed when there is none.

    Raises:
        InputError: no video in it, or of a codec that FFmpeg does not know, as a damaged header may say.
    """
    if not container.streams.video:
        container.close()
        raise InputError(f"{name}: no video in it")
    stream = container.streams.video[0]
    if stream.codec_context is None:
        container.close()
        raise InputError(f"{name}: no video in it that can be decoded (unknown codec)")
    return stream


class _Damage:
    """What was wrong with a video, collected while the rest is read."""

    def __init__(self) -> None:
        self.broken = 0
        self.reason = ""
        self.stopped = ""

    def of_file(self, action: Callable[[], Any]) -> Any:
        """What reading gives; None at the end, and when it fails."""
        try:
            return action()
        except av.error.EOFError:
            return None
        except av.error.FFmpegError as error:
            self.stopped = _said(error)
            return None

    def of_packet(self, action: Callable[[], Any]) -> Any:
        """What decoding gives; None when it fails."""
        try:
            return action()
        except av.error.EOFError:
            return None
        except av.error.FFmpegError as error:
            self.broken += 1
            self.reason = self.reason or f", first: {_said(error)}"
            return None

    def check(self, name: str, count: int, times: "_Times") -> None:
        """Raise if the video was damaged or ended before its header says it does."""
        read = f"the {count} frames that could be read are there"
        if not count:
            raise InputError(f"{name}: no frame of it can be decoded{self.reason or ', it is empty'}")
        if self.stopped:
            raise InputError(f"{name}: breaks off at {times.end:.2f} s ({self.stopped}); {read}")
        if self.broken:
            raise InputError(f"{name}: damaged (places: {self.broken}{self.reason}); {read}")
        if times.missing > 0:
            lacking = f"{times.missing:.2f} s before its header says; truncated?"
            raise InputError(f"{name}: ends at {times.end:.2f} s, {lacking} {read.capitalize()}")


class _Times:
    """When the frames of a stream are shown, seconds from the first of them, never falling.

    AVI says only when packets are decoded. Its frames are shown in the order of these moments, one for one; packets
    that do not decode, and places that were left empty when it was filmed, shift nothing.
    """

    def __init__(self, name: str, container: Any, stream: Any) -> None:
        rate = stream.average_rate or stream.guessed_rate
        self._step = 1 / Fraction(rate) if rate else Fraction(1 / DEFAULT_FPS)
        self._decoded: deque[Fraction] | None = deque() if container.format.name == "avi" else None
        self._name, self._warnings = name, 0
        self.clock = Clock(self._step, jumps=clock_may_jump(container), warn=self._warn)
        self._announced = _announced_end(stream)
        self._moment = self._file_end = Fraction(0)
        self.end = 0.0

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

    @property
    def missing(self) -> float:
        """Seconds between the end that was read and the one announced, as far as they are more than two frames.

        Headers count from the zero of the file's clock, or, in Matroska of some writers, from the first frame.
        """
        if self._announced is None:
            return 0.0
        missing = self._announced - max(float(self._file_end), self.end)
        return missing if missing > max(2 * float(self._step), 0.1) else 0.0


def clock_may_jump(container: Any) -> bool:
    """Whether the format of a container of PyAV lets its clock jump."""
    return bool(container.format.flags & _MAY_JUMP)


def first_stamp(path: Path) -> Fraction:
    """When the first frame of a video that decodes is shown, seconds by the clock of the file; 0 without one.

    Raises:
        InputError: it cannot be read.
    """
    with closing(Container(str(path))) as video:
        next(video.images(), None)
        return video.origin


def _announced_end(stream: Any) -> float | None:
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


def _open(source: str, name: str, fps: float) -> Any:
    path = "pipe:" if source == STANDARD_INPUT else source
    try:
        if source == STANDARD_INPUT or is_address(source):
            options = {"framerate": f"{fps:g}", "rtsp_transport": "tcp"}
            return av.open(path, options=options, timeout=(_PATIENCE, _PATIENCE) if is_address(source) else None)
        if Path(source).is_dir():
            raise InputError(f"{name}: a folder, not a video")
        raw = {"framerate": f"{fps:g}"} if Path(source).suffix.lower() in RAW_SUFFIXES else {}
        return av.open(f"file:{path}", options=raw)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"{name}: not a video that can be read ({_said(error)})") from None


def _said(error: Exception) -> str:
    """What FFmpeg says of an error, without its name of the file."""
    return (getattr(error, "strerror", None) or str(error)).partition("\n")[0]


def _pixels(frame: VideoFrame) -> Pixels:
    return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
