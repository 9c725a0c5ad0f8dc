"""The recognizer: pictures and videos in, faces and their expressions out.

It ties together a detector and a classifier, which may both be handed in; it knows nothing about files of results,
drawing or the command line.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.choices import MOST_WORKERS, Preference
from mien.defaults import (
    DEFAULT_ALIGNMENT,
    DEFAULT_DETECTOR,
    DEFAULT_MODEL,
    DEFAULT_PREFERENCE,
    MIN_SCORE,
)
from mien.errors import UsageError
from mien.faces.detection import Detector
from mien.faces.quality import QualityLimits
from mien.faces.selection import Selection
from mien.given import options as check_names
from mien.given import whole, wrong
from mien.media.read_image import Picture
from mien.media.video_source import without_password
from mien.model.embedded import versioned_name
from mien.model.onnx_model import Bundle
from mien.output.recognized import Recognized
from mien.recognition.classifier import Classifier
from mien.recognition.features import features_of
from mien.recognition.finder import MakeFinder
from mien.recognition.parallel import found_by_workers, found_here, found_in
from mien.recognition.pictures import search
from mien.recognition.pipeline import Pipeline, crop_of
from mien.recognition.reading import Reader
from mien.recognition.recognizer_options import checked_options, header_of, named
from mien.recognition.video import StreamKeywords, StreamOptions, VideoInput, checked_source, recognize_video
from mien.results import Face, Frame, Header
from mien.threads import threads_each


class Recognizer:
    """Finds the faces in pictures and says what they express.

    Args:
        model: name of an embedded model, path of a model file, or a classifier.
        detector: ``yunet``, ``haar``, ``none`` (every image is a face), or a detector.
        device: where the classifier runs, one of `mien.choices.MODEL_DEVICES`; without effect on one that is handed
            in. ``auto`` falls back to the CPU, any other is used or refused.
        min_confidence: faces with a lower score of the detector are dropped, 0..1.
        min_face: lower faces are left out, pixels, at least `mien.choices.SMALLEST_FACE`; YuNet finds the others in
            pictures of any size, the quicker the larger they are. None: none is left out, and YuNet finds those of
            `mien.defaults.MIN_FACE` pixels in pictures of any size.
        max_yaw: faces that are turned farther to either side are left out, degrees, 0..90; None: none. Faces without
            landmarks stay.
        min_probability: from which an expression is certain, 0..1.
        max_faces: how many faces of a picture or frame are kept, at most; None: all.
        prefer: which then: the ``largest``, or the most ``central``, whose middle is nearest to that of the region or
            picture.
        region: x, y, width and height in pixels: faces whose middle lies outside are left out; None: none.
        sets: every face gets a conformal set, `Face.emotions`, that holds the true expression with this probability,
            0.9 for example; None: none.
        out_of_place: whether every face gets its `Face.typicality`. Both need a model with a trust file, which
            embedded models have.
        threads: threads of the classifier, of YuNet, and of OpenCV, which has one number for the whole process: the
            last recognizer's. By default one for each core that the process may use (`mien.threads.thread_count`).
        alignment: how faces with landmarks are framed, one of `mien.choices.ALIGNMENTS`: as the faces were that the
            model was trained on. Embedded models read faces as FER2013 frames them.

    Example:
        >>> from importlib.resources import files
        >>> import mien
        >>> recognizer = mien.Recognizer(min_confidence=0.8)
        >>> photo = files("mien") / "samples" / "astronaut.jpg"
        >>> [len(faces) for faces in recognizer.predict_batch([photo, photo])]
        [1, 1]

    Raises:
        ModelFileError: the model or the detector's weights are missing or unusable.
        UsageError: an unknown detector or device, a device that is not there, a value out of range.
    """

    def __init__(  # noqa: PLR0913 - the options of a recognition
        self,
        model: str | Path | Classifier = DEFAULT_MODEL,
        detector: str | Detector = DEFAULT_DETECTOR,
        *,
        device: str = "auto",
        min_confidence: float = MIN_SCORE,
        min_face: int | None = None,
        max_yaw: float | None = None,
        min_probability: float = 0.0,
        max_faces: int | None = None,
        prefer: Preference = DEFAULT_PREFERENCE,
        region: tuple[int, int, int, int] | None = None,
        sets: float | None = None,
        out_of_place: bool = False,
        threads: int | None = None,
        alignment: str = DEFAULT_ALIGNMENT,
    ) -> None:
        made_of = self._made_of = checked_options(
            {
                "model": model,
                "detector": detector,
                "device": device,
                "min_confidence": min_confidence,
                "min_face": min_face,
                "max_yaw": max_yaw,
                "min_probability": min_probability,
                "max_faces": max_faces,
                "prefer": prefer,
                "region": region,
                "sets": sets,
                "out_of_place": out_of_place,
                "threads": threads,
                "alignment": alignment,
            }
        )
        limits, threads = self._limits(), made_of["threads"]
        selection = Selection(max_faces, prefer, region)
        made_of |= {"max_faces": selection.max_faces, "region": selection.region}
        finder = MakeFinder(detector, made_of["min_confidence"], threads, limits=limits)()
        classifier = Bundle.load(model, device=device, threads=threads) if isinstance(model, str | Path) else model
        self.pipeline = Pipeline(
            finder.detector,
            classifier,
            made_of["min_confidence"],
            header_of(classifier, made_of),
            alignment=alignment,
            limits=limits,
            selection=selection,
            min_probability=made_of["min_probability"],
            read=Reader(classifier, made_of["sets"], out_of_place=made_of["out_of_place"]),
        )
        """The steps that a recognition is made of, for programs that schedule them themselves."""

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, or another process, loads model and detector again."""
        model = self._made_of["model"]
        if isinstance(model, str | Path) and versioned_name(model) is None:
            model = Path(model).absolute()
        return partial(type(self), **{**self._made_of, "model": model}), ()

    def __repr__(self) -> str:
        model, detector = (named(self._made_of[part]) for part in ("model", "detector"))
        return f"Recognizer({model}, {detector}, min_confidence {self._made_of['min_confidence']:g})"

    @property
    def classifier(self) -> Classifier:
        """What reads the expressions: the `Bundle` of the model file, or the classifier that was handed in."""
        return self.pipeline.classifier

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the expressions that the model knows, in its order."""
        return self.header.labels

    @property
    def header(self) -> Header:
        """What results come from: model, its hash, and how faces are found."""
        return self.pipeline.header

    def finder(self, processes: int = 1) -> MakeFinder:
        """Makes what finds the faces, in another process, one of so many that share the threads."""
        made_of = self._made_of
        threads = threads_each(made_of["threads"], processes)
        detector, confidence, align = made_of["detector"], made_of["min_confidence"], made_of["alignment"]
        limits = self._limits()
        selection = Selection(made_of["max_faces"], made_of["prefer"], made_of["region"])
        return MakeFinder(detector, confidence, threads, crop_of(self.classifier), align, limits, selection)

    def _limits(self) -> QualityLimits:
        return QualityLimits(self._made_of["min_face"], self._made_of["max_yaw"])

    def predict(self, image: Picture) -> list[Face]:
        """The faces in one picture (see `read_image` for what it may be), largest first; [] when there is none.

        Raises:
            InputError: the picture cannot be read.
            UsageError: an array of another type or shape.
        """
        return self.pipeline.classify([found_in(self.pipeline, image)])[0]

    def recognize(self, image: Picture) -> Recognized:
        """The faces in one picture together with its pixels, to be drawn, saved or shown.

        Raises:
            InputError: the picture cannot be read.
            UsageError: an array of another type or shape.
        """
        (recognized,) = self.pipeline.recognized([search(self.pipeline, _source(image), image, keep_image=True)])
        return recognized

    def predict_batch(self, images: Iterable[Picture], *, workers: int = 1) -> list[list[Face]]:
        """The faces in each of several pictures; all of them are classified together, or none where one cannot be read.

        Args:
            images: the pictures, see `read_image` for what each may be.
            workers: processes that read pictures and find faces, at least 1; 1: this one alone. They are started and
                ended by every call, in some 0.5 s; a script then needs its ``if __name__ == "__main__":``.

        Raises:
            WorkerError: a worker died, or none starts.
            InputError: a picture cannot be read; its message begins with the place of it, such as ``images[2]``. Where
                the others are wanted all the same, call `predict` for each.
            UsageError: one picture instead of several, or an array of another type or shape.
        """
        if isinstance(images, str | Path | bytes | np.ndarray | Image.Image):
            raise UsageError(f"predict_batch takes a list of pictures, not one {type(images).__name__}: use [picture]")
        if not isinstance(images, Iterable):
            raise wrong("what was given", images, "a list of pictures")
        workers = whole("workers", workers, f"a whole number, 1..{MOST_WORKERS}", 1, MOST_WORKERS)
        if workers == 1:
            return self.pipeline.classify(list(found_here(self.pipeline, images)))
        return self.pipeline.classify(list(found_by_workers(self.finder(workers), images, workers)))

    def embed(self, image: Picture) -> NDArray[np.float32]:
        """The features of the faces in one picture, what the model's last layer reads: for clustering, charts and
        classifiers of one's own.

        Returns:
            (faces, D), a row for each face of `predict`, in its order.

        Raises:
            InputError: the picture cannot be read.
            ModelFileError: the model has no layer with weights before its answer.
            UsageError: a classifier of one's own without ``features``, or an array of another type or shape.
        """
        return features_of(self.classifier, [candidate.crop for candidate in found_in(self.pipeline, image)])

    def stream(self, source: VideoInput, **options: Unpack[StreamKeywords]) -> Iterator[Frame]:
        """The frames of a video with its faces, followed through time; closing the iterator releases the source.

        Args:
            source: path of a video, number of a webcam, address of a stream, ``-`` for standard input, pictures in
                order (see `read_image` for what each may be), or a source of your own.
            every: run full-frame detection every N frames and track faces in between; by default twice a second, for
                live sources less often where the machine is slow.
            smooth: how the expressions of a track are steadied: ``symmetric`` (a mean of as much before as after a
                moment, which moves nothing), ``ema`` (a mean of what came before), ``mode`` (of the last 10 labels),
                ``none``; or a subclass of `mien.Smoothing`, of which every person gets an object. By default ``auto``:
                ``symmetric`` for files, whose frames then come 0.9 s later, and ``ema`` for live sources.
            time_constant: of ``symmetric`` and ``ema``, seconds; 0.5 by default.
            raw: whether faces carry the probabilities of their frame alone, too (`Face.raw`).
            mirror: whether images are mirrored left to right first; by default those of webcams.
            fps: frames a second of what has no times of its own (pictures, raw streams).
            start: frames before this time are left out: seconds, ``mm:ss`` or ``hh:mm:ss.mmm``. Decoding begins at the
                key frame before it; times and numbers of frames stay those of the whole video.
            end: frames from this time on are left out, likewise.
            step: of the frames in between every N-th is recognised, from the first one on.
            fps_out: at most so many frames a second are recognised: of each stretch of 1/fps_out seconds the first.
            reopen: seconds for which a webcam or stream that broke off is opened again; 0: not at all. A frame with an
                `error` says when it was lost, another one when it was back.

        Yields:
            One `Frame` for every image, in order; of live sources only as many as can be handled, with gaps in `index`.

        Raises:
            UsageError: a value out of range; at once, before the first frame is asked for.
            InputError: the source cannot be opened; or it is damaged or ends early, after its last readable
                frame.
            MissingExtraError: the source needs PyAV, which is not installed.
        """
        return _frames(self.watch(source, **options))

    def watch(self, source: VideoInput, **options: Unpack[StreamKeywords]) -> Generator[Recognized, None, None]:
        """`stream` with the images: what a `mien.Sink` takes. Keeping them all keeps every pixel of the video."""
        check_names(options, (field.name for field in fields(StreamOptions)))
        checked = StreamOptions(**options)
        return recognize_video(self.pipeline, checked_source(source, checked.excerpt), checked)


def _frames(images: Generator[Recognized, None, None]) -> Iterator[Frame]:
    with closing(images):
        for recognized in images:
            yield recognized.frame


def _source(image: Picture) -> str:
    """What results call a picture."""
    if isinstance(image, str | Path):
        return without_password(str(image))
    return getattr(image, "filename", "") or "picture"
