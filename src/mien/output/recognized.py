"""A frame together with its image: what `mien.recognize` returns and every sink takes."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Unpack

from mien.errors import InputError, UsageError
from mien.given import instance
from mien.given import path as checked_path
from mien.media.decode_picture import Pixels
from mien.output.drawing_options import DrawingOptions
from mien.output.explanation import Explanation
from mien.results import Box, Face, Frame

if TYPE_CHECKING:
    import pandas as pd

Explainer = Callable[[Sequence[Face], Pixels | None], list[Explanation]]
"""Explains some faces of a picture; None where its pixels were not kept."""

_LARGEST_SHOWN: Final = 1024
"""Pixels of the longer side in a notebook, whose file keeps every picture that it shows."""

_LEAST_SHOWN: Final = 400
"""Smaller pictures are enlarged by a whole number in a notebook, or their text could not be read, pixels."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Recognized:
    """An image and the faces that were recognised in it. In a notebook it shows the annotated picture.

    Args:
        frame: source, size, faces, and the error if there was one.
        image: RGB uint8 (H, W, 3) or grayscale uint8 (H, W); None when it could not be read.
        explainer: what `explain` asks; None where the faces come from elsewhere.
    """

    frame: Frame
    image: Pixels | None
    explainer: Explainer | None = None

    def __post_init__(self) -> None:
        instance("frame", self.frame, Frame, "a mien.Frame")

    @property
    def faces(self) -> tuple[Face, ...]:
        """The faces, largest first."""
        return self.frame.faces

    def annotated(self, **options: Unpack[DrawingOptions]) -> Pixels:
        """A copy of the image with its faces drawn in, RGB uint8 (H, W, 3) (see `mien.annotate` for the options).

        Raises:
            InputError: the image could not be read.
        """
        from mien.output.drawing import annotate

        if self.image is None:
            raise InputError(self.frame.error or f"{self.frame.source}: has no image")
        return annotate(self.image, self.faces, **options)

    def save(self, path: str | Path, **options: Unpack[DrawingOptions]) -> Path:
        """Write the annotated picture as PNG or JPEG, by the suffix of its name; returns the path.

        The options are those of `mien.annotate`.

        Raises:
            UsageError: another suffix, or the picture that was recognised.
            InputError: it cannot be written, or the image could not be read.
        """
        from mien.output.picture_file import write_picture

        target = checked_path("path", path)
        if _is_same(target, Path(self.frame.source)):
            raise UsageError(f"{path}: is the picture itself; name another file for the annotated copy")
        return write_picture(target, self.annotated(**options))

    def explain(self) -> list[Explanation]:
        """Where in each face the evidence for its expressions lies, in the order of `faces`.

        Each face is classified some hundred times with parts of it hidden: half a second on two cores for the largest
        embedded model.

        Raises:
            UsageError: the faces do not come from a `mien.Recognizer`.
        """
        if self.explainer is None:
            raise UsageError("these faces cannot be explained: expected what mien.recognize or Recognizer.watch gives")
        return self.explainer(self.faces, self.image)

    def to_dict(self) -> dict[str, Any]:
        """`frame` in JSON-ready values."""
        return self.frame.to_dict()

    def to_pandas(self) -> "pd.DataFrame":
        """A row for each face (see `mien.to_pandas`).

        Raises:
            MissingExtraError: pandas is not installed.
        """
        from mien.output.dataframe import to_pandas

        return to_pandas(self)

    def _repr_png_(self) -> bytes | None:
        if self.image is None:
            return None
        from PIL import Image

        picture = Image.fromarray(self._enlarged().annotated())
        picture.thumbnail((_LARGEST_SHOWN, _LARGEST_SHOWN))
        content = io.BytesIO()
        picture.save(content, format="PNG")
        return content.getvalue()

    def _enlarged(self) -> "Recognized":
        """The same by a whole number larger, where the image is small."""
        if self.image is None:
            return self
        factor = max(1, -(-_LEAST_SHOWN // max(self.image.shape[:2])))
        image = self.image.repeat(factor, axis=0).repeat(factor, axis=1)
        faces = (replace(face, box=Box(*(factor * value for value in face.box))) for face in self.faces)
        return Recognized(replace(self.frame, faces=tuple(faces)), image)

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, or another process, gets frame and image, and cannot explain them: a detector stays where it is."""
        return type(self), (self.frame, self.image)

    def __repr__(self) -> str:
        size = "no image" if self.image is None else f"{self.frame.width}x{self.frame.height}"
        return f"Recognized({size}, {self.frame!r})"


def _is_same(target: Path, source: Path) -> bool:
    """Whether two paths lead to one file."""
    try:
        return target.samefile(source)
    except (OSError, ValueError):  # one is not there, or can be no path
        return False
