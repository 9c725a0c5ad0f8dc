"""Many picture files, a few at a time: memory stays bounded, a broken file stops nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mien.errors import MienError
from mien.inference.media import EmptySource, read_image
from mien.inference.recognizer import Candidate, Recognizer
from mien.pictures import Pixels
from mien.results import Frame

PIXELS_AT_ONCE: Final = 50_000_000
"""Pictures are classified together until they hold this many pixels, 150 MB in RGB."""


@dataclass(frozen=True, slots=True)
class RecognizedFile:
    """One picture file, or empty source: its frame, and its pixels unless it could not be read."""

    path: Path
    frame: Frame
    image: Pixels | None


@dataclass(frozen=True, slots=True)
class _Opened:
    """A picture file with the faces found in it, or the reason why there are none."""

    path: Path
    image: Pixels | None = None
    candidates: tuple[Candidate, ...] = ()
    error: str | None = None


def recognize_files(
    recognizer: Recognizer, sources: Iterable[Path | EmptySource], batch: int
) -> Iterator[RecognizedFile]:
    """The faces of picture files, in order; a file that cannot be read gives a frame with an error.

    Args:
        recognizer: what finds and classifies the faces.
        sources: picture files, and what was found empty where others were looked for (see `expand_sources`).
        batch: how many pictures are classified together, at least 1; fewer when they are large.
    """
    for chunk in _chunks((_open(recognizer, source) for source in sources), batch):
        faces = recognizer.classify([file.candidates for file in chunk])
        for file, found in zip(chunk, faces, strict=True):
            height, width = (0, 0) if file.image is None else file.image.shape[:2]
            frame = Frame(
                str(file.path),
                width=width,
                height=height,
                faces=tuple(found),
                error=file.error,
                header=recognizer.header,
            )
            yield RecognizedFile(file.path, frame, file.image)


def _open(recognizer: Recognizer, source: Path | EmptySource) -> _Opened:
    if isinstance(source, EmptySource):
        return _Opened(Path(source.source), error=source.error)
    try:
        image = read_image(source)
        return _Opened(source, image, tuple(recognizer.find(image)))
    except MienError as error:
        return _Opened(source, error=str(error))


def _chunks(files: Iterable[_Opened], batch: int) -> Iterator[list[_Opened]]:
    chunk: list[_Opened] = []
    pixels = 0
    for file in files:
        chunk.append(file)
        pixels += 0 if file.image is None else file.image.shape[0] * file.image.shape[1]
        if len(chunk) == batch or pixels >= PIXELS_AT_ONCE:
            yield chunk
            chunk, pixels = [], 0
    if chunk:
        yield chunk
