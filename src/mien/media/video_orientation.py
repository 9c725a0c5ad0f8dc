"""Images of videos turned and mirrored as they are to be seen."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from av.sidedata.sidedata import Type

from mien.media.decode_picture import Pixels


class Orientation:
    """Turns the frames of a stream as they are to be seen.

    A frame between two key frames without a display matrix of its own is turned like the one before: H.264 states the
    orientation at the beginning of a coded video sequence (ITU-T H.264, D.2.27), and FFmpeg reports it once.
    """

    def __init__(self) -> None:
        self._matrix: list[int] | None = None
        self._rotation: int | None = None
        self._was_key = False

    def note(self, frame: Any) -> None:
        """Take in the next frame of PyAV."""
        if self._is_new(frame):
            self._matrix, self._rotation = _display_matrix(frame), frame.rotation
        self._was_key = frame.key_frame

    def upright(self, image: Pixels) -> Pixels:
        """The pixels of the frame that was noted last, uint8 (H, W, 3), upright."""
        return upright(image, self._matrix) if self._matrix is not None else image

    def _is_new(self, frame: Any) -> bool:
        """Whether the orientation may be another one.

        Side data keep a frame of PyAV alive until garbage is collected: too long for every frame, or every key frame.
        """
        if frame.rotation != self._rotation and (frame.key_frame or self._rotation is None or frame.rotation):
            return True
        return bool(frame.key_frame and not self._was_key)


def _display_matrix(frame: Any) -> list[int] | None:
    matrix = frame.side_data.get(Type.DISPLAYMATRIX)
    return np.frombuffer(matrix, np.int32).tolist() if matrix is not None else None


def _of_unknown_type(kind: type[Type], value: int) -> Type:
    """A type that PyAV does not know, such as that of EXIF; without it, PyAV reads no side data of such a frame."""
    unknown = object.__new__(kind)
    unknown._name_, unknown._value_ = f"UNKNOWN_{value}", value  # type: ignore[assignment]
    return unknown


Type._missing_ = classmethod(_of_unknown_type)  # type: ignore[method-assign, assignment]


def upright(image: Pixels, matrix: Sequence[int]) -> Pixels:
    """An image as it is to be seen.

    Args:
        image: uint8 (H, W, 3) as stored.
        matrix: the nine numbers of a display matrix (ISO 14496-12, 6.2.2): the stored point (x, y) is shown at
            (m0 x + m3 y, m1 x + m4 y). The nearest of the eight orientations is taken.
    """
    across_x, down_x, _, across_y, down_y = (int(number) for number in matrix[:5])
    if abs(across_x) + abs(down_y) >= abs(down_x) + abs(across_y):
        turned, down, across = image, down_y, across_x
    else:
        turned, down, across = image.swapaxes(0, 1), down_x, across_y
    return np.ascontiguousarray(turned[:: _direction(down), :: _direction(across)])


def _direction(number: int) -> int:
    return -1 if number < 0 else 1
