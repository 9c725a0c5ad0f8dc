"""Preprocessing: picture to face crop, face crop to network input; the only implementation.

Training, evaluation, the exported file and the service all call `PreprocessSpec.apply` or its parts, and the
specification travels inside every model file. One such difference between training and use once cost a peer 27 points
of accuracy.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from mien.errors import ConfigError, UsageError
from mien.opencv import cv2
from mien.toml_json import from_values

FACE_SIZE = 48
"""Side in pixels of a FER2013 face, the canonical face crop."""


def to_gray(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grayscale uint8 (H, W) of RGB (H, W, 3) or grayscale, by ITU-R BT.601's luma (0.299 R + 0.587 G + 0.114 B)."""
    return image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def face_crop(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture that shows one face, as a face: the same for data sets and for prediction.

    Args:
        gray: grayscale uint8 (H, W), at least 1x1.

    Returns:
        uint8 (48, 48): the picture in the middle, aspect ratio kept, its edges repeated to a square. A picture of 48x48
        is copied unchanged.
    """
    height, width = gray.shape
    side = max(height, width)
    return fill_square(gray, (side - width) / 2, (side - height) / 2, side)


def fill_square(gray: NDArray[np.uint8], left: float, top: float, side: float) -> NDArray[np.uint8]:
    """A square with a picture in it, as a face; only the picture is resized, so a huge square costs nothing.

    Args:
        gray: grayscale uint8 (H, W), at least 1x1.
        left: where the picture begins in the square, its pixels.
        top: likewise.
        side: of the square, in pixels of the picture, at least 1.

    Returns:
        uint8 (48, 48); what the picture leaves empty repeats its edges.
    """
    scale = FACE_SIZE / side
    first_column, end_column = _span(left, gray.shape[1], scale)
    first_row, end_row = _span(top, gray.shape[0], scale)
    size = end_column - first_column, end_row - first_row
    resized = cv2.resize(gray, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    margins = first_row, FACE_SIZE - end_row, first_column, FACE_SIZE - end_column
    return cv2.copyMakeBorder(resized, *margins, cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def _span(offset: float, length: float, scale: float) -> tuple[int, int]:
    """First and end pixel in the frame of a stretch that begins at an offset into the square; at least one pixel."""
    first = min(max(0, round(offset * scale)), FACE_SIZE - 1)
    return first, min(max(first + 1, round((offset + length) * scale)), FACE_SIZE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreprocessSpec:
    """How grayscale faces become a network's input: resize, equalise, blur, centre crop, scale.

    Args:
        frame_size: side in pixels to which a face crop is resized first.
        input_size: side in pixels of the centre crop that the network sees, at most ``frame_size``.
        mean: grey level that becomes 0, in 0..1.
        std: grey levels that become 1, in 0..1.
        equalize: spreads the grey levels of a frame: "none", "histogram" (over the whole frame) or "clahe" (in 4x4
            tiles, contrast limited to 2; Zuiderveld, 1994).
        blur: whether a frame is smoothed by a 3x3 Gaussian, after equalisation.

    Raises:
        ConfigError: a field is out of range.
    """

    frame_size: int = FACE_SIZE
    input_size: int = 44
    mean: float = 0.5
    std: float = 0.25
    equalize: Literal["none", "histogram", "clahe"] = "none"
    blur: bool = False

    def __post_init__(self) -> None:
        if not 8 <= self.frame_size <= 1024:
            raise ConfigError(f"frame_size is {self.frame_size}: expected 8..1024 pixels")
        if not 8 <= self.input_size <= self.frame_size:
            raise ConfigError(f"input_size is {self.input_size}: expected 8..{self.frame_size}, the frame_size")
        if not 0.0 <= self.mean <= 1.0:
            raise ConfigError(f"mean is {self.mean}: expected 0..1")
        if not 0.0 < self.std <= 1.0:
            raise ConfigError(f"std is {self.std}: expected more than 0, at most 1")
        if self.equalize not in _EQUALIZERS:
            raise ConfigError(f"equalize is {self.equalize!r}: expected one of {', '.join(_EQUALIZERS)}")

    @property
    def margin(self) -> int:
        """Pixels of the frame that the centre crop leaves out, both sides together."""
        return self.frame_size - self.input_size

    def apply(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Network input of a batch of faces.

        Args:
            faces: grayscale uint8, shape (N, H, W); N may be 0.

        Returns:
            float32, shape (N, 1, input_size, input_size), C-contiguous.

        Raises:
            UsageError: wrong dtype or shape.
        """
        offset = self.margin // 2
        return self.crop(self.frames(faces), offset, offset)

    def frames(self, faces: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Faces of any size as frames: resized, equalised, blurred.

        Args:
            faces: grayscale uint8 (N, H, W).

        Returns:
            uint8 (N, frame_size, frame_size); the faces themselves where nothing is to be done.

        Raises:
            UsageError: wrong dtype or shape.
        """
        if faces.dtype != np.uint8 or faces.ndim != 3 or (len(faces) and not faces.size):
            raise UsageError(f"faces are {faces.dtype} {faces.shape}: expected grayscale uint8 (N, H, W)")
        side = self.frame_size
        if faces.shape[1:] == (side, side) and self.equalize == "none" and not self.blur:
            return faces
        frames = np.empty((len(faces), side, side), np.uint8)
        for face, frame in zip(faces, frames, strict=True):
            frame[:] = self._frame(face)
        return frames

    def _frame(self, face: NDArray[np.uint8]) -> NDArray[np.uint8]:
        side = self.frame_size
        shrinks = min(face.shape) > side
        resized = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        frame = _EQUALIZERS[self.equalize](np.asarray(resized, np.uint8))
        return np.asarray(cv2.GaussianBlur(frame, (3, 3), 0) if self.blur else frame, np.uint8)

    def crop(self, frames: NDArray[np.uint8], top: int, left: int) -> NDArray[np.float32]:
        """Network input from the window at (top, left) of frames, uint8 (N, frame_size, frame_size)."""
        window = frames[:, None, top : top + self.input_size, left : left + self.input_size]
        return np.ascontiguousarray(self.scale(window.astype(np.float32)))

    def scale(self, grey: Any) -> Any:
        """Grey levels 0..255 (float array or tensor of any shape) on the network's scale."""
        factor = 1.0 / (255.0 * self.std)
        return grey * factor - self.mean / self.std

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "PreprocessSpec":
        """The specification in a dictionary that `to_dict` wrote.

        Files written before there were ``equalize`` and ``blur`` lack them, and mean "none" and false.

        Raises:
            ConfigError: a field is missing, unknown, of the wrong type or out of range.
        """
        return from_values(cls, values, "preprocess.", _SINCE_THE_FIRST)


_SINCE_THE_FIRST: Final = ("frame_size", "input_size", "mean", "std")


def _clahe(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.createCLAHE(clipLimit=2.0, tileGridSize=(4, 4)).apply(frame), np.uint8)


def _histogram(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.equalizeHist(frame), np.uint8)


_EQUALIZERS: Final[dict[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]]] = {
    "none": lambda frame: frame,
    "histogram": _histogram,
    "clahe": _clahe,
}
