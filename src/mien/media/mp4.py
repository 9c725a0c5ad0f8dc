"""Video encoding (PyAV): H.264 in MP4 at the original's time stamps, with its sound."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from av import Packet, VideoFrame

from mien.errors import InputError
from mien.files import partial_path, writing
from mien.media.decode_picture import Pixels
from mien.media.kinds import MARK
from mien.media.sound import Sound

_TICKS: Final = 90_000
"""Units of time a second; they hold 24, 25 and 30 frames a second without rounding."""

_ENCODER: Final = {"preset": "veryfast", "crf": "20"}


class VideoWriter:
    """Writes images as an MP4 file, which appears under its name, whole, when it is closed.

    Args:
        target: the file; its folder exists.
        sound: a video whose sound is taken along: copied when MP4 can hold it, else encoded as AAC. What cannot
            be taken along is left out, which a warning says.
        start: time of that video with which the file begins, seconds.

    Raises:
        InputError: the file cannot be written.
    """

    def __init__(self, target: Path, sound: Path | None = None, start: float = 0.0) -> None:
        self.target, self._start = target, start
        self._partial = partial_path(target)
        self._video: Any = None
        self._sound: Sound | None = None
        try:
            with self._writing():
                self._partial.touch()  # PyAV opens the file only when something is written
                self._file = av.open(f"file:{self._partial}", "w", format="mp4")
                self._file.metadata["comment"] = MARK
        except InputError:
            self._partial.unlink(missing_ok=True)
            raise
        try:
            self._sound = Sound(sound, self._file, start) if sound is not None else None
        except BaseException:
            self._release()
            raise
        self._last, self._step = -1, _TICKS // 25

    def write(self, image: Pixels, time: float) -> None:
        """Add an image.

        Args:
            image: RGB uint8 (H, W, 3); one of another size than the first is fitted into that, on black.
            time: when it is shown, seconds; later than the one before.

        Raises:
            InputError: it cannot be written.
        """
        even = np.pad(image, [(0, side % 2) for side in image.shape[:2]] + [(0, 0)], "edge")
        frame = VideoFrame.from_ndarray(even, "rgb24")
        if self._video is not None and (frame.width, frame.height) != (self._video.width, self._video.height):
            frame = _fitted(frame, self._video.width, self._video.height)
        frame.pts = max(self._last + 1, round((time - self._start) * _TICKS))
        frame.time_base = Fraction(1, _TICKS)
        if self._video is not None:
            self._step = frame.pts - self._last
        self._last = frame.pts
        if self._video is None:
            self._video = _h264(self._file, frame)
        self._mux(self._video.encode(frame))
        if self._sound is not None:
            self._mux_sound(self._sound, self._sound.until(time - self._start))

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
            self._mux_sound(self._sound, self._sound.until((self._last + self._step) / _TICKS))
            self._mux_sound(self._sound, self._sound.rest())

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

    def _mux_sound(self, sound: Sound, packets: Iterable["Packet[Any]"]) -> None:
        with self._writing():
            for packet in packets:
                try:
                    self._file.mux(packet)
                except (av.error.ArgumentError, av.error.InvalidDataError) as error:  # of the packet, not of the disk
                    sound.end(error)
                    return


def _fitted(frame: VideoFrame, width: int, height: int) -> VideoFrame:
    """A frame as large as fits into a size, in the middle of black."""
    share = min(width / frame.width, height / frame.height)
    across, down = max(1, round(share * frame.width)), max(1, round(share * frame.height))
    image = np.zeros((height, width, 3), np.uint8)
    left, top = (width - across) // 2, (height - down) // 2
    image[top : top + down, left : left + across] = frame.reformat(across, down).to_ndarray(format="rgb24")
    return VideoFrame.from_ndarray(image, "rgb24")


def _h264(file: Any, frame: VideoFrame) -> Any:
    stream = file.add_stream("libx264", options=dict(_ENCODER))
    stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuv420p"
    stream.codec_context.time_base = Fraction(1, _TICKS)
    return stream
