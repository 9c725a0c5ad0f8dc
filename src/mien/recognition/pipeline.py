"""The steps from an image to a frame: find faces, cut them out, classify them.

A `Recognizer` takes them one after the other; videos and the service schedule them themselves, so that the faces of
many images are classified together.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from mien.defaults import DEFAULT_ALIGNMENT
from mien.face_quality import Moment
from mien.faces.detection import Detector
from mien.faces.quality import NO_LIMITS, QualityLimits
from mien.faces.selection import ALL, Selection
from mien.media.decode_picture import Pixels
from mien.model.card import ModelCard
from mien.output.recognized import Recognized
from mien.probabilities import Probabilities
from mien.recognition.classifier import Classifier
from mien.recognition.explain import Explainer
from mien.recognition.finder import CANONICAL_CROP, Candidate, Finder
from mien.recognition.reading import Reader, Reading
from mien.results import Face, Frame, Header

PIXELS_AT_ONCE: Final = 50_000_000
"""Images are classified together until they hold this many pixels, 150 MB in RGB."""

FACES_AT_ONCE: Final = 256
"""Faces in one forward pass, whose memory grows with them; images are classified together until they have as many."""


@dataclass(frozen=True, slots=True, eq=False)
class Searched:
    """An image in which faces were looked for, not yet classified.

    Args:
        frame: all that is known but the faces; with an error when the image could not be read.
        image: its pixels; None when it could not be read, or when nobody needs them any more.
        candidates: the faces that were found, largest first.
    """

    frame: Frame
    image: Pixels | None = None
    candidates: tuple[Candidate, ...] = ()


class Pipeline(Finder):
    """The steps from an image to a frame.

    Args:
        detector: what finds faces; it should give weak ones too, for `follower`.
        classifier: what reads expressions off them.
        min_confidence: faces with a lower score of the detector are dropped, 0..1.
        header: what results come from.
        alignment: see `Finder`.
        limits: see `Finder`.
        selection: see `Finder`.
        min_probability: from which an expression is certain, 0..1.
        read: what asks the classifier; by default for probabilities alone.
    """

    def __init__(  # noqa: PLR0913 - each is a step of its own
        self,
        detector: Detector,
        classifier: Classifier,
        min_confidence: float,
        header: Header,
        *,
        alignment: str = DEFAULT_ALIGNMENT,
        limits: QualityLimits = NO_LIMITS,
        selection: Selection = ALL,
        min_probability: float = 0.0,
        read: Reader | None = None,
    ) -> None:
        crop = crop_of(classifier)
        super().__init__(detector, min_confidence, crop, alignment=alignment, limits=limits, selection=selection)
        self.classifier, self.header = classifier, header
        self._min_probability, self._read = min_probability, read or Reader(classifier)

    def classify(self, candidates: Sequence[Sequence[Candidate]]) -> list[list[Face]]:
        """The expressions of the faces of several images, in one forward pass unless they are a crowd; lists as they
        came.
        """
        crops = [candidate.crop for image in candidates for candidate in image]
        parts = (crops[start : start + FACES_AT_ONCE] for start in range(0, len(crops), FACES_AT_ONCE))
        rows = (read for part in parts for read in self._read(np.stack(part)))
        return [[self._face(candidate, next(rows)) for candidate in image] for image in candidates]

    def _face(self, found: Candidate, read: Reading) -> Face:
        labels = self.header.labels
        likeliest = labels[int(read.probabilities.argmax())]
        return Face(
            found.box,
            found.detection.score,
            Probabilities.of(read.probabilities.tolist(), labels),
            found.detection.landmarks,
            found.track,
            min_probability=self._min_probability,
            quality=found.quality,
            emotions=read.emotions,
            typicality=read.typicality,
            moment=None if found.track is None else Moment(likeliest, found.still),
        )

    def recognized(self, searched: Sequence[Searched], header: Header | None = None) -> Iterator[Recognized]:
        """Several images with the expressions of their faces, in one forward pass, and what they come from."""
        header = header or self.header
        faces = self.classify([image.candidates for image in searched])
        for image, found in zip(searched, faces, strict=True):
            explainer = Explainer(self, self.classifier, image.candidates)
            yield Recognized(replace(image.frame, faces=tuple(found), header=header), image.image, explainer)


def crop_of(classifier: object) -> tuple[int, int]:
    """Side and channels of the faces that a classifier reads, as its card says; without one FER2013's."""
    card = getattr(classifier, "card", None)
    if isinstance(card, ModelCard):
        return card.preprocess.face_size, card.preprocess.channels
    return CANONICAL_CROP


def batched(searched: Iterable[Searched], size: int) -> Iterator[list[Searched]]:
    """Images to be classified together: so many, fewer when they are large or have many faces. When reading fails, what
    was read comes before the error.
    """
    batch: list[Searched] = []
    pixels = faces = 0
    try:
        for image in searched:
            batch.append(image)
            pixels, faces = pixels + _pixels(image), faces + len(image.candidates)
            if len(batch) == size or pixels >= PIXELS_AT_ONCE or faces >= FACES_AT_ONCE:
                yield batch
                batch, pixels, faces = [], 0, 0
    except Exception:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _pixels(searched: Searched) -> int:
    return 0 if searched.image is None else searched.image.shape[0] * searched.image.shape[1]
