"""`mien predict`: the expressions in pictures and videos."""

import io
import signal
import sys
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, Annotated

import typer

from mien.choices import Alignment, RowFormat
from mien.cli.job_options import Cluster, Resume, Shard, TimeLimit, shard_of
from mien.cli.messages import log, was_said_last
from mien.cli.options import (
    Blur,
    Detector,
    MaxYaw,
    MinConfidence,
    MinFace,
    MinProbability,
    Model,
    OutOfPlace,
    RunOn,
    Sets,
    Sort,
    SortAs,
    Threads,
    Workers,
)
from mien.cli.options_of_videos import End, FpsOut, Raw, Smooth, Start, Step, TimeConstant
from mien.defaults import DEFAULT_ALIGNMENT, DEFAULT_DETECTOR, DEFAULT_MODEL, DEFAULT_SMOOTHING, JOB_SECONDS, MIN_SCORE
from mien.errors import SinkError, UsageError
from mien.threads import worker_count

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from mien.media.excerpt import Excerpt
    from mien.media.sources import Sources
    from mien.output.recognized import Recognized
    from mien.output.sink import Sinks
    from mien.output.window import Window

_DEFAULT_FOLDER = Path("mien-out")


def predict(  # noqa: PLR0913, PLR0917 - the options of the command
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Pictures, videos, folders of both (searched recursively), glob patterns, the number of a webcam, "
            "URLs of pictures and streams, or - for a video on standard input."
        ),
    ],
    out: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help=f"Folder for annotated copies, or of a job; --save alone writes to {_DEFAULT_FOLDER}.",
        ),
    ] = None,
    form: Annotated[RowFormat, typer.Option("--format", help="Output format on standard output.")] = "table",
    save: Annotated[
        bool | None, typer.Option("--save/--no-save", help="Save annotated copies; --out implies it.")
    ] = None,
    model: Model = DEFAULT_MODEL,
    detector: Detector = DEFAULT_DETECTOR,
    min_confidence: MinConfidence = MIN_SCORE,
    min_face: MinFace = None,
    max_yaw: MaxYaw = None,
    min_probability: MinProbability = 0.0,
    sets: Sets = None,
    out_of_place: OutOfPlace = False,
    alignment: Annotated[
        Alignment,
        typer.Option("--align", help="How faces are framed: as FER2013's, or by their eyes, for models trained so."),
    ] = DEFAULT_ALIGNMENT,
    device: RunOn = "auto",
    threads: Threads = None,
    workers: Workers = None,
    batch: Annotated[
        int, typer.Option(min=1, help="Batch size: pictures whose faces are classified in one forward pass.")
    ] = 16,
    every: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Run full-frame detection every N frames; faces are tracked in between. Default: twice a second.",
        ),
    ] = None,
    smooth: Smooth = DEFAULT_SMOOTHING,
    time_constant: TimeConstant = None,
    raw: Raw = False,
    mirror: Annotated[
        bool | None, typer.Option("--mirror/--no-mirror", help="Mirror videos; by default webcams only.")
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Preview videos in a window; q quits, space pauses, s saves.")
    ] = False,
    start: Start = None,
    end: End = None,
    step: Step = 1,
    fps_out: FpsOut = None,
    isolate: Annotated[
        bool,
        typer.Option(
            "--isolate",
            help="Decode every picture and video in worker processes with hard limits of memory and time, for files of "
            "strangers. Annotated videos have no sound.",
        ),
    ] = False,
    fps: Annotated[
        float | None,
        typer.Option(min=0.001, help="Treat the pictures of each source as one video at N frames per second."),
    ] = None,
    labels: Annotated[bool, typer.Option("--labels/--no-labels", help="Write the expression beside each face.")] = True,
    bars: Annotated[
        bool, typer.Option("--bars/--no-bars", help="Draw a bar for each probability beside a face.")
    ] = True,
    blur: Blur = False,
    sort: Sort = None,
    sort_as: SortAs = "copy",
    say_no_face: Annotated[
        bool, typer.Option("--say-no-face", help='Write "no face found" on copies without a face.')
    ] = False,
    font: Annotated[
        Path | None,
        typer.Option(help="Font file (.ttf, .otf, .ttc) for the class names in drawings."),
    ] = None,
    resume: Resume = False,
    cluster: Cluster = None,
    shard: Shard = None,
    time_limit: TimeLimit = JOB_SECONDS,
) -> None:
    """Detect the faces in pictures and videos and classify their expressions."""
    from mien.cli import predict_sinks as sinks
    from mien.cli.predict_progress import Bars, span_of, with_progress
    from mien.defaults import DEFAULT_FPS
    from mien.media.sources import sort_sources
    from mien.output.blurred_results import with_blurred
    from mien.output.drawing_options import DrawingOptions
    from mien.output.sink import Sinks
    from mien.recognition.everything import recognize_all
    from mien.recognition.parallel import WORTH_SECONDS, Parallel
    from mien.recognition.recognizer import Recognizer
    from mien.recognition.video import StreamOptions

    make = partial(
        Recognizer,
        model,
        detector,
        device=device,
        min_confidence=min_confidence,
        min_face=min_face,
        max_yaw=max_yaw,
        min_probability=min_probability,
        sets=sets,
        out_of_place=out_of_place,
        threads=threads,
        alignment=alignment,
    )
    options = StreamOptions(
        every=1 if blur and every is None else every,
        smooth=smooth,
        time_constant=time_constant,
        raw=raw,
        mirror=mirror,
        fps=fps or DEFAULT_FPS,
        batch=batch,
        start=start or 0.0,
        end=end,
        step=step,
        fps_out=fps_out,
    )
    if resume or cluster is not None or shard is not None:
        from mien.cli import predict_job as job

        folder = job.refuse_options(out, form, {"--save": save, "--show": show, "--sort": sort, "--blur": blur})
        running = job.running(workers, cluster, shard_of(shard), time_limit, resume=resume, device=device)
        with _terminated_like_ctrl_c():
            raise typer.Exit(job.run_job(sources, folder, make, options, running, fps))
    if out and save is False:
        raise UsageError("--out and --no-save contradict each other: leave one out")
    if blur:
        _refuse_beside_blur(sort, min_face, max_yaw)
    _use_font(font)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files may hold what no encoding can
    found = sort_sources(sources, fps)
    for line in found.left_out:
        log.info("%s", line)
    _refuse_sources(found, options.excerpt, show=show, isolate=isolate)
    recognizer = make()
    drawing = DrawingOptions(labels=labels, bars=bars, say_no_face=say_no_face)
    target = Path(out or _DEFAULT_FOLDER) if out or save else None
    kept = sinks.saved(target, found, drawing, printed=form == "table", sound=not isolate)
    kept += [sinks.sorted_into(sort, sort_as, found, recognizer.header)] if sort else []
    window = sinks.shown(target or _DEFAULT_FOLDER, drawing) if show else None
    rows = sinks.rows(form, recognizer.header.with_options(**options.to_dict()))
    processes = worker_count(workers, threads)
    parallel = Parallel(
        recognizer.finder(processes),
        processes,
        keep_images=bool(target) or show,
        worth_seconds=WORTH_SECONDS if workers is None else 0.0,
        isolate=isolate,
    )
    images = recognize_all(recognizer.pipeline, found, options, parallel)
    progress = Bars(len(found.pictures), partial(span_of, excerpt=options.excerpt))
    images = with_progress(images, progress, prints_rows=form != "table")
    images = with_blurred(images) if blur else images
    failures, unwritten = 0, None
    try:
        with (
            _terminated_like_ctrl_c(),
            Sinks([*rows, *([window] if window else []), *kept]) as everywhere,
            closing(images),
        ):
            failures = _feed(images, everywhere, window)
    except SinkError as error:
        unwritten = error
    _end(failures, len(found.pictures) + len(found.videos), unwritten)


def _end(failures: int, count: int, unwritten: SinkError | None) -> None:
    """Say what failed of so many inputs, and end with status 1 if something did."""
    if failures:
        log.error("%d of %d failed", failures, count)
    if unwritten is not None and not was_said_last(str(unwritten)):
        log.error("not everything was written: %s", unwritten)
    if failures or unwritten is not None:
        raise typer.Exit(1)


def _use_font(font: Path | None) -> None:
    if font is not None:
        from mien.output.fonts import use_font

        use_font(font)


def _refuse_beside_blur(sort: Path | None, min_face: int | None, max_yaw: float | None) -> None:
    """Refuse options that would leave faces clear."""
    if sort is not None:
        raise UsageError("--sort copies pictures as they are, with clear faces: leave --blur out, or use --out DIR")
    if min_face is not None or max_yaw is not None:
        raise UsageError("--blur would leave clear the faces that --min-face or --max-yaw leave out: leave these out")


def _refuse_sources(found: "Sources", excerpt: "Excerpt", *, show: bool, isolate: bool) -> None:
    """Refuse options that do not go with what there is to recognise."""
    from mien.media.video_source import STANDARD_INPUT
    from mien.recognition.video import check_source

    pictures = [entry for entry in found.pictures if isinstance(entry, Path | str)]
    if show and pictures:
        raise UsageError(f"--show shows videos, and {pictures[0]} is a picture: use --out DIR, or --fps N for a video")
    if pictures and (given := excerpt.to_dict()):
        named = f"--{next(iter(given)).replace('_', '-')}"
        raise UsageError(
            f"{named} is for videos, and {pictures[0]} is a picture: leave one out, or --fps N for a video"
        )
    for video in found.videos:
        check_source(video, excerpt)
    if isolate and STANDARD_INPUT in found.videos:
        raise UsageError("--isolate cannot hand standard input to a worker: write it to a file first")


@contextmanager
def _terminated_like_ctrl_c() -> "Iterator[None]":
    """SIGTERM ends the block as Ctrl-C does; a second one, which some programs send, ends nothing earlier."""

    def interrupt(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    if current_thread() is not main_thread():  # where no signal arrives
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _feed(images: "Generator[Recognized, None, None]", sink: "Sinks", window: "Window | None") -> int:
    """Give every result to a sink; how many inputs failed, each named on standard error."""
    failures = 0
    for recognized in images:
        sink.add(recognized)
        if recognized.frame.error is not None:
            failures += 1
            log.error("%s", recognized.frame.error)
        if not sink.alive or (window is not None and window.quit):
            break
    return failures
