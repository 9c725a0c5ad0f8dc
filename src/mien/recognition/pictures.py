"""Many picture files, a few at a time: memory stays bounded, a broken file stops nothing."""

from collections.abc import Iterable, Iterator

from mien.errors import MienError
from mien.media.read_image import read_image
from mien.media.search import EmptySource
from mien.media.sources import PictureEntry
from mien.media.video_source import without_password
from mien.output.recognized import Recognized
from mien.recognition.pipeline import Pipeline, Searched, batched
from mien.results import Frame


def recognize_files(pipeline: Pipeline, sources: Iterable[PictureEntry], batch: int) -> Iterator[Recognized]:
    """The faces of picture files, in order; a file that cannot be read gives a frame with an error and no image.

    Args:
        pipeline: what finds and classifies the faces.
        sources: picture files, addresses, and what was found empty where others were looked for (see `Search.expand`).
        batch: how many pictures are classified together, at least 1; fewer when they are large.
    """
    for searched in batched((_search(pipeline, source) for source in sources), batch):
        yield from pipeline.recognized(searched)


def _search(pipeline: Pipeline, source: PictureEntry) -> Searched:
    if isinstance(source, EmptySource):
        return Searched(Frame(source.source, error=source.error, header=pipeline.header))
    name = without_password(str(source))
    try:
        image = read_image(source)
        height, width = image.shape[:2]
        frame = Frame(name, width=width, height=height, header=pipeline.header)
        return Searched(frame, image, tuple(pipeline.find(image)))
    except MienError as error:
        return Searched(Frame(name, error=str(error), header=pipeline.header))
