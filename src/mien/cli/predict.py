"""`mien predict`: the expressions in pictures and videos."""

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mien.cli.messages import log
from mien.cli.tables import print_table
from mien.errors import MienError, UsageError
from mien.results import TABLE_COLUMNS, Frame, Header, table_rows

if TYPE_CHECKING:
    from mien.inference.media import EmptySource
    from mien.inference.saving import PictureFolder
    from mien.output.recognized import Recognized

Format = Literal["table", "json", "jsonl", "csv", "parquet"]
Write = Callable[[Frame], None]

_DEFAULT_FOLDER = Path("mien-out")
_MANY = 8


def predict(  # noqa: PLR0913, PLR0917 - the options of the command
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Pictures, folders of them (searched to the bottom), videos, glob patterns, the number of a webcam, "
            "addresses of streams, or - for a video on standard input."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help=f"Folder for annotated copies; with --save {_DEFAULT_FOLDER} by default.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="What standard output carries.")] = "table",
    save: Annotated[
        bool | None, typer.Option("--save/--no-save", help="Save annotated copies; --out implies it.")
    ] = None,
    model: Annotated[str, typer.Option(help="Name of an embedded model, or a model file.")] = "mien_s",
    detector: Annotated[
        Literal["yunet", "haar", "none"], typer.Option(help="Face detector; none: every picture is a face.")
    ] = "yunet",
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Drop faces that the detector is less sure of.")
    ] = 0.6,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where the network runs.")] = "auto",
    batch: Annotated[int, typer.Option(min=1, help="Pictures whose faces are classified together.")] = 16,
    every: Annotated[
        int | None, typer.Option(min=1, help="Search the whole picture of every so many frames; else by time.")
    ] = None,
    smooth: Annotated[
        Literal["none", "mode", "ema"], typer.Option(help="How expressions in videos are steadied over time.")
    ] = "ema",
    mirror: Annotated[
        bool | None, typer.Option("--mirror/--no-mirror", help="Mirror videos; by default webcams only.")
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Show videos in a window meanwhile; q quits, space pauses, s saves.")
    ] = False,
    fps: Annotated[
        float | None,
        typer.Option(min=0.001, help="Take the pictures of each source for a video of so many frames a second."),
    ] = None,
) -> None:
    """Find the faces in pictures and videos and say what they express."""
    from mien.cli.predict_video import report_videos
    from mien.inference.files import recognize_files
    from mien.inference.recognizer import Recognizer
    from mien.inference.sources import sort_sources
    from mien.inference.stream import StreamOptions
    from mien.inference.video import DEFAULT_FPS

    if out and save is False:
        raise UsageError("--out and --no-save contradict each other: leave one out")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files may hold what no encoding can
    found = sort_sources(sources, fps)
    if show and (pictures := [entry for entry in found.pictures if isinstance(entry, Path)]):
        raise UsageError(f"--show shows videos, and {pictures[0]} is none: use --out DIR, or --fps N for a video")
    recognizer = Recognizer(model, detector, device=device, min_confidence=min_confidence)
    target = (out or _DEFAULT_FOLDER) if out or save else None
    options = StreamOptions(every=every, smooth=smooth, mirror=mirror, fps=fps or DEFAULT_FPS, batch=batch)
    files = _tracked(recognize_files(recognizer.pipeline, found.pictures, batch), len(found.pictures), form)
    header = recognizer.header.with_options(**options.to_dict())
    with _WRITERS[form](header) as write:
        failures = _report(files, write, _picture_folder(target, found.pictures))
        shown = (target or _DEFAULT_FOLDER) if show else None
        failures += report_videos(recognizer, found.videos, options, write, target, shown, people=form == "table")
    if failures:
        log.error("%d of %d failed", failures, len(found.pictures) + len(found.videos))
        raise typer.Exit(1)


def _picture_folder(folder: Path | None, sources: "Sequence[Path | EmptySource]") -> "PictureFolder | None":
    from mien.inference.saving import PictureFolder

    return PictureFolder(folder, [entry for entry in sources if isinstance(entry, Path)]) if folder else None


def _report(files: Iterable["Recognized"], write: Write, folder: "PictureFolder | None") -> int:
    """Write every frame, save every picture; how many pictures failed, each named on standard error."""
    failures = 0
    for file in files:
        write(file.frame)
        error = file.frame.error or _saving_error(file, folder)
        if error:
            failures += 1
            log.error("%s", error)
    return failures


def _saving_error(file: "Recognized", folder: "PictureFolder | None") -> str | None:
    if folder is None or file.image is None:
        return None
    try:
        log.info("saved %s", folder.save(file.frame, file.image))
    except MienError as error:
        return str(error)
    return None


def _tracked(files: Iterable["Recognized"], total: int, form: Format) -> Iterable["Recognized"]:
    """The same files with a progress bar on standard error, for many on a terminal that shows no results meanwhile."""
    shares_terminal = form != "table" and sys.stdout.isatty()
    if total < _MANY or shares_terminal or not sys.stderr.isatty():
        return files
    from rich.console import Console
    from rich.progress import track

    return track(files, "recognising", total=total, console=Console(stderr=True), transient=True)


@contextmanager
def _jsonl(_: Header) -> Iterator[Write]:
    """One line of JSON a frame, as it comes."""
    yield lambda frame: typer.echo(frame.to_json())


@contextmanager
def _json(header: Header) -> Iterator[Write]:
    """One JSON document, the header with a list of frames, written as they come and closed even when interrupted."""
    count = 0
    typer.echo(
        json.dumps(header.to_dict(), indent=2, allow_nan=False).removesuffix("\n}") + ',\n  "frames": [', nl=False
    )

    def write(frame: Frame) -> None:
        nonlocal count
        text = json.dumps(frame.to_dict(), indent=2, allow_nan=False)
        typer.echo(f"{',' if count else ''}\n{text}", nl=False)
        count += 1

    try:
        yield write
    finally:
        typer.echo("\n]}" if count else "]}")


@contextmanager
def _csv(_: Header) -> Iterator[Write]:
    """The columns of `TABLE_COLUMNS`, a row for each face and for each frame without one."""

    def echo_row(values: dict[str, Any]) -> None:
        line = io.StringIO()
        csv.DictWriter(line, TABLE_COLUMNS, lineterminator="\n").writerow(values)
        typer.echo(line.getvalue(), nl=False)

    echo_row({name: name for name in TABLE_COLUMNS})

    def write(frame: Frame) -> None:
        for row in table_rows([frame]):
            echo_row(row)

    yield write


@contextmanager
def _table(_: Header) -> Iterator[Write]:
    """A table for people, printed at the end and even when interrupted."""
    from rich.table import Table
    from rich.text import Text

    table = Table("file", "face", "emotion", "probability", "position (x, y) and size", box=None, pad_edge=False)
    table.columns[-1].no_wrap = True

    def write(frame: Frame) -> None:
        for cells in _cells(frame):
            table.add_row(*map(Text, cells))

    try:
        yield write
    finally:
        if table.row_count:
            print_table(table)


def _cells(frame: Frame) -> Iterator[tuple[str, ...]]:
    """Rows of the table for people."""
    if frame.error is not None:
        yield frame.source, "-", f"not read: {frame.error.removeprefix(f'{frame.source}: ')}"
    elif not frame.faces:
        yield frame.source, "-", "no face found"
    for number, face in enumerate(frame.faces):
        box = face.box
        position = f"({box.x}, {box.y}) {box.width} x {box.height}"
        yield frame.source, str(number), face.emotion, f"{face.probability:.0%}", position


@contextmanager
def _parquet(header: Header) -> Iterator[Write]:
    """The columns of `TABLE_COLUMNS` as a Parquet file, whole even when interrupted."""
    from mien.inference.parquet import ParquetTable

    if sys.stdout.isatty():
        raise UsageError("--format parquet writes a file to standard output: add > faces.parquet")
    with ParquetTable(sys.stdout.buffer, header) as table:
        yield table.write


_WRITERS = {"table": _table, "json": _json, "jsonl": _jsonl, "csv": _csv, "parquet": _parquet}
