"""Moving pictures in: files, webcams, streams, standard input and numbered pictures become images with times.

PyAV reads what is encoded (`mien.inference.container`); OpenCV opens webcams, whose numbers mean the same on every
system. Nothing here knows about faces.
"""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import cv2
import numpy as np

from mien.errors import InputError, UsageError
from mien.inference.media import read_image
from mien.pictures import Pixels

VIDEO_SUFFIXES: Final = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".ogv"}
    | {".3gp", ".mjpeg", ".mjpg"}
)
"""Lower-case suffixes by which videos are told from pictures."""

STANDARD_INPUT: Final = "-"
DEFAULT_FPS: Final = 25.0
"""Frames a second of what has no times of its own: numbered pictures and raw streams."""


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


class VideoSource(Protocol):
    """Something that gives images in order."""

    name: str
    """What to call it in results; without the password of an address."""
    live: bool
    """Whether images come when they come, so that one that is late is worth nothing."""

    def images(self) -> Iterator[VideoImage]:
        """Every image that can be read, then an `InputError` if there should have been more."""
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


def is_address(source: str) -> bool:
    """Whether a source is a URL."""
    return re.match(r"[a-z][a-z0-9+.-]+://", source, re.IGNORECASE) is not None


def without_password(address: str) -> str:
    """An address without user and password, for results and messages."""
    return re.sub(r"^([a-z][a-z0-9+.-]+://)[^/?#]*@", r"\1", address, flags=re.IGNORECASE)


class PictureSequence:
    """Picture files as the frames of a video.

    Args:
        paths: in the order in which they are shown; each is read when its turn comes.
        fps: frames a second.
    """

    live = False

    def __init__(self, paths: Sequence[Path], fps: float) -> None:
        if not paths:
            raise InputError("no pictures: expected at least one for a video")
        self.name = str(paths[0].parent)
        self._paths, self._fps = paths, fps

    def images(self) -> Iterator[VideoImage]:
        broken: list[str] = []
        for number, path in enumerate(self._paths):
            try:
                yield VideoImage(number, number / self._fps, read_image(path))
            except InputError as error:
                broken.append(str(error))
        if broken:
            raise InputError(f"{self.name}: {len(broken)} of {len(self._paths)} pictures left out, first: {broken[0]}")

    def close(self) -> None:
        pass


class Camera:
    """A webcam, opened by OpenCV; the time of an image is the moment it arrived.

    Args:
        number: of the camera, from 0.
        capture: what opens it, for tests; by default OpenCV.
        clock: seconds.

    Raises:
        InputError: there is no such camera.
    """

    live = True

    def __init__(
        self,
        number: int,
        capture: Callable[[int], Any] = cv2.VideoCapture,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = str(number)
        self._clock = clock
        self._capture = capture(number)
        if not self._capture.isOpened():
            raise InputError(f"camera {number}: cannot be opened; is it connected, and free? Another may be 0, 1, ...")

    def images(self) -> Iterator[VideoImage]:
        number, started = 0, self._clock()
        while True:
            got, bgr = self._capture.read()
            if not got:
                raise InputError(f"camera {self.name}: gives no more images after {number}")
            yield VideoImage(number, self._clock() - started, np.ascontiguousarray(bgr[:, :, ::-1]))
            number += 1

    def close(self) -> None:
        self._capture.release()


def check_fps(fps: float) -> None:
    """Refuse a frame rate that is none.

    Raises:
        UsageError: it is not a finite number above 0.
    """
    if not 0 < fps < float("inf"):
        raise UsageError(f"fps is {fps}: expected a number above 0")
