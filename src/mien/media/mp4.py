"""Video encoding (PyAV): H.264 in MP4 at the original's time stamps, with its sound."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from av import AudioStream, Packet, VideoFrame

from mien.errors import InputError
from mien.files import partial_path, writing
from mien.media.pictures import Pixels

_TICKS: Final = 90_000
"""Units of time a second; they hold 24, 25 and 30 frames a second without rounding."""

_COPIED: Final = frozenset({"aac", "mp3", "ac3", "eac3", "opus", "alac"})
_ENCODER: Final = {"preset": "veryfast", "crf": "20"}


class VideoWriter:
    """Writes images as an MP4 file, which appears under its name, whole, when it is closed.

    Args:
        target: the file; its folder exists.
        sound: a video whose first audio stream is taken along: copied when MP4 can hold it, else encoded as AAC.

    Raises:
        InputError: the file cannot be written.
    """

    def __init__(self, target: Path, sound: Path | None = None) -> None:
        self.target = target
        self._partial = partial_path(target)
        with self._writing():
            self._partial.touch()  # PyAV opens the file only when something is written
            self._file = av.open(f"file:{self._partial}", "w", format="mp4")
        self._video: Any = None
        self._sound = _Sound.of(sound, self._file) if sound is not None else None
        self._last, self._step = -1, _TICKS // 25

    def write(self, image: Pixels, time: float) -> None:
        """Add an image.

        Args:
            image: RGB uint8 (H, W, 3), all of one size.
            time: when it is shown, seconds; later than the one before.

        Raises:
            InputError: it cannot be written, or has another size than the one before.
        """
        even = np.pad(image, [(0, side % 2) for side in image.shape[:2]] + [(0, 0)], "edge")
        frame = VideoFrame.from_ndarray(even, "rgb24")
        frame.pts = max(self._last + 1, round(time * _TICKS))
        frame.time_base = Fraction(1, _TICKS)
        if self._video is not None:
            self._step = frame.pts - self._last
        self._last = frame.pts
        if self._video is None:
            self._video = _h264(self._file, frame)
        if (frame.width, frame.height) != (self._video.width, self._video.height):
            raise InputError(f"{self.target}: a frame has another size than the first, {even.shape[1]}x{even.shape[0]}")
        self._mux(self._video.encode(frame))
        if self._sound is not None:
            self._mux(self._sound.until(time))

    def close(self) -> Path | None:
        """Finish the file; its path, None when nothing was written to it.

        Raises:
            InputError: it cannot be written.
        """
        try:
            with self._writing():
                if self._video is not None:
                    self._finish()
                self._file.close()
                if self._video is not None:
                    self._partial.replace(self.target)
        finally:
            self._release()
        return self.target if self._video is not None else None

    def _finish(self) -> None:
        self._mux(self._lasting(self._video.encode()))
        if self._sound is not None:
            self._mux(self._sound.until((self._last + self._step) / _TICKS))
            self._mux(self._sound.rest())

    def _release(self) -> None:
        if self._sound is not None:
            self._sound.close()
        with suppress(av.error.FFmpegError, OSError):
            self._file.close()
        self._partial.unlink(missing_ok=True)

    def _lasting(self, packets: Iterable["Packet[Any]"]) -> Iterator["Packet[Any]"]:
        """The last packets; the very last image is shown as long as the one before it."""
        for packet in packets:
            if packet.pts is not None and packet.pts * packet.time_base == Fraction(self._last, _TICKS):
                packet.duration = round(Fraction(self._step, _TICKS) / packet.time_base)
            yield packet

    def _mux(self, packets: Iterable["Packet[Any]"]) -> None:
        with self._writing():
            for packet in packets:
                self._file.mux(packet)

    def _writing(self) -> AbstractContextManager[None]:
        return writing(self.target, InputError, av.error.FFmpegError)


def _h264(file: Any, frame: VideoFrame) -> Any:
    stream = file.add_stream("libx264", options=dict(_ENCODER))
    stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuv420p"
    stream.codec_context.time_base = Fraction(1, _TICKS)
    return stream


class _Sound:
    """The audio of a video as packets of another file, up to a moment."""

    def __init__(self, container: Any, source: AudioStream, target: Any, *, copied: bool) -> None:
        self._container, self._source, self._target, self._copied = container, source, target, copied
        self._packets: Iterator[Packet[Any]] = container.demux(source)
        self._next = self._following()
        self._start = Fraction(container.start_time or 0, 1_000_000)

    @classmethod
    def of(cls, path: Path, file: Any) -> "_Sound | None":
        """The sound of a video, with a stream for it in a file; None when it has none or cannot be read."""
        try:
            container = av.open(f"file:{path}")
        except (av.error.FFmpegError, OSError):  # whoever reads its images says so
            return None
        if not container.streams.audio:
            container.close()
            return None
        source = container.streams.audio[0]
        copied = source.codec_context.codec.canonical_name in _COPIED
        target = file.add_stream_from_template(source) if copied else file.add_stream("aac", rate=source.rate)
        return cls(container, source, target, copied=copied)

    def until(self, time: float) -> Iterator["Packet[Any]"]:
        """The packets that begin before a moment, seconds from the start of the video."""
        while self._next is not None and self._moment(self._next) <= time:
            yield from self._written(self._next)
            self._next = self._following()

    def rest(self) -> Iterator["Packet[Any]"]:
        """What an encoder still holds back."""
        if not self._copied:
            yield from self._target.encode(None)

    def close(self) -> None:
        """Release the video; may be called twice."""
        self._container.close()

    def _following(self) -> "Packet[Any] | None":
        try:
            return next(self._packets, None)
        except av.error.FFmpegError:  # the sound ends where the file is damaged
            return None

    def _moment(self, packet: "Packet[Any]") -> float:
        stamp = packet.pts if packet.pts is not None else packet.dts
        return float(stamp * packet.time_base - self._start) if stamp is not None else 0.0

    def _written(self, packet: "Packet[Any]") -> Iterator["Packet[Any]"]:
        if packet.dts is None:  # the end
            return
        if not self._copied:
            for frame in _decoded(packet):
                yield from self._target.encode(frame)
            return
        offset = round(self._start / packet.time_base)
        packet.dts -= offset
        packet.pts = packet.pts - offset if packet.pts is not None else packet.dts
        packet.stream = self._target
        yield packet


def _decoded(packet: "Packet[Any]") -> Sequence[Any]:
    try:
        return packet.decode()
    except av.error.FFmpegError:  # a moment of silence for one that is damaged
        return ()
