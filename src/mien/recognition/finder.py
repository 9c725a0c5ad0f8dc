"""What finds faces in images and cuts them out; it classifies nothing, so worker processes need nothing else."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.defaults import DEFAULT_ALIGNMENT, MIN_FACE
from mien.face_quality import Quality
from mien.faces.align import crop_face
from mien.faces.alignments import ALIGNMENTS
from mien.faces.detection import Detection, Detector, detected, stretched
from mien.faces.detectors import create_detector
from mien.faces.follow import WEAK_SHARE, Followed, Follower, Pace
from mien.faces.opencv_threads import use_threads
from mien.faces.quality import NO_LIMITS, QualityLimits, quality_of
from mien.faces.selection import ALL, Selection
from mien.media.decode_picture import Pixels, Reduced
from mien.preprocess import FACE_SIZE, to_rgb
from mien.results import Box

_SHARP: Final = 64
"""Height of a face in pixels from which its crop of 48x48 pixels loses nothing; of lower ones all pixels are read.
Larger crops ask for more in proportion.
"""


CANONICAL_CROP: Final = (FACE_SIZE, 1)
"""Side and channels of FER2013's faces."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A face that was found and not yet classified: where it is, its crop, uint8 (S, S) or (S, S, 3), how good it is to
    read, its track, and whether it looks as in the frame before.
    """

    box: Box
    detection: Detection
    crop: NDArray[np.uint8]
    quality: Quality
    track: int | None = None
    still: bool | None = None


class Finder:
    """Finds faces in images and cuts them out.

    Args:
        detector: it should give weak faces too, for `follower`.
        min_confidence: faces with a lower score of the detector are dropped, 0..1.
        crop: side in pixels and channels, 1 or 3, of the faces that are cut out.
        alignment: of faces with landmarks, one of `mien.choices.ALIGNMENTS`.
        limits: faces that are left out.
        selection: those of the others that are wanted.
    """

    def __init__(
        self,
        detector: Detector,
        min_confidence: float,
        crop: tuple[int, int] = CANONICAL_CROP,
        *,
        alignment: str = DEFAULT_ALIGNMENT,
        limits: QualityLimits = NO_LIMITS,
        selection: Selection = ALL,
    ) -> None:
        self.detector, self._min_confidence, self.crop_kind = detector, min_confidence, crop
        self._align, self._gray = ALIGNMENTS[alignment], crop[1] == 1
        self._limits, self._selection = limits, selection

    def check(self, picture: tuple[int, int], name: str) -> None:
        """See `Selection.check`."""
        self._selection.check(picture, name)

    def find(self, image: Pixels) -> list[Candidate]:
        """The faces in an image, RGB uint8 (H, W, 3) or grayscale uint8 (H, W), largest first, aligned."""
        return self.find_in(Reduced.not_at_all(image), lambda: image)

    def find_in(self, picture: Reduced, whole: Callable[[], Pixels]) -> list[Candidate]:
        """The faces in a picture that was decoded as small as `reduction` allows.

        Args:
            picture: what was decoded.
            whole: decodes all its pixels; called when a face is so small that its crop needs them.
        """
        image, factor = picture.pixels, picture.factor
        seen = self.detector.detect(image) if factor == 1 else self.detector.detect(image, factor)  # type: ignore[call-arg]  # one that offers `reduction` takes it
        found = [(stretched(face, factor), None) for face in detected(seen) if face.score >= self._min_confidence]
        sharp = _SHARP * self.crop_kind[0] / FACE_SIZE
        if factor > 1 and any(max(face.box[2:]) < sharp * factor for face, _ in found):
            image = whole()
        return self.crop(image, found, (picture.height, picture.width))

    def reduction(self, longer: int) -> int:
        """By how much (1, 2, 4 or 8) a picture of that longer side, in pixels, may be decoded smaller."""
        reduction: Callable[[int], int] | None = getattr(self.detector, "reduction", None)
        return 1 if reduction is None else reduction(longer)

    def follower(self, pace: Pace | Followed) -> Follower:
        """What follows the faces of one video, from its beginning or on, with this detector and least confidence."""
        return Follower(self.detector, self._min_confidence, pace)

    def crop(
        self,
        image: Pixels,
        found: Sequence[tuple[Detection, int | None]],
        size: tuple[int, int] | None = None,
    ) -> list[Candidate]:
        """Faces that were found in an image, each with its track, largest first, aligned, but for those that are left
        out.

        Args:
            image: the image.
            found: faces and tracks.
            size: (height, width) of the picture whose coordinates they have, if it is not the image's.
        """
        pixels = image if self._gray else to_rgb(image)
        height, width = size or (pixels.shape[0], pixels.shape[1])
        boxes = (Box.inside(*face.box, image=(height, width)) for face, _ in found)
        visible = [(box, *pair) for box, pair in zip(boxes, found, strict=True) if box is not None]
        visible.sort(key=lambda triple: -triple[0].area)
        factor = round(width / pixels.shape[1])  # the last block of a reduced picture may reach beyond it
        side, _ = self.crop_kind
        candidates = [
            _candidate(box, face, self.cut(pixels, stretched(face, 1 / factor), side, gray=self._gray), track)
            for box, face, track in visible
        ]
        good = [candidate for candidate in candidates if self._limits.hold(candidate.quality)]
        return self._selection.of(good, (height, width))

    def cut(self, image: NDArray[np.uint8], face: Detection, side: int, *, gray: bool = False) -> NDArray[np.uint8]:
        """A face as classifiers see it, with a side in pixels of one's own: uint8 (side, side), or with 3 channels."""
        if face.landmarks:
            return self._align(image, face.landmarks, side, gray=gray)
        return crop_face(image, face.box, side, gray=gray)


def _candidate(box: Box, face: Detection, crop: NDArray[np.uint8], track: int | None) -> Candidate:
    return Candidate(box, face, crop, quality_of(box, face.landmarks, crop), track)


@dataclass(frozen=True, slots=True)
class MakeFinder:
    """Makes the same finder in any process.

    Args:
        detector: its name, or a detector that can be pickled.
        min_confidence: see `Finder`.
        threads: threads of a named detector and of OpenCV.
        crop: see `Finder`.
        alignment: see `Finder`.
        limits: see `Finder`; from their ``min_face`` on a named detector finds faces in pictures of any size.
        selection: see `Finder`.
    """

    detector: str | Detector
    min_confidence: float
    threads: int | None
    crop: tuple[int, int] = CANONICAL_CROP
    alignment: str = DEFAULT_ALIGNMENT
    limits: QualityLimits = NO_LIMITS
    selection: Selection = ALL

    def __call__(self) -> Finder:
        """The finder.

        Raises:
            UsageError: an unknown detector, or a value out of range.
        """
        use_threads(self.threads)
        detector = self._created(self.detector) if isinstance(self.detector, str) else self.detector
        limits, chosen = self.limits, self.selection
        align = self.alignment
        return Finder(detector, self.min_confidence, self.crop, alignment=align, limits=limits, selection=chosen)

    def _created(self, name: str) -> Detector:
        score, face = WEAK_SHARE * self.min_confidence, self.limits.min_face
        return create_detector(name, min_score=score, min_face=MIN_FACE if face is None else face, threads=self.threads)
