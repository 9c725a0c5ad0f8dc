"""What finds faces in images and cuts them out; it classifies nothing, so worker processes need nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mien.faces.align import align_face, crop_face
from mien.faces.detect import create_detector
from mien.faces.detection import Detection, Detector
from mien.faces.follow import WEAK_SHARE, Follower, Pace
from mien.faces.opencv_threads import use_threads
from mien.media.pictures import Pixels
from mien.preprocess import to_gray
from mien.results import Box


@dataclass(frozen=True, slots=True)
class Candidate:
    """A face that was found and not yet classified: where it is, its crop, grayscale uint8 (48, 48), and its track."""

    box: Box
    detection: Detection
    crop: NDArray[np.uint8]
    track: int | None = None


class Finder:
    """Finds faces in images and cuts them out.

    Args:
        detector: it should give weak faces too, for `follower`.
        min_confidence: faces with a lower score of the detector are dropped, 0..1.
    """

    def __init__(self, detector: Detector, min_confidence: float) -> None:
        self.detector, self._min_confidence = detector, min_confidence

    def find(self, image: Pixels) -> list[Candidate]:
        """The faces in an image, RGB uint8 (H, W, 3) or grayscale uint8 (H, W), largest first, aligned."""
        return self.crop(
            image, [(face, None) for face in self.detector.detect(image) if face.score >= self._min_confidence]
        )

    def follower(self, pace: Pace) -> Follower:
        """What follows the faces of one video, with this detector and least confidence."""
        return Follower(self.detector, self._min_confidence, pace)

    def crop(self, image: Pixels, found: Sequence[tuple[Detection, int | None]]) -> list[Candidate]:
        """Faces that were found in an image, each with its track, largest first, aligned."""
        gray = to_gray(image)
        boxes = (Box.inside(*face.box, image=(gray.shape[0], gray.shape[1])) for face, _ in found)
        visible = [(box, *pair) for box, pair in zip(boxes, found, strict=True) if box is not None]
        visible.sort(key=lambda triple: -triple[0].area)
        return [Candidate(box, face, _crop(gray, face), track) for box, face, track in visible]


@dataclass(frozen=True, slots=True)
class MakeFinder:
    """Makes the same finder in any process.

    Args:
        detector: its name, or a detector that can be pickled.
        min_confidence: see `Finder`.
        min_face: see `mien.faces.detect.create_detector`.
        threads: threads of a named detector and of OpenCV.
    """

    detector: str | Detector
    min_confidence: float
    min_face: int
    threads: int | None

    def __call__(self) -> Finder:
        """The finder.

        Raises:
            UsageError: an unknown detector, or a value out of range.
        """
        use_threads(self.threads)
        if not isinstance(self.detector, str):
            return Finder(self.detector, self.min_confidence)
        create = partial(create_detector, self.detector, min_score=WEAK_SHARE * self.min_confidence)
        return Finder(create(min_face=self.min_face, threads=self.threads), self.min_confidence)


def _crop(gray: NDArray[np.uint8], face: Detection) -> NDArray[np.uint8]:
    return align_face(gray, face.landmarks) if face.landmarks else crop_face(gray, face.box)
