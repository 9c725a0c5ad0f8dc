"""Video decoding (PyAV, FFmpeg): files and network streams; every frame that decodes, at its own time, upright.

What is damaged or missing becomes an error after the last frame that can be read.
"""

import os
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
from mien.media.decode_picture import MAX_PIXELS, Pixels
from mien.media.excerpt import WHOLE, Excerpt
from mien.media.seek import Beginning, by_index, by_reading
from mien.media.video_faults import fault_of_file
from mien.media.video_orientation import Orientation
from mien.media.video_source import (
    LIVE_SCHEMES,
    RAW_SUFFIXES,
    STANDARD_INPUT,
    VideoImage,
    is_address,
    without_password,
)
from mien.media.video_times import VideoTimes

_PATIENCE: Final = 10.0
_ENDLESS: Final = frozenset({"mpjpeg", "hls"})
"""Formats of cameras on the network, by FFmpeg's names."""

_UNSEEKABLE: Final = "; most MP4 files cannot be read from standard input, name the file instead"


class Container:
    """A video file, stream or standard input, read by PyAV.

    Args:
        source: path, address, or ``-``.
        fps: of raw streams.
        excerpt: which frames are given.

    Raises:
        InputError: it cannot be opened, or holds no video.
    """

    origin = Fraction(0)
    """When the first frame is shown by the clock of the file, seconds; known when it was read."""

    excerpt = WHOLE
    """Which frames are given."""

    _file: tuple[str, float] | None = None
    """What can be opened anew, to begin at another place."""

    def __init__(self, source: str, fps: float = DEFAULT_FPS, excerpt: Excerpt = WHOLE) -> None:
        self.name, self.excerpt = without_password(source), excerpt
        self._open(source, fps)
        if self._stream.width * self._stream.height > MAX_PIXELS:
            self.close()
            raise InputError(f"{self.name}: frames of more than {MAX_PIXELS // 10**6} megapixels")
        scheme = urlsplit(source).scheme.lower() if is_address(source) else ""
        self._file = (source, fps) if not scheme and source != STANDARD_INPUT else None
        self._endless = scheme in LIVE_SCHEMES
        self.live = scheme in LIVE_SCHEMES or (bool(scheme) and self._container.duration is None)

    @property
    def goes_on(self) -> bool:
        """Whether it is a live stream that should never end, so that its end is an interruption."""
        return self._endless or (self.live and self._container.format.name in _ENDLESS)

    def _open(self, source: str, fps: float) -> None:
        self._container = _open(source, self.name, fps)
        self._stream = video_stream(self._container, self.name)
        # Threads over frames would add latency; and PyAV drops what they still hold when the last packets are damaged.
        self._stream.thread_type = "SLICE"

    def images(self) -> Iterator[VideoImage]:
        damage, orientation, wanted = _Damage(), Orientation(), self.excerpt.choice()
        times = VideoTimes(self.name, self._container, self._stream)
        beginning = self._beginning(times)
        number = beginning.number
        for frame in self._frames(damage, times, beginning):
            moment = times.of(frame)
            self.origin = times.clock.origin or Fraction(0)
            orientation.note(frame)
            if wanted(moment):
                yield VideoImage(number, moment, orientation.upright(_pixels(frame)))
            if wanted.over:
                break
            number += 1
        times.sum_up()
        damage.check(self.name, number, times, to_the_end=not wanted.over)
        wanted.check(self.name)

    def _beginning(self, times: VideoTimes) -> Beginning:
        """Where decoding begins, at the key frame before the first wanted frame."""
        start = self.excerpt.start
        if start > 0 and self._file is not None:
            found = by_index(self._container, self._stream, times, start)
            if found is not None:
                return found
            self._reopen(self._file)
            place = by_reading(self._container, self._stream, times.fresh_clock(), start)
            self._reopen(self._file)
            if place is not None:
                return place.beginning(self._container, self._stream, times)
        return Beginning(self._container.demux(self._stream))

    def _reopen(self, file: tuple[str, float]) -> None:
        self.close()
        self._open(*file)

    def close(self) -> None:
        self._container.close()

    def _frames(self, damage: "_Damage", times: VideoTimes, beginning: Beginning) -> Iterator[VideoFrame]:
        """Every frame that decodes; what does not is noted."""
        packets = beginning.packets
        while (packet := damage.of_file(lambda: next(packets, None))) is not None:
            frames = damage.of_packet(packet.decode)
            if frames is not None:
                times.note(packet)
            for frame in frames or ():
                if beginning.has(frame):
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

    def check(self, name: str, count: int, times: VideoTimes, *, to_the_end: bool) -> None:
        """Raise if the video was damaged or, where it was read to the end, ended before its header says it does."""
        read = f"the {count} frames that could be read are there"
        if not count:
            stopped = f" ({self.stopped})" if self.stopped else ": it is empty, or truncated before the first"
            hint = _UNSEEKABLE if self.stopped and name == STANDARD_INPUT else ""
            raise InputError(f"{name}: no frame of it can be decoded{self.reason or stopped}{hint}")
        if self.stopped:
            raise InputError(f"{name}: breaks off at {times.end:.2f} s ({self.stopped}); {read}")
        if self.broken:
            raise InputError(f"{name}: damaged (places: {self.broken}{self.reason}); {read}")
        if to_the_end and times.missing > 0:
            lacking = f"{times.missing:.2f} s before its header says; truncated?"
            raise InputError(f"{name}: ends at {times.end:.2f} s, {lacking} {read.capitalize()}")


def length_of(path: Path) -> float | None:
    """How long a video is by its header, seconds; None where that does not say, or where it is no video."""
    try:
        with _open(str(path), str(path), DEFAULT_FPS) as container:
            stream = video_stream(container, str(path))
            for ticks, tick in ((stream.duration, stream.time_base), (container.duration, Fraction(1, av.time_base))):
                if ticks is not None and tick is not None:
                    return float(ticks * tick)
    except InputError:  # whoever reads it says so
        pass
    return None


def first_stamp(path: Path) -> Fraction:
    """When the first frame of a video that decodes is shown, seconds by the clock of the file; 0 without one.

    Raises:
        InputError: it cannot be read.
    """
    with closing(Container(str(path))) as video:
        next(video.images(), None)
        return video.origin


def _open(source: str, name: str, fps: float) -> Any:
    given = _StandardInput() if source == STANDARD_INPUT else None
    try:
        if given is not None or is_address(source):
            options = {"framerate": f"{fps:g}", "rtsp_transport": "tcp"}
            return av.open(given or source, options=options, timeout=None if given else (_PATIENCE, _PATIENCE))
        if Path(source).is_dir():
            raise InputError(f"{name}: a folder, not a video")
        raw = {"framerate": f"{fps:g}"} if Path(source).suffix.lower() in RAW_SUFFIXES else {}
        return av.open(f"file:{source}", options=raw)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        if given is not None and given.empty:
            raise InputError(f"{name}: standard input is empty; give it a video: mien predict - < FILE") from None
        fault = None if given or is_address(source) else fault_of_file(Path(source))
        raise InputError(f"{name}: {fault or f'not a video that can be read ({_said(error)})'}") from None


class _StandardInput:
    """Standard input as PyAV reads it, unlike FFmpeg interruptible and with a memory of whether anything came."""

    empty = True

    def read(self, size: int) -> bytes:
        part = os.read(0, size)
        self.empty = self.empty and not part
        return part


def _said(error: Exception) -> str:
    """What FFmpeg says of an error, without its name of the file."""
    return (getattr(error, "strerror", None) or str(error)).partition("\n")[0]


def _pixels(frame: VideoFrame) -> Pixels:
    return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
