"""Many picture files, a few at a time: memory stays bounded, a broken file stops nothing."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from mien.errors import MienError
from mien.media.images import EmptySource, read_image
from mien.output.recognized import Recognized
from mien.recognition.pipeline import Pipeline, Searched, batched
from mien.results import Frame


def recognize_files(pipeline: Pipeline, sources: Iterable[Path | EmptySource], batch: int) -> Iterator[Recognized]:
    """The faces of picture files, in order; a file that cannot be read gives a frame with an error and no image.

    Args:
        pipeline: what finds and classifies the faces.
        sources: picture files, and what was found empty where others were looked for (see `expand_sources`).
        batch: how many pictures are classified together, at least 1; fewer when they are large.
    """
    for searched in batched((_search(pipeline, source) for source in sources), batch):
        yield from pipeline.recognized(searched)


def _search(pipeline: Pipeline, source: Path | EmptySource) -> Searched:
    if isinstance(source, EmptySource):
        return Searched(Frame(source.source, error=source.error, header=pipeline.header))
    try:
        image = read_image(source)
        height, width = image.shape[:2]
        frame = Frame(str(source), width=width, height=height, header=pipeline.header)
        return Searched(frame, image, tuple(pipeline.find(image)))
    except MienError as error:
        return Searched(Frame(str(source), error=str(error), header=pipeline.header))
