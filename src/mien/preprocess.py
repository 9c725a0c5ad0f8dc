"""The one way a face becomes a network's input.

Training, evaluation, the exported file and the service all call `PreprocessSpec.apply` or its parts, and the
specification travels inside every model file. One such difference between training and use once cost a peer 27 points
of accuracy.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import ConfigError, UsageError

FACE_SIZE = 48
"""Side in pixels of a FER2013 face, the canonical face crop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreprocessSpec:
    """How grayscale faces become a network's input: resize, centre crop, scale.

    Args:
        frame_size: side in pixels to which a face crop is resized first.
        input_size: side in pixels of the centre crop that the network sees, at most ``frame_size``.
        mean: grey level that becomes 0, in 0..1.
        std: grey levels that become 1, in 0..1.

    Raises:
        ConfigError: a field is out of range.
    """

    frame_size: int = FACE_SIZE
    input_size: int = 44
    mean: float = 0.5
    std: float = 0.25

    def __post_init__(self) -> None:
        if not 8 <= self.frame_size <= 1024:
            raise ConfigError(f"frame_size is {self.frame_size}: expected 8..1024 pixels")
        if not 8 <= self.input_size <= self.frame_size:
            raise ConfigError(f"input_size is {self.input_size}: expected 8..{self.frame_size}, the frame_size")
        if not 0.0 <= self.mean <= 1.0:
            raise ConfigError(f"mean is {self.mean}: expected 0..1")
        if not 0.0 < self.std <= 1.0:
            raise ConfigError(f"std is {self.std}: expected more than 0, at most 1")

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
        return self.crop(self.resize(faces), offset, offset)

    def resize(self, faces: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Faces of any size, uint8 (N, H, W), at the frame size, uint8 (N, frame_size, frame_size)."""
        if faces.dtype != np.uint8 or faces.ndim != 3 or (len(faces) and not faces.size):
            raise UsageError(f"faces are {faces.dtype} {faces.shape}: expected grayscale uint8 (N, H, W)")
        side = self.frame_size
        if faces.shape[1:] == (side, side):
            return faces
        resized = np.empty((len(faces), side, side), np.uint8)
        for source, target in zip(faces, resized, strict=True):
            shrinks = min(source.shape) > side
            cv2.resize(source, (side, side), dst=target, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        return resized

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
    def from_dict(cls, values: dict[str, Any]) -> "PreprocessSpec":
        """The specification in a dictionary that `to_dict` wrote.

        Raises:
            ConfigError: a field is missing, unknown, of the wrong type or out of range.
        """
        kinds = {field.name: field.type for field in fields(cls)}
        if set(values) != set(kinds):
            raise ConfigError(f"preprocessing has fields {sorted(values)}: expected {sorted(kinds)}")
        for name, value in values.items():
            allowed = (int,) if kinds[name] is int else (int, float)
            if isinstance(value, bool) or not isinstance(value, allowed):
                raise ConfigError(f"preprocessing field {name} is {value!r}: expected a number")
        return cls(**values)
