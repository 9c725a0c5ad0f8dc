"""Pictures and videos searched by worker processes, where they are so many that starting the processes pays."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from time import monotonic
from typing import Any, Final

from mien.defaults import CHEAP_CPU_SECONDS, STARVED_SECONDS
from mien.errors import MienError, WorkerError
from mien.media.read_image import Picture
from mien.media.sources import PictureEntry, VideoEntry, video_name
from mien.media.video_source import without_password
from mien.media.video_structure import check_video_file
from mien.recognition.finder import Candidate, Finder, MakeFinder
from mien.recognition.pictures import failed_picture, search, search_picture
from mien.recognition.pipeline import Searched
from mien.recognition.video import StreamOptions, search_video
from mien.worker import start_server
from mien.worker_process import UNBOUND, Bounds, Failed
from mien.workers import Workers

WORTH_SECONDS: Final = 2.0
"""Work from which workers pay: to start takes each some 0.5 s of a core."""

_MANY: Final = 64
"""Pictures for which workers pay whatever they are."""

WORTH_BYTES: Final = 4_000_000
"""Size of several videos from which workers pay."""

ISOLATED: Final = Bounds(
    memory=2 * 2**30,
    result_seconds=60.0,
    starved_seconds=STARVED_SECONDS,
    cheap_cpu_seconds=CHEAP_CPU_SECONDS,
)
"""Hard limits of a picture or video of strangers: beside what the process needs itself, and for each picture or frame.
100 megapixels in lossy WebP with transparency, which need most of all formats, take 2 GB.
"""

Search = Callable[[Any], Iterable[Searched]]


@dataclass(frozen=True, slots=True)
class Parallel:
    """How pictures and videos are searched.

    Args:
        make: makes the finder of each worker.
        workers: how many processes at most; 1: this one alone.
        keep_images: whether results carry their pixels.
        worth_seconds: time that pictures would take one process, from which workers are started; 0: at once, so that
            no picture is read by this process, which it might crash.
        worth_bytes: size of several videos, likewise.
        isolate: whether workers with hard limits (`ISOLATED`) read everything, so that no file of strangers is decoded
            by this process.
    """

    make: MakeFinder
    workers: int = 1
    keep_images: bool = True
    worth_seconds: float = WORTH_SECONDS
    worth_bytes: int = WORTH_BYTES
    isolate: bool = False

    @contextmanager
    def pool(self, options: StreamOptions) -> Iterator[Workers]:
        """The processes, started when they pay and ended with the block."""
        make = partial(_searching, self.make, options, keep_images=self.keep_images, check=self.isolate)
        with Workers(make, self.workers, ISOLATED if self.isolate else UNBOUND) as workers:
            yield workers

    def pictures(self, workers: Workers, finder: Finder, sources: Sequence[PictureEntry]) -> Iterator[Searched]:
        """The faces of picture files, in order: the first ones are searched here, the others by the workers if those
        would take long.

        Args:
            workers: of `pool`.
            finder: for the first ones.
            sources: picture files, addresses, and what was found empty.
        """
        spent = 0.0
        for done, source in enumerate(sources):
            if self._pay_for_pictures(spent, done, len(sources) - done):
                yield from _by_workers(workers, sources[done:])
                return
            started = monotonic()
            found = search_picture(finder, source, keep_image=self.keep_images)
            spent += monotonic() - started
            yield found

    def _pay_for_pictures(self, spent: float, done: int, left: int) -> bool:
        """Whether to start workers for the pictures that are left, after some took so many seconds here."""
        if self.isolate or _pay_for_any(left, self.workers):
            return True
        expected = spent / done * left if done else 0.0
        return self.workers > 1 and left > 1 and expected >= self.worth_seconds

    def videos(self, workers: Workers, sources: Sequence[VideoEntry]) -> Iterator[tuple[VideoEntry, Any]]:
        """Videos, each with its searched images if workers search it, else None. An error is raised by the iterator of
        the images.
        """
        files = {source: None for source in sources if self.isolate or (isinstance(source, Path) and source.is_file())}
        if not (self.isolate or self._pay_for_videos(files)):
            yield from ((source, None) for source in sources)
            return
        searched = groupby(workers.results(("video", file) for file in files), itemgetter(0))
        for source in sources:
            if source in files:
                _, results = next(searched)
                yield source, _unless_failed(source, (result for _, result in results))
            else:
                yield source, None

    def _pay_for_videos(self, files: Iterable[VideoEntry]) -> bool:
        """Whether to start workers for these videos."""
        sizes = [file.stat().st_size for file in files if isinstance(file, Path)]
        return self.workers > 1 and len(sizes) > 1 and sum(sizes) >= self.worth_bytes


def prepare(pictures: int, workers: int) -> None:
    """Let workers begin to start beside what comes before so many pictures are searched, if they will be."""
    if _pay_for_any(pictures, workers):
        start_server()


def _pay_for_any(pictures: int, workers: int) -> bool:
    """Whether workers pay for so many pictures, however quickly each is searched."""
    return workers > 1 and pictures >= _MANY


def found_here(finder: Finder, images: Iterable[Picture]) -> Iterator[Sequence[Candidate]]:
    """The faces in each of several pictures, found by this process.

    Raises:
        MienError: a picture cannot be read; the message begins with its place.
    """
    for number, image in enumerate(images):
        with _placed(number):
            yield found_in(finder, image)


def found_by_workers(make: MakeFinder, images: Iterable[Picture], workers: int) -> Iterator[Sequence[Candidate]]:
    """The faces in each of several pictures, found by worker processes.

    Raises:
        MienError: a picture cannot be read; the message begins with its place.
        WorkerError: a worker died, or none starts.
    """
    with Workers(partial(_finding, make), workers) as pool:
        for number, (_, result) in enumerate(pool.results(images, forget=True)):
            if isinstance(result, Failed):
                with _placed(number):
                    raise result.error
            yield result


@contextmanager
def _placed(number: int) -> Iterator[None]:
    """Says of an error at which place of the list its picture stands: an array has no name."""
    try:
        yield
    except MienError as error:
        error.args = (f"images[{number}]: {error}",)
        raise


def _finding(make: MakeFinder) -> Callable[[Picture], Iterable[Sequence[Candidate]]]:
    finder = make()
    return lambda image: [found_in(finder, image)]


def found_in(finder: Finder, image: Picture) -> Sequence[Candidate]:
    """The faces in one picture.

    Raises:
        InputError: it cannot be read.
        UsageError: an array of another type or shape.
    """
    return search(finder, "", image, keep_image=False).candidates


def _by_workers(workers: Workers, sources: Sequence[PictureEntry]) -> Iterator[Searched]:
    for (_, source), result in workers.results(("picture", source) for source in sources):
        if isinstance(result, Failed):
            yield failed_picture(source, f"{without_password(str(source))}: {result.error}")
        else:
            yield result


def _unless_failed(video: VideoEntry, results: Iterable[Any]) -> Iterator[Searched]:
    for result in results:
        if isinstance(result, Failed):
            named = not isinstance(result.error, WorkerError)
            raise result.error if named else WorkerError(f"{video_name(video)}: {result.error}")
        yield result


def _searching(make: MakeFinder, options: StreamOptions, *, keep_images: bool, check: bool) -> Search:
    """What a worker does with a task, a pair of ``picture`` or ``video`` and its source; ``check``: the structure of a
    video comes first.
    """
    finder = make()

    def do(task: tuple[str, Any]) -> Iterator[Searched]:
        kind, source = task
        if kind == "video":
            if check and isinstance(source, Path):
                check_video_file(source)
            yield from search_video(finder, source, options, keep_images=keep_images)
        else:
            yield search_picture(finder, source, keep_image=keep_images)

    return do
