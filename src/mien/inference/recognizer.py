"""From pictures to expressions: detection, alignment, classification.

The recogniser ties together a detector and a classifier, which may both be handed in; it knows nothing about files of
results, drawing or the command line.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.bundle import DEFAULT_MODEL, Bundle
from mien.errors import UsageError
from mien.faces.align import align_face, crop_face
from mien.faces.detect import MIN_SCORE, Detection, Detector, create_detector, use_threads
from mien.faces.follow import WEAK_SHARE, Follower, Pace
from mien.inference.media import Picture, read_image
from mien.inference.video import DEFAULT_FPS
from mien.pictures import Pixels
from mien.preprocess import to_gray
from mien.results import Box, Face, Frame

if TYPE_CHECKING:
    from mien.inference.video import VideoSource


class Classifier(Protocol):
    """Reads expressions off faces; `mien.bundle.Bundle` is one."""

    def probabilities(self, faces: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Calibrated probabilities (N, 7), each row summing to 1, of face crops, grayscale uint8 (N, 48, 48)."""
        ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A face that was found and not yet classified: where it is, its crop, grayscale uint8 (48, 48), and its track."""

    box: Box
    detection: Detection
    crop: NDArray[np.uint8]
    track: int | None = None


class Recognizer:
    """Finds the faces in pictures and says what they express.

    Args:
        model: name of an embedded model, path of a model file, or a classifier.
        detector: ``yunet``, ``haar``, ``none`` (every image is a face), or a detector.
        device: where the classifier runs, one of `mien.devices.MODEL_DEVICES`; without effect on one that is handed
            in. ``auto`` falls back to the CPU, any other is used or refused.
        min_confidence: faces with a lower score of the detector are dropped, 0..1.
        threads: threads of the classifier and of OpenCV, which has one number for the whole process: the last
            recogniser's. By default one for each core that the process may use (`mien.threads.thread_count`).

    Raises:
        ModelFileError: the model or the detector's weights are missing or unusable.
        UsageError: an unknown detector or device, a device that is not there, a value out of range.
    """

    def __init__(
        self,
        model: str | Path | Classifier = DEFAULT_MODEL,
        detector: str | Detector = "yunet",
        *,
        device: str = "auto",
        min_confidence: float = MIN_SCORE,
        threads: int | None = None,
    ) -> None:
        if not 0 <= min_confidence <= 1:
            raise UsageError(f"min_confidence is {min_confidence}: expected 0..1")
        use_threads(threads)
        self._min_confidence = min_confidence
        weakest = WEAK_SHARE * min_confidence
        self._detector = create_detector(detector, min_score=weakest) if isinstance(detector, str) else detector
        self._classifier = (
            Bundle.load(model, device=device, threads=threads) if isinstance(model, str | Path) else model
        )

    @property
    def classifier(self) -> Classifier:
        """What reads the expressions: the `Bundle` of the model file, or the classifier that was handed in."""
        return self._classifier

    def predict(self, image: Picture) -> list[Face]:
        """The faces in one picture (see `read_image` for what it may be), largest first; [] when there is none.

        Raises:
            InputError: the picture cannot be read.
            UsageError: an array of another type or shape.
        """
        return self.predict_batch([image])[0]

    def predict_batch(self, images: Iterable[Picture]) -> list[list[Face]]:
        """The faces in each of several pictures; all of them are classified together.

        Raises:
            InputError: a picture cannot be read.
            UsageError: one picture instead of several, or an array of another type or shape.
        """
        if isinstance(images, str | Path | bytes | np.ndarray | Image.Image):
            raise UsageError(f"predict_batch takes a list of pictures, not one {type(images).__name__}: use [picture]")
        return self.classify([self.find(read_image(image)) for image in images])

    def stream(
        self,
        source: "str | Path | int | Sequence[Path] | VideoSource",
        *,
        every: int | None = None,
        smooth: str = "ema",
        mirror: bool | None = None,
        fps: float = DEFAULT_FPS,
    ) -> Iterator[Frame]:
        """The frames of a video with its faces, followed through time; closing the iterator releases the source.

        Args:
            source: path of a video, number of a webcam, address of a stream, ``-`` for standard input, picture files in
                order, or a source of your own.
            every: the whole picture is searched in every so many frames, in between only where faces are followed; by
                default twice a second, for live sources less often where the machine is slow.
            smooth: how the expressions of a track are steadied: ``none``, ``mode`` (of the last 10 labels) or ``ema``
                (time constant 0.5 s).
            mirror: whether images are mirrored left to right first; by default those of webcams.
            fps: frames a second of what has no times of its own (pictures, raw streams).

        Yields:
            One `Frame` for every image, in order; of live sources only as many as can be handled, with gaps in `frame`.

        Raises:
            InputError: the source cannot be opened; or it is damaged or ends early, after its last readable
                frame.
            UsageError: a value out of range.
            MissingExtraError: the source needs PyAV, which is not installed.
        """
        from mien.inference.stream import StreamOptions, recognize_video

        options = StreamOptions(every=every, smooth=smooth, mirror=mirror, fps=fps)
        with closing(recognize_video(self, source, options)) as images:
            for recognized in images:
                yield recognized.frame

    def find(self, image: Pixels) -> list[Candidate]:
        """The faces in an image that `read_image` made, largest first, aligned and not yet classified."""
        return self.crop(
            image, [(face, None) for face in self._detector.detect(image) if face.score >= self._min_confidence]
        )

    def crop(self, image: Pixels, found: Sequence[tuple[Detection, int | None]]) -> list[Candidate]:
        """Faces that were found in an image, each with its track, largest first, aligned and not yet classified."""
        gray = to_gray(image)
        boxes = (Box.inside(*face.box, image=(gray.shape[0], gray.shape[1])) for face, _ in found)
        visible = [(box, *pair) for box, pair in zip(boxes, found, strict=True) if box is not None]
        visible.sort(key=lambda triple: -triple[0].area)
        return [Candidate(box, face, _crop(gray, face), track) for box, face, track in visible]

    def follower(self, pace: Pace) -> Follower:
        """What follows the faces of one video, with this recogniser's detector and least confidence."""
        return Follower(self._detector, self._min_confidence, pace)

    def classify(self, candidates: Sequence[Sequence[Candidate]]) -> list[list[Face]]:
        """The expressions of the faces of several images, in one forward pass; lists as they came."""
        crops = [candidate.crop for image in candidates for candidate in image]
        rows = iter(self._classifier.probabilities(np.stack(crops)) if crops else ())
        return [[_face(candidate, next(rows)) for candidate in image] for image in candidates]


def analyze(image: Picture) -> list[Face]:
    """The faces in a picture and their expressions: ``Recognizer().predict(image)``, loading the model only once.

    Raises:
        InputError: the picture cannot be read.
        UsageError: an array of another type or shape.
    """
    return _default_recognizer().predict(image)


@cache
def _default_recognizer() -> Recognizer:
    return Recognizer()


def _crop(gray: NDArray[np.uint8], face: Detection) -> NDArray[np.uint8]:
    return align_face(gray, face.landmarks) if face.landmarks else crop_face(gray, face.box)


def _face(candidate: Candidate, probabilities: NDArray[np.float64]) -> Face:
    detection = candidate.detection
    return Face(candidate.box, detection.score, tuple(probabilities.tolist()), detection.landmarks, candidate.track)
