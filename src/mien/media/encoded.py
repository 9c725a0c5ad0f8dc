"""Video decoding (PyAV, FFmpeg): files and network streams; every frame that decodes, at its own time, upright.

What is damaged or missing becomes an error after the last frame that can be read.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import av
import numpy as np
from av import VideoFrame

from mien.errors import InputError
from mien.media.pictures import MAX_PIXELS, Pixels
from mien.media.video import DEFAULT_FPS, STANDARD_INPUT, VideoImage, is_address, without_password

_PATIENCE: Final = 10.0
_ALWAYS_LIVE: Final = frozenset({"rtsp", "rtsps", "rtp", "udp", "srt", "rtmp"})
_DURATION_TAG: Final = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")


class Container:
    """A video file, stream or standard input, read by PyAV.

    Args:
        source: path, address, or ``-``.
        fps: of raw streams.

    Raises:
        InputError: it cannot be opened, or holds no video.
    """

    def __init__(self, source: str, fps: float = DEFAULT_FPS) -> None:
        self.name = without_password(source)
        self._container = _open(source, self.name, fps)
        self._stream = video_stream(self._container, self.name)
        if self._stream.width * self._stream.height > MAX_PIXELS:
            self.close()
            raise InputError(f"{self.name}: frames of more than {MAX_PIXELS // 10**6} megapixels")
        scheme = urlsplit(source).scheme.lower() if is_address(source) else ""
        self.live = scheme in _ALWAYS_LIVE or (bool(scheme) and self._container.duration is None)
        self._stream.thread_type = "SLICE" if self.live else "AUTO"  # threads over frames add latency

    def images(self) -> Iterator[VideoImage]:
        damage = _Damage()
        times = _Times(self._container, self._stream)
        number = 0
        for frame in self._frames(damage, times):
            moment = times.of(frame, number)
            yield VideoImage(number, moment, _upright(frame))
            number += 1
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
    """When the frames of a stream are shown, seconds from the start of its container.

    AVI says only when packets are decoded. Its frames are shown in the order of these moments, one for one; packets
    that do not decode, and places that were left empty when it was filmed, shift nothing.
    """

    def __init__(self, container: Any, stream: Any) -> None:
        self._step = 1 / float(stream.average_rate or stream.guessed_rate or DEFAULT_FPS)
        self._decoded: deque[float] | None = deque() if container.format.name == "avi" else None
        self._start = Fraction(container.start_time or 0, 1_000_000)
        self._announced = _announced_end(stream)
        self.end = 0.0

    def note(self, packet: Any) -> None:
        """Take in a packet that was decoded, before its frames."""
        if self._decoded is not None and packet.dts is not None:
            self._decoded.append(float(packet.dts * packet.time_base))

    def of(self, frame: VideoFrame, number: int) -> float:
        """The time of the next frame."""
        moment = self._moment(frame)
        moment = number * self._step if moment is None else moment
        lasting = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else self._step
        self.end = max(self.end, moment + lasting)
        return moment

    def _moment(self, frame: VideoFrame) -> float | None:
        if self._decoded is not None:
            return self._decoded.popleft() if self._decoded else self.end
        if frame.pts is None or frame.time_base is None:
            return None
        return float(frame.pts * frame.time_base - self._start)

    @property
    def missing(self) -> float:
        """Seconds between the end that was read and the one announced, as far as they are more than two frames."""
        if self._announced is None:
            return 0.0
        missing = self._announced - self.end
        return missing if missing > max(2 * self._step, 0.1) else 0.0


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
    return float(((stream.start_time or 0) + stream.duration) * stream.time_base)


def _open(source: str, name: str, fps: float) -> Any:
    path = "pipe:" if source == STANDARD_INPUT else source
    try:
        if source == STANDARD_INPUT or is_address(source):
            options = {"framerate": f"{fps:g}", "rtsp_transport": "tcp"}
            return av.open(path, options=options, timeout=(_PATIENCE, _PATIENCE) if is_address(source) else None)
        if Path(source).is_dir():
            raise InputError(f"{name}: a folder, not a video")
        return av.open(f"file:{path}")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"{name}: not a video that can be read ({_said(error)})") from None


def _said(error: Exception) -> str:
    """What FFmpeg says of an error, without its name of the file."""
    return (getattr(error, "strerror", None) or str(error)).partition("\n")[0]


def _upright(frame: VideoFrame) -> Pixels:
    """The pixels of a frame as they are to be seen; a display matrix turns in steps of 90 degrees."""
    image = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image
