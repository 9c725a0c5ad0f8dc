"""Where the results of `mien predict` go: rows, annotated copies, summaries, timelines, a window."""

import sys
from collections.abc import Callable
from functools import partial
from os.path import realpath
from pathlib import Path
from typing import TYPE_CHECKING

from mien.choices import RowFormat, SortedAs
from mien.cli.messages import log
from mien.cli.predict_tables import PictureTable, print_people
from mien.cli.stdout import write_stdout
from mien.errors import MissingExtraError, UsageError
from mien.output.drawing_options import DrawingOptions
from mien.output.episodes import EpisodeLimits
from mien.output.people import People, VideoSummary
from mien.output.sink import PerVideo, Sink, Sinks
from mien.results import Frame, Header

if TYPE_CHECKING:
    from mien.media.sources import Sources
    from mien.output.folder import Names
    from mien.output.window import Window


def rows(form: RowFormat, header: Header) -> list[Sink]:
    """The sinks that write rows to standard output; none for the table, which is printed at the end.

    Raises:
        UsageError: Parquet on a terminal.
        MissingExtraError: pyarrow is needed and not installed.
    """
    from mien.output import write_rows

    if form == "table":
        return []
    if form == "parquet":
        if sys.stdout.isatty():
            raise UsageError("--format parquet writes a file to standard output: add > faces.parquet")
        return [write_rows.Parquet(sys.stdout.buffer, header)]
    if form == "json":
        return [write_rows.Json(write_stdout, header)]
    return [write_rows.JsonLines(write_stdout) if form == "jsonl" else write_rows.Csv(write_stdout, header)]


def folder_of(out: str | None, save: bool | None, default: Path) -> Path | None:
    """The folder that copies are saved to; None: none are.

    Args:
        out: what ``--out`` says.
        save: what ``--save`` says.
        default: the folder without ``--out``.

    Raises:
        UsageError: the two contradict each other, or the folder has no name, as an unset variable of a shell has none.
    """
    if out == "":
        raise UsageError("--out is empty: name a folder")
    if out and save is False:
        raise UsageError("--out and --no-save contradict each other: leave one out")
    return Path(out or default) if out or save else None


def saved(
    folder: Path | None,
    found: "Sources",
    drawing: DrawingOptions,
    limits: EpisodeLimits,
    *,
    printed: bool,
    sound: bool,
) -> list[Sink]:
    """The sinks that write into a folder, if there is one, and those that print tables for people.

    Args:
        folder: the folder.
        found: what is recognised.
        drawing: what is drawn in annotated copies.
        limits: which stretches of an expression are episodes.
        printed: whether tables are printed.
        sound: whether annotated videos get the sound of their originals.

    Raises:
        InputError: the folder cannot be made.
        MissingExtraError: writing videos needs PyAV, which is not installed.
    """
    from mien.media.sources import video_name
    from mien.media.video_source import is_camera
    from mien.output.folder import AnnotatedPictures, Names

    files = [*found.pictures, *found.videos]
    paths = [entry for entry in files if isinstance(entry, Path)]
    names = Names(folder, paths, found.folders) if folder else None
    if names is not None and any(isinstance(video, tuple) or is_camera(video) for video in found.videos):
        _check_writing()  # of others the reading says what is missing
    sinks: list[Sink] = [AnnotatedPictures(names, drawing)] if names is not None else []
    if names is not None or printed:
        begin = partial(_video, names, drawing, limits, print_people if printed else None, sound)
        sinks.append(PerVideo(begin, [video_name(video) for video in found.live]))
    return [*sinks, PictureTable()] if printed else sinks


def sorted_into(folder: Path, kind: SortedAs, found: "Sources", header: Header) -> Sink:
    """The sink that sorts pictures into folders; what is not sorted is said.

    Raises:
        UsageError: there is nothing to sort, or it lies where it would be sorted to.
        InputError: the folder cannot be made, or written to.
    """
    from mien.media.video_source import without_password
    from mien.output.sorted_pictures import SortedPictures

    named = [entry for entry in found.pictures if isinstance(entry, Path)]
    files = [path for path in named if not path.is_fifo()]
    pipes = len(named) - len(files)
    if not files:
        none = (
            "what comes through a pipe is none: name files, or leave it out"
            if pipes
            else "there are none: leave it out"
        )
        raise UsageError(f"--sort {folder} sorts picture files, and {none}")
    whole = realpath(folder)  # which, unlike `Path.resolve`, takes loops of links
    if inside := next((path for path in files if Path(realpath(path)).is_relative_to(whole)), None):
        raise UsageError(f"--sort {folder}: what is to be sorted, {inside}, lies in it; name another folder")
    addresses = sum(isinstance(entry, str) for entry in found.pictures)
    for count, one, many in (
        (len(found.videos), "video", "videos"),
        (addresses, "address", "addresses"),
        (pipes, "pipe", "pipes"),
    ):
        if count:
            log.info("--sort leaves out %d %s; it sorts picture files", count, one if count == 1 else many)
    return SortedPictures(folder, {without_password(str(path)): path for path in files}, header, kind)


def _check_writing() -> None:
    try:
        import mien.output.video_copy  # noqa: F401 - whether it can be imported is asked
    except ImportError:
        raise MissingExtraError("writing videos", "video") from None


def _video(
    names: "Names | None",
    drawing: DrawingOptions,
    limits: EpisodeLimits,
    show: Callable[[VideoSummary], None] | None,
    sound: bool,
    first: Frame,
) -> Sink:
    """The sinks of one video, whose people are summed up once."""
    if names is None:
        return People(show)
    from mien.output.episode_files import EpisodeFiles
    from mien.output.timeline import Timelines
    from mien.output.video_copy import AnnotatedVideo

    base, path = names.video(first.source), Path(first.source)
    copy = AnnotatedVideo(base.with_name(f"{base.name}.mp4"), path if sound and path.is_file() else None, drawing)
    people = People(show, base.with_name(f"{base.name}.json"))
    return Sinks([copy, people, EpisodeFiles(base, limits), Timelines(base)])


def shown(folder: Path, drawing: DrawingOptions) -> "Window":
    """The preview window, a sink; snapshots go to the folder.

    Raises:
        MissingExtraError: pygame is not installed.
        UsageError: there is no display to open a window on.
    """
    from mien.output.window import Preview, Window

    return Window(Preview("mien", folder), drawing=drawing)
