"""Uploaded videos, decoded from memory and never written to disk."""

import io
import time
from collections.abc import Iterator
from typing import Any, Final

import av

from mien.errors import InputError, MienError, RequestError, TooLargeError
from mien.media.boxes import Content
from mien.media.files_and_streams import Container, video_stream
from mien.media.seek import Beginning
from mien.media.video_faults import EMPTY, fault_of
from mien.media.video_source import VideoImage
from mien.media.video_structure import NAMED, check_video
from mien.media.video_times import VideoTimes
from mien.service.limits import Limits
from mien.service.media_types import VIDEOS, are_kindred, video_type

_CODED: Final = 2
"""FFmpeg counts the coded size of a frame, which for small ones may be nearly twice the displayed size (padding)."""

CODECS: Final = ("h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "mjpeg")
"""Video codecs that are decoded: those of cameras, phones and browsers."""
_DECODERS: Final = (*CODECS, "libdav1d", "libvpx", "libvpx-vp9", "libaom-av1")
"""FFmpeg's names of what decodes them."""
_FRAME_BYTES: Final = 3
"""Bytes that a decoded frame may have for each pixel that is allowed: 10 bits and 4:2:0, or 8 bits and 4:4:4."""
_STREAMS: Final = 32
_HEADROOM: Final = 2**16
"""Bytes that the packets of any file may hold."""
_PACKETS: Final = 2
"""Packets for each frame that is allowed: codecs have frames that are not shown. Broken ones would cost without end."""
_IN_A_ROW: Final = 1000
"""Packets without a frame, after which the rest is not tried: half a minute of most videos."""


class UploadedVideo(Container):
    """A video in memory.

    Only FFmpeg's demuxer of the declared type is tried, with no protocol allowed: references inside the content are
    never opened (SSRF, local file disclosure).

    Args:
        content: of the file.
        name: what to call it in results.
        kind: its media type, one of `VIDEOS`.
        limits: of size and length.

    Raises:
        RequestError: 415, no video of that type, or of a codec that is not decoded.
        InputError: it holds no video, or is damaged.
        TooLargeError: too long, its frames are too large, or its index is (see `mien.media.video_structure`).
    """

    live = False

    def __init__(self, content: Content, name: str, kind: str, limits: Limits) -> None:
        self.name, self._limits, self._size, self._tried = name, limits, len(content), 0
        self._deadline = time.monotonic() + limits.video_work_seconds
        self._pixels = min(limits.pixels, limits.video_pixels)
        check_video(content, name)
        self._container = _opened(content, name, kind, self._pixels)
        self._stream = video_stream(self._container, name)
        self._stream.codec_context.thread_count = 1  # every thread would hold frames of its own
        self._stream.codec_context.options = {"max_pixels": str(_CODED * self._pixels)}
        self._check_announced()

    def images(self) -> Iterator[VideoImage]:
        limits, pixels = self._limits, 0
        for image in super().images():
            self._tried = 0
            pixels += image.image.shape[0] * image.image.shape[1]
            if image.time > limits.video_seconds or image.number >= limits.video_frames:
                raise self._too_long()
            self._check_total(pixels)
            if time.monotonic() > self._deadline:
                raise TooLargeError(f"{self.name}: took longer than {limits.video_work_seconds:g} s; send it in parts")
            yield image

    def _beginning(self, times: VideoTimes) -> Beginning:
        return Beginning(self._paid(self._container.demux(self._stream)))

    def _paid(self, packets: Iterator[Any]) -> Iterator[Any]:
        """Packets, until they are more than as many frames as are allowed need, too many in a row give no frame, or all
        hold far more than the file does, whose index then names the same bytes over and over.
        """
        left, most = NAMED * self._size + _HEADROOM, _PACKETS * self._limits.video_frames
        for number, packet in enumerate(packets):
            if number > most:
                raise self._too_long()
            self._tried += 1
            if self._tried > _IN_A_ROW:
                raise InputError(f"{self.name}: damaged (no frame can be decoded of {_IN_A_ROW:,} packets in a row)")
            left -= packet.size
            if left < 0:
                raise TooLargeError(f"{self.name}: too costly to read (it holds the same bytes again and again)")
            yield packet

    def _check_announced(self) -> None:
        """Reject early what exceeds the limits by its header."""
        try:
            self._check_header()
        except MienError:
            self.close()
            raise

    def _check_header(self) -> None:
        codec = self._stream.codec_context.codec.canonical_name
        if codec not in CODECS:
            known = ", ".join(CODECS)
            raise RequestError(415, f"{self.name}: video of the codec {codec} is not read; send one of {known}")
        if self._stream.width * self._stream.height > self._pixels or self._frame_bytes() > _FRAME_BYTES * self._pixels:
            raise TooLargeError(f"{self.name}: frames of more than {self._pixels / 10**6:g} megapixels")
        frames, limits = self._stream.frames, self._limits
        if (self._container.duration or 0) / av.time_base > limits.video_seconds or frames > limits.video_frames:
            raise self._too_long()
        self._check_total(frames * self._stream.width * self._stream.height)

    def _check_total(self, pixels: int) -> None:
        if pixels > self._limits.video_total_pixels:
            most = self._limits.video_total_pixels / 10**9
            raise TooLargeError(f"{self.name}: more than {most:g} gigapixels in all; send it smaller or in parts")

    def _frame_bytes(self) -> float:
        """Bytes of a decoded frame."""
        form = self._stream.codec_context.format
        bits = form.padded_bits_per_pixel if form is not None else 0
        return float(self._stream.width * self._stream.height * bits / 8)

    def _too_long(self) -> TooLargeError:
        limits = self._limits
        return TooLargeError(
            f"{self.name}: longer than {limits.video_seconds:g} s or {limits.video_frames:,} frames; send it in parts"
        )


class _File:
    """A content as PyAV reads it, uncopied; positions behind its end, which damaged files name, `mmap` would refuse."""

    def __init__(self, content: Content) -> None:
        self._content, self._at = content, 0

    def read(self, size: int) -> bytes:
        self._at += len(part := self._content[self._at : self._at + size])
        return part

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._content)}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        return self._at


def _opened(content: Content, name: str, kind: str, pixels: int) -> Any:
    """An open container; while FFmpeg looks into it, it decodes no other codec and no larger frame."""
    options = {
        "protocol_whitelist": "none",
        "codec_whitelist": ",".join(_DECODERS),
        "max_pixels": str(_CODED * pixels),
        "max_streams": str(_STREAMS),
        "threads": "1",
    }
    try:
        return av.open(_File(content), format=VIDEOS[kind], options=options)
    except MemoryError:
        raise
    except (av.error.FFmpegError, ValueError):
        raise _unreadable(content, name, kind) from None


def _unreadable(content: Content, name: str, kind: str) -> MienError:
    """Why a video of a type cannot be opened: it is none, of another type, or damaged."""
    if not content:
        return RequestError(415, f"{name}: {EMPTY}")
    found = video_type(content)
    if found is None:
        return RequestError(415, f"{name}: not a video of the type {kind} that can be read")
    if not are_kindred(found, kind):
        return RequestError(415, f"{name}: its content is {found}, not {kind}: send it with that content type")
    return InputError(f"{name}: {fault_of(content) or 'a damaged or truncated video'}")
