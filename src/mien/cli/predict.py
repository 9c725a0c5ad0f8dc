"""`mien predict`: the expressions in pictures and videos."""

import io
import sys
from contextlib import closing
from functools import partial
from logging import ERROR, WARNING
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.choices import RowFormat
from mien.cli import predict_refusals as refusals
from mien.cli.job_options import Cluster, Resume, Shard, TimeLimit, shard_of
from mien.cli.messages import log, was_said_last
from mien.cli.options import (
    Align,
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
from mien.cli.options_of_faces import MaxFaces, Prefer, Region
from mien.cli.options_of_videos import (
    End,
    EpisodeProbability,
    EpisodeSeconds,
    FpsOut,
    Raw,
    Reopen,
    Smooth,
    Start,
    Step,
    TimeConstant,
)
from mien.cli.termination import terminated_like_ctrl_c
from mien.defaults import (
    DEFAULT_ALIGNMENT,
    DEFAULT_DETECTOR,
    DEFAULT_FOLDER,
    DEFAULT_MODEL,
    DEFAULT_PREFERENCE,
    DEFAULT_SMOOTHING,
    JOB_SECONDS,
    MIN_SCORE,
    REOPEN_SECONDS,
)
from mien.errors import SinkError
from mien.threads import worker_count

if TYPE_CHECKING:
    from collections.abc import Generator

    from mien.media.sources import Sources
    from mien.output.recognized import Recognized
    from mien.output.sink import Sinks
    from mien.output.window import Window


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
            help=f"Folder for annotated copies, or of a job; --save alone writes to {DEFAULT_FOLDER}.",
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
    alignment: Align = DEFAULT_ALIGNMENT,
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
    reopen: Reopen = REOPEN_SECONDS,
    episode_min_probability: EpisodeProbability = 0.0,
    episode_min_seconds: EpisodeSeconds = 0.0,
    mirror: Annotated[
        bool | None, typer.Option("--mirror/--no-mirror", help="Mirror videos; by default webcams only.")
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Preview videos in a window; q quits, space pauses, s saves.")
    ] = False,
    max_faces: MaxFaces = None,
    prefer: Prefer = DEFAULT_PREFERENCE,
    region: Region = None,
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
    from mien.faces.selection import region_of
    from mien.output.blurred_results import with_blurred
    from mien.output.drawing_options import DrawingOptions
    from mien.output.episodes import EpisodeLimits
    from mien.output.sink import Sinks
    from mien.recognition.everything import recognize_all
    from mien.recognition.parallel import WORTH_SECONDS, Parallel, prepare
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
        max_faces=max_faces,
        prefer=prefer,
        region=None if region is None else region_of(region),
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
        reopen=reopen,
    )
    limits = EpisodeLimits(episode_min_probability, episode_min_seconds)
    if resume or cluster is not None or shard is not None:
        from mien.cli import predict_job as job

        drawn = {"--save": save, "--show": show, "--sort": sort, "--blur": blur}
        folder = job.refuse_options(out, form, {**drawn, "--episode-min-...": limits != EpisodeLimits()})
        running = job.running(workers, cluster, shard_of(shard), time_limit, resume=resume, device=device)
        with terminated_like_ctrl_c():
            raise typer.Exit(job.run_job(sources, folder, make, options, running, fps))
    refusals.refuse_folder_of_job(out)
    if blur:
        refusals.refuse_beside_blur(sort, min_face=min_face, max_yaw=max_yaw, max_faces=max_faces, region=region)
    target = sinks.folder_of(out, save, DEFAULT_FOLDER)
    refusals.refuse_unused(saves=bool(target), shows=show, blur=blur, sort=sort, sort_as=sort_as, limits=limits)
    _use_font(font)
    found = refusals.without_what_has_no_part(_found(sources, fps), options.excerpt)
    refusals.refuse_sources(found, options.excerpt, show=show, isolate=isolate)
    prepare(len(found.pictures), processes := worker_count(workers, threads))
    recognizer = make()
    drawing = DrawingOptions(labels=labels, bars=bars, say_no_face=say_no_face)
    kept = sinks.saved(target, found, drawing, limits, printed=form == "table", sound=not isolate)
    kept += [sinks.sorted_into(sort, sort_as, found, recognizer.header)] if sort else []
    window = sinks.shown(target or DEFAULT_FOLDER, drawing) if show else None
    rows = sinks.rows(form, recognizer.header.with_options(**options.to_dict()))
    parallel = Parallel(
        recognizer.finder(processes),
        processes,
        keep_images=bool(target) or show,
        worth_seconds=WORTH_SECONDS if workers is None else 0.0,
        isolate=isolate,
    )
    images = recognize_all(recognizer.pipeline, found, options, parallel)
    progress = Bars(len(found.pictures), partial(span_of, excerpt=options.excerpt), found.live)
    images = with_progress(images, progress, prints_rows=form != "table")
    images = with_blurred(images) if blur else images
    failures, unwritten = 0, None
    try:
        with (
            terminated_like_ctrl_c(),
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


def _found(sources: list[str], fps: float | None) -> "Sources":
    """What was asked for, sorted; what is left out of it is said."""
    from mien.media.sources import sort_sources

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files may hold what no encoding can
    found = sort_sources(sources, fps)
    for line in found.left_out:
        log.info("%s", line)
    return found


def _use_font(font: Path | None) -> None:
    if font is not None:
        from mien.output.fonts import use_font

        use_font(font)


def _feed(images: "Generator[Recognized, None, None]", sink: "Sinks", window: "Window | None") -> int:
    """Give every result to a sink; how many inputs failed, each named on standard error."""
    failures = 0
    for recognized in images:
        sink.add(recognized)
        if recognized.frame.error is not None:
            lost_only = recognized.frame.time is not None  # a live source, which is opened again
            failures += not lost_only
            log.log(WARNING if lost_only else ERROR, "%s", recognized.frame.error)
        if not sink.alive or (window is not None and window.quit):
            break
    return failures
