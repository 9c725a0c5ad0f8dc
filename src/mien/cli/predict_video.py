"""The videos of `mien predict`: one after the other, so that one that is broken stops nothing."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mien.cli.messages import log
from mien.cli.tables import print_table
from mien.errors import MienError, MissingExtraError
from mien.labels import EMOTIONS
from mien.results import Frame

if TYPE_CHECKING:
    from rich.progress import Progress

    from mien.inference.outputs import VideoFolder, VideoOutputs
    from mien.inference.recognizer import Recognizer
    from mien.inference.result import TrackSummary
    from mien.inference.sources import VideoEntry
    from mien.inference.stream import StreamOptions
    from mien.output.recognized import Recognized

_LEAST_SHARE = 0.05


def report_videos(
    recognizer: "Recognizer",
    videos: "Sequence[VideoEntry]",
    options: "StreamOptions",
    write: Callable[[Frame], None],
    folder: Path | None,
    shown: Path | None = None,
    *,
    people: bool,
) -> int:
    """Recognise videos, write their frames, save what is to be saved; how many failed, each named on standard error.

    Args:
        recognizer: what recognises.
        videos: in order.
        options: how.
        write: takes every frame; at the end of a video that failed one with the error.
        folder: where annotated copies, summaries and timelines go, if anywhere.
        shown: a window shows the videos, and saves there what its user wants saved; None: no window. Once the user
            closes it, no further video is begun.
        people: print a table of people instead of writing frames.
    """
    saved = _video_folder(folder, videos) if folder is not None and videos else None
    failures = 0
    for video in videos:
        report = _VideoReport(video, write, shown, people=people)
        try:
            report.run(recognizer, options, saved)
        except MienError as error:
            failures += 1
            report.fail(error)
        if report.stopped:
            break
    return failures


def _video_folder(folder: Path, videos: "Sequence[VideoEntry]") -> "VideoFolder":
    try:
        from mien.inference.outputs import VideoFolder
    except ImportError:
        raise MissingExtraError("writing videos", "video") from None
    return VideoFolder(folder, [video for video in videos if isinstance(video, Path)])


class _VideoReport:
    """One video on its way to the user."""

    def __init__(
        self, video: "VideoEntry", write: Callable[[Frame], None], shown: Path | None, *, people: bool
    ) -> None:
        from mien.inference.result import Summary

        self._video, self._write, self._shown, self._people = video, write, shown, people
        self.stopped = False
        self._name = _name(video)
        self._summary = Summary()
        self._count = self._next = 0

    def run(self, recognizer: "Recognizer", options: "StreamOptions", folder: "VideoFolder | None") -> None:
        from mien.inference.stream import recognize_video

        try:
            with (
                closing(recognize_video(recognizer.pipeline, self._video, options)) as images,
                self._saved(folder) as save,
            ):
                for recognized in self._watched(images):
                    self._take(recognized.frame)
                    save(recognized)
        finally:
            self._finish()

    def _watched(self, images: "Iterable[Recognized]") -> "Iterable[Recognized]":
        """The same images: in a window, or with a count on standard error where a terminal shows no results."""
        if self._shown is not None:
            return self._previewed(images, self._shown)
        if not sys.stderr.isatty() or (sys.stdout.isatty() and not self._people):
            return images
        from rich.console import Console
        from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = SpinnerColumn(), TextColumn(self._name, markup=False), MofNCompleteColumn(), TimeElapsedColumn()
        progress = Progress(*columns, console=Console(stderr=True), transient=True)
        return _counted(images, progress)

    def _previewed(self, images: "Iterable[Recognized]", folder: Path) -> "Iterator[Recognized]":
        from mien.inference.window import Preview, previewed

        window = Preview(f"mien: {self._name}", folder)
        yield from previewed(images, window)
        self.stopped = window.quit

    def fail(self, error: MienError) -> None:
        log.error("%s", error)
        if not self._people:
            self._write(Frame(self._name, self._next, error=str(error)))

    @contextmanager
    def _saved(self, folder: "VideoFolder | None") -> "Iterator[Callable[[Recognized], None]]":
        """What takes images to be saved; whatever happens, the files are finished and named on standard error."""
        if folder is None:
            yield lambda _: None
            return
        outputs: VideoOutputs = folder.open(self._name, self._video if isinstance(self._video, Path) else None)
        try:
            yield outputs.add
        finally:
            for path in outputs.close():
                log.info("saved %s", path)

    def _take(self, frame: Frame) -> None:
        self._count += 1
        self._next = frame.index + 1
        if self._people:
            self._summary.add(frame)
        else:
            self._write(frame)

    def _finish(self) -> None:
        if self._people and self._count:
            _print_people(self._name, self._count, self._summary.tracks())


def _counted(images: "Iterable[Recognized]", progress: "Progress") -> "Iterator[Recognized]":
    with progress:
        yield from progress.track(images, total=None)


def _name(video: "VideoEntry") -> str:
    from mien.inference.video import without_password

    return str(video[0].parent) if isinstance(video, tuple) else without_password(str(video))


def _print_people(name: str, frames: int, tracks: "list[TrackSummary]") -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("video", "person", "from", "to", "seen", "changes", "expressions", box=None, pad_edge=False)
    for track in tracks:
        shares = sorted(((track.shares[emotion], emotion) for emotion in EMOTIONS), reverse=True)
        mixture = ", ".join(f"{emotion} {share:.0%}" for share, emotion in shares if share >= _LEAST_SHARE)
        times = f"{track.start:.2f} s", f"{track.end:.2f} s", f"{track.seconds:.2f} s"
        table.add_row(*map(Text, (name, str(track.track), *times, str(track.changes), mixture)))
    if not tracks:
        table.add_row(Text(name), "-", "-", "-", "-", "-", f"no face found in {frames} frames")
    print_table(table)
