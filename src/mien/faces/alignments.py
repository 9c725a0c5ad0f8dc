"""Ways to bring a face with landmarks into the frame that a network reads, by name."""

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from mien.errors import UsageError
from mien.faces.align import FRAME_LANDMARKS, align_face, similarity
from mien.preprocess import FACE_SIZE
from mien.results import Point

_EYES: Final = (FACE_SIZE / 4, FACE_SIZE / 4), (FACE_SIZE * 3 / 4, FACE_SIZE / 4)
"""Where the eyes come to lie when the frame reaches d to the left and right of the point between them, 0.5 d above and
1.5 d below, d being their distance.
"""


def align_by_eyes(
    image: NDArray[np.uint8], landmarks: Sequence[Point], size: int = FACE_SIZE, *, gray: bool = False
) -> NDArray[np.uint8]:
    """A face turned until its eyes are level, cut at fixed multiples of their distance d: the face normalisation of the
    course report behind `mien.networks.face_cnn`.

    From the point between the eyes it reaches d to the left and right, 0.5 d up and 1.5 d down. Arguments, result and
    errors as in `mien.faces.align.align_face`.
    """
    if len(landmarks) != len(FRAME_LANDMARKS):
        raise UsageError(f"{len(landmarks)} landmarks: expected {len(FRAME_LANDMARKS)}")
    matrix = similarity(landmarks[:2], _EYES)
    moved = np.linalg.solve(matrix[:, :2], (np.array(FRAME_LANDMARKS) - matrix[:, 2]).T).T
    # The similarity that moves these is the matrix.
    return align_face(image, [(float(x), float(y)) for x, y in moved], size, gray=gray)


class Align(Protocol):
    """Cuts a face out by its landmarks, as `mien.faces.align.align_face` does."""

    def __call__(
        self, image: NDArray[np.uint8], landmarks: Sequence[Point], size: int = FACE_SIZE, *, gray: bool = False
    ) -> NDArray[np.uint8]: ...


ALIGNMENTS: Final[dict[str, Align]] = {
    "fer2013": align_face,
    "eyes": align_by_eyes,
}
