"""Many picture files: memory stays bounded, a broken file stops nothing."""

from collections.abc import Iterable, Iterator
from functools import cache

from mien.errors import MienError
from mien.media.read_image import Picture, read_image, read_reduced
from mien.media.search import EmptySource
from mien.media.sources import PictureEntry
from mien.media.video_source import without_password
from mien.output.recognized import Recognized
from mien.recognition.finder import Finder
from mien.recognition.pipeline import Pipeline, Searched, batched
from mien.results import Frame


def recognize_files(
    pipeline: Pipeline, sources: Iterable[PictureEntry], batch: int, *, keep_images: bool = True
) -> Iterator[Recognized]:
    """The faces of picture files, in order; a file that cannot be read gives a frame with an error and no image.

    Args:
        pipeline: what finds and classifies the faces.
        sources: picture files, addresses, and what was found empty where others were looked for (see `Search.expand`).
        batch: how many pictures are classified together, at least 1; fewer when they are large.
        keep_images: whether results carry their pixels.
    """
    searched = (search_picture(pipeline, source, keep_image=keep_images) for source in sources)
    return recognize_searched(pipeline, searched, batch)


def recognize_searched(pipeline: Pipeline, searched: Iterable[Searched], batch: int) -> Iterator[Recognized]:
    """Pictures in which faces were looked for, wherever that was done, with the expressions of their faces."""
    for together in batched(searched, batch):
        yield from pipeline.recognized(together)


def search_picture(finder: Finder, source: PictureEntry, *, keep_image: bool) -> Searched:
    """A picture file and the faces found in it; or why it cannot be read."""
    if isinstance(source, EmptySource):
        return Searched(Frame(source.source, error=source.error))
    name = without_password(str(source))
    try:
        return search(finder, name, source, keep_image=keep_image)
    except MienError as error:
        return failed_picture(source, str(error))
    except MemoryError:
        return failed_picture(source, f"{name}: not enough memory to read it")


def search(finder: Finder, name: str, source: Picture, *, keep_image: bool) -> Searched:
    """A picture (see `read_image`) and the faces found in it.

    Args:
        finder: what finds them.
        name: what results call the picture.
        source: the picture.
        keep_image: whether its pixels are kept; only then are all of a large JPEG decoded.

    Raises:
        InputError: the picture cannot be read, or the wanted region lies outside of it.
        UsageError: an array of another type or shape.
    """
    picture = read_reduced(source, finder.reduction)
    finder.check((picture.height, picture.width), name)
    whole = cache(lambda: read_image(source) if picture.factor > 1 else picture.pixels)
    candidates = tuple(finder.find_in(picture, whole))
    frame = Frame(name, width=picture.width, height=picture.height)
    return Searched(frame, whole() if keep_image else None, candidates)


def failed_picture(source: PictureEntry, error: str) -> Searched:
    """A picture of which only an error is known."""
    name = source.source if isinstance(source, EmptySource) else without_password(str(source))
    return Searched(Frame(name, error=error))
