"""`FER`: the faces of a picture and their expressions, as the package `fer` returns them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from mien.choices import SMALLEST_FACE
from mien.compat.fer.exceptions import InvalidImage, InvalidModelFile
from mien.compat.inputs import InvalidArgumentError, read_picture
from mien.defaults import DEFAULT_DETECTOR, DEFAULT_MODEL
from mien.errors import ModelFileError, UsageError
from mien.faces.detection import Detection, Detector
from mien.faces.haar import HaarDetector
from mien.media.decode_picture import Pixels
from mien.recognition.classifier import Classifier
from mien.recognition.finder import Candidate, Finder
from mien.recognition.recognizer import Recognizer
from mien.results import Face

_MTCNN_FACE: Final = 20
"""Height in pixels of the smallest face that MTCNN looks for by default."""

_DIGITS: Final = 2
"""Decimals of fer's scores."""

Rectangles = Iterable[Sequence[int]]
"""Faces as [x, y, width, height] in pixels of the picture."""


class FER:
    """Finds faces and reads their expressions. The keywords are fer's, and ``emotion_model`` is a model of mien.

    Args:
        cascade_file: a Haar cascade that finds the faces instead of YuNet.
        mtcnn: also faces below ``min_face_size``, down to 20 pixels; they are found by YuNet all the same.
        tfserving: refused.
        use_tflite: without effect, there is no TensorFlow.
        scale_factor: of the cascade: step between the sizes of faces, more than 1.
        min_face_size: height in pixels of the smallest face, at least 1.
        min_neighbors: of the cascade: overlapping hits that make a face, at least 0.
        offsets: without effect: faces are cut out in FER2013's framing.
        compile: without effect.
        emotion_model: name of an embedded model, a model file, or a classifier.

    Raises:
        ValueError: an argument out of range, or ``tfserving``.
        InvalidModelFile: the model is missing or unusable.
    """

    def __init__(  # noqa: PLR0913 - fer's parameters
        self,
        cascade_file: str | Path | None = None,
        mtcnn: bool = False,
        tfserving: bool = False,
        *,
        use_tflite: bool = True,
        scale_factor: float = 1.1,
        min_face_size: int = 50,
        min_neighbors: int = 5,
        offsets: Sequence[int] = (10, 10),
        compile: bool = False,
        emotion_model: str | Path | Classifier = DEFAULT_MODEL,
    ) -> None:
        _check(tfserving, scale_factor, min_face_size, min_neighbors, offsets)
        self.emotions: list[dict[str, Any]] = []
        """What `detect_emotions` returned last."""
        self._least = _MTCNN_FACE if mtcnn else min_face_size
        detector: str | Detector = DEFAULT_DETECTOR
        if cascade_file is not None:
            detector = _cascade(Path(cascade_file), scale_factor, min_neighbors, min_face_size)
        try:
            self._recognizer = Recognizer(emotion_model, detector, min_face=max(SMALLEST_FACE, int(self._least)))
        except ModelFileError as error:
            raise InvalidModelFile(str(error)) from None

    def find_faces(self, img: Any, bgr: bool = True, gray_img: Any = None) -> list[list[int]]:
        """The faces of a picture, largest first, as [x, y, width, height].

        Args:
            img: see `detect_emotions`.
            bgr: whether ``img`` is in colour; its shape says so too.
            gray_img: without effect.
        """
        return [list(found.box) for found in self._found(read_picture(img, InvalidImage))]

    def detect_emotions(self, img: Any, face_rectangles: Rectangles | None = None) -> list[dict[str, Any]]:
        """The faces of a picture and their expressions, largest first.

        Args:
            img: a path, an http(s) address, BGR or grayscale pixels, base64 after ``data:image/...``, or a Pillow
                image.
            face_rectangles: the faces, if they are known; those outside the picture are left out.

        Returns:
            ``{"box": [x, y, width, height], "emotions": {"angry": 0.02, ...}}`` for each face; [] when there is none.

        Raises:
            InvalidImage: the picture cannot be read.
        """
        image = read_picture(img, InvalidImage)
        found = self._found(image) if face_rectangles is None else self._cut_out(image, face_rectangles)
        (faces,) = self._recognizer.pipeline.classify([found])
        self.emotions = [_entry(face) for face in faces]
        return self.emotions

    def batch_detect_emotions(self, imgs: Iterable[Any]) -> list[list[dict[str, Any]]]:
        """`detect_emotions` of several pictures, classified together.

        Raises:
            InvalidImage: a picture cannot be read.
        """
        found = [self._found(read_picture(img, InvalidImage)) for img in imgs]
        return [[_entry(face) for face in faces] for faces in self._recognizer.pipeline.classify(found)]

    def top_emotion(self, img: Any) -> tuple[str | None, float | None]:
        """Name and score of the likeliest expression of the largest face; (None, None) when there is no face.

        Raises:
            InvalidImage: the picture cannot be read.
        """
        faces = self.detect_emotions(img)
        if not faces:
            return None, None
        scores = faces[0]["emotions"]
        name = max(scores, key=scores.__getitem__)
        return name, scores[name]

    def _found(self, image: Pixels) -> list[Candidate]:
        return [found for found in self._recognizer.pipeline.find(image) if found.box.height >= self._least]

    def _cut_out(self, image: Pixels, rectangles: Rectangles) -> list[Candidate]:
        """Faces at rectangles, in their order."""
        faces = [Detection((float(x), float(y), float(w), float(h)), 1.0) for x, y, w, h in rectangles]
        pipeline = self._recognizer.pipeline
        cutter = Finder(pipeline.detector, 0.0, pipeline.crop_kind)  # one that leaves no size out
        return [found for face in faces for found in cutter.crop(image, [(face, None)])]


def _entry(face: Face) -> dict[str, Any]:
    scores = {name: round(score, _DIGITS) for name, score in face.probabilities.items()}
    return {"box": list(face.box), "emotions": scores}


def _cascade(file: Path, scale: float, neighbors: int, least: int) -> Detector:
    try:
        return HaarDetector(scale=scale, neighbours=neighbors, least=least, cascade=file)
    except UsageError as error:
        raise InvalidArgumentError(str(error)) from None


def _check(tfserving: bool, scale: float, least: int, neighbors: int, offsets: Sequence[int]) -> None:
    if tfserving:
        raise InvalidArgumentError("tfserving: mien computes in this process; leave it out, or use `mien serve`")
    if not scale > 1:
        raise InvalidArgumentError(f"scale_factor is {scale}: expected more than 1")
    if least < 1:
        raise InvalidArgumentError(f"min_face_size is {least}: expected at least 1 pixel")
    if neighbors < 0:
        raise InvalidArgumentError(f"min_neighbors is {neighbors}: expected at least 0")
    if not isinstance(offsets, list | tuple) or len(offsets) != 2:
        raise InvalidArgumentError(f"offsets are {offsets!r}: expected two numbers")
