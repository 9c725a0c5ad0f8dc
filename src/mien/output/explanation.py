"""Where in a face the evidence for its expressions lies: for programs, as JSON and as a picture."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.errors import UsageError
from mien.given import path as checked_path
from mien.given import shown
from mien.media.decode_picture import Pixels
from mien.results import Face

_DIGITS: Final = 4


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Explanation:
    """Where in a face the evidence for each expression lies. In a notebook it shows `annotated`.

    Args:
        face: the face.
        picture: the face as the model frames it, uint8 (H, H) or (H, H, 3), enlarged for people.
        maps: for each of the model's classes float64 (S, S) over that frame. Method ``rise``: by how much the log odds
            of the class, in nats, are higher with a place shown than with it hidden; negative where the place speaks
            against the class. Method ``grad-cam``: at least 0, in no unit.
        method: ``rise`` or ``grad-cam``.
    """

    face: Face
    picture: Pixels
    maps: Mapping[str, NDArray[np.float64]]
    method: str

    def drawn(self, *emotions: str) -> tuple[str, ...]:
        """The likeliest expression, or the one that holds over time, and those that were named, each once.

        Raises:
            UsageError: the model has no expression of that name.
        """
        if unknown := [name for name in emotions if not isinstance(name, str) or name not in self.maps]:
            raise UsageError(f"the model has no expression {shown(unknown[0])}: expected one of {', '.join(self.maps)}")
        return tuple(dict.fromkeys((self.face.emotion, *emotions)))

    def annotated(self, *emotions: str) -> Pixels:
        """The face, beside it the same with the evidence for its expression, and for each one named; and a legend.

        Returns:
            RGB uint8 (H, W, 3).

        Raises:
            UsageError: the model has no expression of that name.
        """
        return draw_explanations([self], *emotions)

    def save(self, path: str | Path, *emotions: str) -> Path:
        """Write `annotated` as PNG or JPEG, by the suffix of its name; returns the path.

        Raises:
            UsageError: another suffix, or the model has no expression of that name.
            InputError: it cannot be written.
        """
        from mien.output.picture_file import write_picture

        return write_picture(checked_path("path", path), self.annotated(*emotions))

    def to_dict(self, *emotions: str) -> dict[str, Any]:
        """JSON-ready values: those of the face, ``method``, and ``maps`` of its expression and of those named, as rows
        from the top of the frame.

        Raises:
            UsageError: the model has no expression of that name.
        """
        maps = {name: self.maps[name].round(_DIGITS).tolist() for name in self.drawn(*emotions)}
        return {**self.face.to_dict(), "method": self.method, "maps": maps}

    def _repr_png_(self) -> bytes:
        from PIL import Image

        content = io.BytesIO()
        Image.fromarray(self.annotated()).save(content, format="PNG")
        return content.getvalue()

    def __repr__(self) -> str:
        return f"Explanation({self.method} of {self.face!r})"


def draw_explanations(explanations: Sequence[Explanation], *emotions: str) -> Pixels:
    """`Explanation.annotated` of several faces of one model, at least one, below each other on one sheet."""
    from mien.output.evidence import EvidenceRow, draw_evidence

    rows = [
        EvidenceRow(
            found.picture,
            [(name, found.face.probabilities[name], found.maps[name]) for name in found.drawn(*emotions)],
        )
        for found in explanations
    ]
    return draw_evidence(rows, tuple(explanations[0].maps), explanations[0].method)
