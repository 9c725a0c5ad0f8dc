"""Row buffer of the readers of data sets."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mien.labels import EMOTIONS
from mien.preprocess import FACE_SIZE

ReportProgress = Callable[[float], None]
"""Progress callback: called with the fraction of the work that is done, 0..1."""


def no_progress(_done: float) -> None:
    """A `ReportProgress` that does nothing."""


@dataclass(slots=True)
class FaceRows:
    """Rows collected so far, in byte strings that grow in place: no second copy at the end.

    Args:
        side: of a face, in pixels.
        channels: 1, grey, or 3, RGB.
        classes: names by number.
        votes: FER+'s, ten numbers a row; empty where rows have none.
        files: the picture of each row, below the source; empty where rows have none.
        terms: what the owners of the source demand, as it says itself; "" where it says nothing.
    """

    side: int = FACE_SIZE
    channels: int = 1
    classes: tuple[str, ...] = EMOTIONS
    pixels: bytearray = field(default_factory=bytearray)
    labels: bytearray = field(default_factory=bytearray)
    usages: bytearray = field(default_factory=bytearray)
    groups: list[str] = field(default_factory=list)
    votes: bytearray = field(default_factory=bytearray)
    files: list[str] = field(default_factory=list)
    terms: str = ""

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def values_of_face(self) -> int:
        """Numbers that a face consists of."""
        return self.side * self.side * self.channels

    def extend(self, faces: NDArray[np.uint8], labels: Iterable[int], usages: Iterable[int]) -> None:
        """Add faces of that kind (in any shape), their class numbers and their indices into `USAGES`."""
        self.pixels += faces.tobytes()
        self.labels.extend(labels)
        self.usages.extend(usages)

    def group_names(self) -> NDArray[np.str_] | None:
        """Group of each row (N,); None where the rows have none."""
        return np.array(self.groups, np.str_) if self.groups else None

    def file_names(self) -> NDArray[np.str_] | None:
        """Picture file of each row (N,); None where the rows have none."""
        return np.array(self.files, np.str_) if self.files else None

    def vote_counts(self) -> NDArray[np.uint8] | None:
        """FER+'s votes (N, 10) for each of `mien.labels.VOTE_CLASSES`; None where the source has none."""
        return np.frombuffer(self.votes, np.uint8).reshape(len(self), -1) if self.votes else None

    def arrays(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
        """Faces (N, side, side), or with 3 channels, labels and usages (N,), uint8, sharing the memory of the rows."""
        shape = (self.side, self.side) if self.channels == 1 else (self.side, self.side, self.channels)
        faces = np.frombuffer(self.pixels, np.uint8).reshape(-1, *shape)
        return faces, np.frombuffer(self.labels, np.uint8), np.frombuffer(self.usages, np.uint8)
