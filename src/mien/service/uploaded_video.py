"""Uploaded videos, decoded from memory and never written to disk."""

import io
from collections.abc import Iterator
from typing import Any, Final

import av

from mien.errors import RequestError, TooLargeError
from mien.media.files_and_streams import Container, video_stream
from mien.media.video_source import VideoImage
from mien.service.limits import Limits
from mien.service.media_types import VIDEOS

_CODED: Final = 2
"""FFmpeg counts the coded size of a frame, which for small ones may be nearly twice the displayed size (padding)."""


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
        RequestError: 415, no video of that type.
        InputError: it holds no video.
        TooLargeError: too long, or its frames are too large.
    """

    live = False

    def __init__(self, content: bytes, name: str, kind: str, limits: Limits) -> None:
        self.name, self._limits = name, limits
        self._container = _opened(content, name, kind)
        self._stream = video_stream(self._container, name)
        self._stream.thread_type = "AUTO"
        self._stream.codec_context.options = {"max_pixels": str(_CODED * limits.pixels)}
        self._check_announced()

    def images(self) -> Iterator[VideoImage]:
        for image in super().images():
            if image.time > self._limits.video_seconds or image.number >= self._limits.video_frames:
                raise self._too_long()
            yield image

    def _check_announced(self) -> None:
        """Reject early what exceeds the limits by its header."""
        pixels, seconds = self._stream.width * self._stream.height, (self._container.duration or 0) / av.time_base
        if pixels > self._limits.pixels:
            self.close()
            raise TooLargeError(f"{self.name}: frames of more than {self._limits.pixels / 10**6:g} megapixels")
        if seconds > self._limits.video_seconds:
            self.close()
            raise self._too_long()

    def _too_long(self) -> TooLargeError:
        limits = self._limits
        return TooLargeError(
            f"{self.name}: longer than {limits.video_seconds:g} s or {limits.video_frames:,} frames; send it in parts"
        )


def _opened(content: bytes, name: str, kind: str) -> Any:
    try:
        return av.open(io.BytesIO(content), format=VIDEOS[kind], options={"protocol_whitelist": "none"})
    except (av.error.FFmpegError, ValueError):
        raise RequestError(415, f"{name}: not a video of the type {kind} that can be read") from None
