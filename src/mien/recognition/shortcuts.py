"""One call for one picture: recognizers are made, kept and used again."""

from collections.abc import Hashable
from functools import lru_cache
from pathlib import Path
from typing import Unpack

from mien.given import options as check_names
from mien.media.read_image import Picture
from mien.output.recognized import Recognized
from mien.recognition.recognizer import Recognizer
from mien.recognition.recognizer_options import RecognizerOptions
from mien.results import Face


def recognize(image: Picture, **options: Unpack[RecognizerOptions]) -> Recognized:
    """The faces in a picture together with its pixels: ``Recognizer(**options).recognize(image)``.

    The recognizers of the last four combinations of options are kept, so that a model is loaded only once.

    Args:
        image: a path, bytes, a PIL image, or an array of uint8: (H, W) or RGB (H, W, 3).
        options: those of `Recognizer`, by name.

    Example:
        >>> from importlib.resources import files
        >>> import mien
        >>> seen = mien.recognize(files("mien") / "samples" / "astronaut.jpg")
        >>> [face.emotion for face in seen.faces]
        ['happy']

    Raises:
        InputError: the picture cannot be read.
        ModelFileError: the model is missing or unusable.
        UsageError: an option out of range, or an array of another type or shape.
    """
    check_names(options, RecognizerOptions.__annotations__)
    kept = all(isinstance(value, Hashable) for value in options.values())
    recognizer = _shared(_stamp(options.get("model")), **options) if kept else Recognizer(**options)  # type: ignore[arg-type]  # TypedDicts hold Hashables
    return recognizer.recognize(image)


def analyze(image: Picture, **options: Unpack[RecognizerOptions]) -> list[Face]:
    """The faces in a picture and their expressions, largest first; [] when there is none (see `recognize`).

    Example:
        >>> from importlib.resources import files
        >>> import mien
        >>> (face,) = mien.analyze(files("mien") / "samples" / "astronaut.jpg")
        >>> face.emotion, tuple(face.box)
        ('happy', (178, 63, 91, 113))
    """
    return list(recognize(image, **options).faces)


@lru_cache(maxsize=4)
def _shared(stamp: tuple[int, int] | None, **options: Unpack[RecognizerOptions]) -> Recognizer:
    """A recognizer to be used again, as long as the stamp of its model file is the same."""
    return Recognizer(**options)


def _stamp(model: object) -> tuple[int, int] | None:
    """What changes when a model file is written anew: its time in nanoseconds and its size."""
    if not isinstance(model, str | Path) or not Path(model).is_file():
        return None
    found = Path(model).stat()
    return found.st_mtime_ns, found.st_size
