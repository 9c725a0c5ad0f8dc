"""Row buffer of the readers of data sets."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mien.preprocess import FACE_SIZE

ReportProgress = Callable[[float], None]
"""Progress callback: called with the fraction of the work that is done, 0..1."""


def no_progress(_done: float) -> None:
    """A `ReportProgress` that does nothing."""


@dataclass(slots=True)
class FaceRows:
    """Rows collected so far, in byte strings that grow in place: no second copy at the end."""

    pixels: bytearray = field(default_factory=bytearray)
    labels: bytearray = field(default_factory=bytearray)
    usages: bytearray = field(default_factory=bytearray)
    groups: list[str] = field(default_factory=list)
    votes: bytearray = field(default_factory=bytearray)

    def __len__(self) -> int:
        return len(self.labels)

    def extend(self, faces: NDArray[np.uint8], labels: Iterable[int], usages: Iterable[int]) -> None:
        """Add faces of 48x48 grey levels (any shape), their class numbers and their indices into `USAGES`."""
        self.pixels += faces.tobytes()
        self.labels.extend(labels)
        self.usages.extend(usages)

    def group_names(self) -> NDArray[np.str_] | None:
        """Group of each row (N,); None where the rows have none."""
        return np.array(self.groups, np.str_) if self.groups else None

    def vote_counts(self) -> NDArray[np.uint8] | None:
        """FER+'s votes (N, 10) for each of `mien.labels.VOTE_CLASSES`; None where the source has none."""
        return np.frombuffer(self.votes, np.uint8).reshape(len(self), -1) if self.votes else None

    def arrays(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
        """Faces (N, 48, 48), labels (N,) and usages (N,), uint8, sharing the memory of the rows."""
        faces = np.frombuffer(self.pixels, np.uint8).reshape(-1, FACE_SIZE, FACE_SIZE)
        return faces, np.frombuffer(self.labels, np.uint8), np.frombuffer(self.usages, np.uint8)
