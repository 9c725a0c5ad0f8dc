"""Webcams, opened by OpenCV, whose numbers mean the same on every system."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from mien.errors import InputError
from mien.media.video_source import VideoImage
from mien.opencv import cv2


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
    mirrored = True

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
