"""What a video is: images with times, and how its sources are told from pictures.

What reads one: `mien.media.files_and_streams` (files, streams), `mien.media.webcam`, `mien.media.sequence` (numbered
pictures), `mien.media.animation` (animated pictures).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Final, Protocol

from mien.given import finite, keep, real, whole
from mien.media.decode_picture import Pixels

VIDEO_SUFFIXES: Final = frozenset(
    {".mp4", ".m4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".wmv", ".asf", ".flv", ".f4v", ".ogv", ".3gp", ".3g2"}
    | {".mpg", ".mpeg", ".mpe", ".m1v", ".m2v", ".vob", ".ts", ".m2t", ".mts", ".m2ts", ".mxf", ".dv", ".divx"}
    | {".mjpeg", ".mjpg", ".h264", ".264", ".avc", ".h265", ".265", ".hevc", ".ivf", ".y4m"}
)
"""Lower-case suffixes by which videos are told from pictures."""

STANDARD_INPUT: Final = "-"
LIVE_SCHEMES: Final = frozenset({"rtsp", "rtsps", "rtp", "udp", "srt", "rtmp"})
"""Of addresses that are live whatever they hold."""

RAW_SUFFIXES: Final = frozenset({".mjpeg", ".mjpg", ".h264", ".264", ".avc", ".h265", ".265", ".hevc"})
"""Those of raw streams, which have no times of their own."""


@dataclass(frozen=True, slots=True)
class VideoImage:
    """One image of a video.

    Args:
        number: within the video, from 0; counts those that were dropped.
        time: seconds from the start of the video.
        image: RGB uint8 (H, W, 3), or (H, W) for pictures without colour.
    """

    number: int
    time: float
    image: Pixels

    def __post_init__(self) -> None:
        number = whole("number of an image", self.number, "a whole number, at least 0", 0)
        keep(self, number=number, time=finite("time of an image", self.time, "seconds"))


@dataclass(frozen=True, slots=True)
class Interruption:
    """What happened to a live source between two of its images.

    Args:
        number: in the row of the images' numbers.
        time: seconds from the start of the source.
        reason: one line that names the source.
    """

    number: int
    time: float
    reason: str


class VideoSource(Protocol):
    """Something that gives images in order. One that has ``mirrored = True`` is shown as in a mirror by default."""

    name: str
    """What to call it in results; without the password of an address."""
    live: bool
    """Whether the source is real-time: late frames are dropped, not queued."""

    def images(self) -> Iterator[VideoImage | Interruption]:
        """Every image that can be read, then an `InputError` if there should have been more; among those of a live
        source what interrupted it.
        """
        ...

    def close(self) -> None:
        """Release the file, device or connection; may be called twice."""
        ...


def is_video(source: str | Path) -> bool:
    """Whether a source is a video and no picture, by its name: suffix, number of a camera, address or ``-``."""
    text = str(source)
    if Path(text).suffix.lower() in VIDEO_SUFFIXES or is_address(text) or text == STANDARD_INPUT:
        return True
    return is_camera(source) and not Path(text).exists()


def is_camera(source: str | Path | int) -> bool:
    """Whether a source is the number of a webcam."""
    return isinstance(source, int) or (isinstance(source, str) and source.isascii() and source.isdigit())


def is_live(source: str | int) -> bool:
    """Whether a source is live by its name: the number of a webcam, or the address of a stream that can be no file."""
    if is_camera(source):
        return isinstance(source, int) or not Path(source).exists()
    return str(source).partition("://")[0].lower() in LIVE_SCHEMES


def is_address(source: str) -> bool:
    """Whether a source is a URL."""
    return re.match(r"[a-z][a-z0-9+.-]+://", source, re.IGNORECASE) is not None


def without_password(address: str) -> str:
    """An address without user and password, for results and messages."""
    return re.sub(r"^([a-z][a-z0-9+.-]+://)[^/?#]*@", r"\1", address, flags=re.IGNORECASE)


def check_fps(fps: object) -> float:
    """A frame rate.

    Raises:
        UsageError: it is not a finite number above 0.
    """
    return real("fps", fps, "a number above 0", lambda number: 0 < number < inf)


def stop_waiting(source: VideoSource) -> None:
    """End a wait of a source for its next image, where it has a method ``stop`` for that."""
    stop = getattr(source, "stop", None)
    if stop is not None:
        stop()
