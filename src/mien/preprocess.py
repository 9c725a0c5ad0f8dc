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

from mien.choices import FACE_SIDES
from mien.errors import ConfigError, UsageError
from mien.opencv import cv2
from mien.toml_json import from_values, in_range

FACE_SIZE: Final = FACE_SIDES[0]
"""Side in pixels of a FER2013 face, the canonical face crop."""


def to_gray(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grayscale uint8 (H, W) of RGB (H, W, 3) or grayscale, by ITU-R BT.601's luma (0.299 R + 0.587 G + 0.114 B)."""
    return image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def to_rgb(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB uint8 (H, W, 3) of grayscale (H, W), or of RGB, as it is."""
    return image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)


def grey_faces(faces: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey levels uint8 (N, H, W) of faces, uint8 (N, H, W) or RGB (N, H, W, 3)."""
    if faces.ndim == 3:
        return faces
    grey = np.empty(faces.shape[:3], np.uint8)
    for face, levels in zip(faces, grey, strict=True):
        levels[:] = to_gray(face)
    return grey


def canonical_faces(faces: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Faces of any side, grey or RGB, as FER2013's are: grayscale uint8 (N, 48, 48); these are given as they are."""
    return PreprocessSpec(input_size=FACE_SIZE).frames(faces)


def face_crop(image: NDArray[np.uint8], size: int = FACE_SIZE) -> NDArray[np.uint8]:
    """A picture that shows one face, as a face: the same for data sets and for prediction.

    Args:
        image: grayscale uint8 (H, W) or RGB (H, W, 3), at least 1x1.
        size: side of the face in pixels.

    Returns:
        uint8 (size, size) or (size, size, 3): the picture in the middle, aspect ratio kept, its edges repeated to a
        square. A picture of that size is copied unchanged.
    """
    height, width = image.shape[:2]
    side = max(height, width)
    return fill_square(image, (side - width) / 2, (side - height) / 2, side, size)


def fill_square(
    image: NDArray[np.uint8], left: float, top: float, side: float, face_size: int = FACE_SIZE
) -> NDArray[np.uint8]:
    """A square with a picture in it, as a face; only the picture is resized, so a huge square costs nothing.

    Args:
        image: grayscale uint8 (H, W) or RGB (H, W, 3), at least 1x1.
        left: where the picture begins in the square, its pixels.
        top: likewise.
        side: of the square, in pixels of the picture, at least 1.
        face_size: side of the face in pixels.

    Returns:
        uint8 (face_size, face_size), or with 3 channels; what the picture leaves empty repeats its edges.
    """
    scale = face_size / side
    first_column, end_column = _span(left, image.shape[1], scale, face_size)
    first_row, end_row = _span(top, image.shape[0], scale, face_size)
    size = end_column - first_column, end_row - first_row
    resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    margins = first_row, face_size - end_row, first_column, face_size - end_column
    return cv2.copyMakeBorder(resized, *margins, cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def _span(offset: float, length: float, scale: float, size: int) -> tuple[int, int]:
    """First and end pixel in the frame of a stretch that begins at an offset into the square; at least one pixel."""
    first = min(max(0, round(offset * scale)), size - 1)
    return first, min(max(first + 1, round((offset + length) * scale)), size)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreprocessSpec:
    """How faces become a network's input: grey or colour, resize, equalise, blur, centre crop, scale.

    Args:
        frame_size: side in pixels to which a face crop is resized first.
        input_size: side in pixels of the centre crop that the network sees, at most ``frame_size``.
        mean: grey level that becomes 0, in 0..1.
        std: grey levels that become 1, in 0..1.
        equalize: spreads the grey levels of a frame: "none", "histogram" (over the whole frame) or "clahe" (in 4x4
            tiles, contrast limited to 2; Zuiderveld, 1994).
        blur: whether a frame is smoothed by a 3x3 Gaussian, after equalisation.
        channels: 1: the network sees grey levels; 3: colours. A face of the other kind is converted.
        face_size: side in pixels of the faces that the network was trained on, at which one is cut out of a photo.

    Raises:
        ConfigError: a field is out of range.
    """

    frame_size: int = FACE_SIZE
    input_size: int = 44
    mean: float = 0.5
    std: float = 0.25
    equalize: Literal["none", "histogram", "clahe"] = "none"
    blur: bool = False
    channels: Literal[1, 3] = 1
    face_size: int = FACE_SIZE

    def __post_init__(self) -> None:
        if not 8 <= self.frame_size <= 1024:
            raise ConfigError(f"preprocess.frame_size is {self.frame_size}: expected 8..1024 pixels")
        if not 8 <= self.input_size <= self.frame_size:
            bounds = f"8..{self.frame_size}, the frame_size"
            raise ConfigError(f"preprocess.input_size is {self.input_size}: expected {bounds}")
        in_range("preprocess.mean", self.mean, low=0, high=1)
        in_range("preprocess.std", self.std, above=0, high=1)
        if self.equalize not in _EQUALIZERS:
            raise ConfigError(f"preprocess.equalize is {self.equalize!r}: expected one of {', '.join(_EQUALIZERS)}")
        if self.channels not in (1, 3) or (self.channels == 3 and self.equalize != "none"):
            raise ConfigError(
                f"preprocess.channels is {self.channels}: expected 1, or 3 without equalize, which is for grey levels"
            )
        if not 8 <= self.face_size <= 1024:
            raise ConfigError(f"preprocess.face_size is {self.face_size}: expected 8..1024 pixels")

    @property
    def margin(self) -> int:
        """Pixels of the frame that the centre crop leaves out, both sides together."""
        return self.frame_size - self.input_size

    def apply(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Network input of a batch of faces.

        Args:
            faces: uint8, grayscale (N, H, W) or RGB (N, H, W, 3); N may be 0.

        Returns:
            float32, shape (N, channels, input_size, input_size), C-contiguous.

        Raises:
            UsageError: wrong dtype or shape.
        """
        offset = self.margin // 2
        return self.crop(self.frames(faces), offset, offset)

    def frames(self, faces: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Faces of any size as frames: grey or in colour, resized, equalised, blurred.

        Args:
            faces: uint8, grayscale (N, H, W) or RGB (N, H, W, 3).

        Returns:
            uint8 (N, frame_size, frame_size), or (N, frame_size, frame_size, 3) with 3 channels; the faces themselves
            where nothing is to be done.

        Raises:
            UsageError: wrong dtype or shape.
        """
        if (
            faces.dtype != np.uint8
            or faces.shape[3:] not in {(), (3,)}
            or faces.ndim < 3
            or (len(faces) and not faces.size)
        ):
            found = f"{faces.dtype} {faces.shape}"
            raise UsageError(f"faces are {found}: expected uint8, grayscale (N, H, W) or RGB (N, H, W, 3)")
        side = self.frame_size
        shape = (side, side) if self.channels == 1 else (side, side, 3)
        if faces.shape[1:] == shape and self.equalize == "none" and not self.blur:
            return faces
        frames = np.empty((len(faces), *shape), np.uint8)
        for face, frame in zip(faces, frames, strict=True):
            frame[:] = self._frame(face)
        return frames

    def _frame(self, face: NDArray[np.uint8]) -> NDArray[np.uint8]:
        side, face = self.frame_size, to_gray(face) if self.channels == 1 else to_rgb(face)
        shrinks = min(face.shape[:2]) > side
        resized = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        frame = _EQUALIZERS[self.equalize](np.asarray(resized, np.uint8))
        return np.asarray(cv2.GaussianBlur(frame, (3, 3), 0) if self.blur else frame, np.uint8)

    def crop(self, frames: NDArray[np.uint8], top: int, left: int) -> NDArray[np.float32]:
        """Network input from the window at (top, left) of frames, as `frames` gives them."""
        window = frames[:, top : top + self.input_size, left : left + self.input_size]
        first = window[:, None] if window.ndim == 3 else window.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(self.scale(first.astype(np.float32)))

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

        Files written before there were ``equalize``, ``blur``, ``channels`` and ``face_size`` lack them, and mean the
        defaults.

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
