"""`mien predict --resume`: a job, its progress and its exit status."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from mien.choices import RowFormat
from mien.cli.messages import log
from mien.errors import JobError, MienError, UsageError

if TYPE_CHECKING:
    from mien.jobs import JobStatus, Running
    from mien.recognition.recognizer import Recognizer
    from mien.recognition.video import StreamOptions

_LINE_SECONDS: Final = 10.0
"""Between two lines of progress, where there is no terminal."""


def refuse_options(out: str | None, form: RowFormat, refused: Mapping[str, object]) -> str:
    """The folder of a job.

    Args:
        out: what ``--out`` says.
        form: what ``--format`` says.
        refused: options that a job does not have, by name, with what was given.

    Raises:
        UsageError: a job cannot be run so.
    """
    if not out or form != "parquet":
        raise UsageError("--resume, --cluster and --shard write a job: add --out DIR --format parquet")
    for name, value in refused.items():
        if value:
            raise UsageError(f"{name} does not go with a job, which writes rows alone: leave it out")
    return out


def running(
    workers: int | None,
    cluster: str | None,
    shard: tuple[int, int] | None,
    seconds: float,
    *,
    resume: bool,
    device: str,
) -> "Running":
    """How a job is run, by the options of the command; of the shards of a job only the first begins it."""
    from mien.jobs import Running

    resume = resume or shard is not None
    gpus = 1.0 if device == "cuda" else 0.0
    return Running(workers=workers, cluster=cluster, gpus=gpus, shard=shard, seconds=seconds, resume=resume)


def run_job(
    sources: list[str],
    out: str,
    make: "Callable[[], Recognizer]",
    options: "StreamOptions",
    running: "Running",
    fps: float | None,
) -> int:
    """Run a job; the exit status.

    Raises:
        MienError: see `mien.jobs.run`. Its exit status is not 1, which says that all parts are there.
    """
    from mien.jobs import run

    try:
        with _progress() as progress:
            status = run(sources, out, make(), options, running, fps=fps, progress=progress)
    except (MienError, OSError) as error:
        if getattr(error, "exit_status", 1) != 1:
            raise
        raise JobError(str(error)) from error
    log.info("%s", described(status))
    if status.failed:
        log.error("%d of %d failed", status.failed, status.inputs)
    return 1 if status.failed else 0


def described(status: "JobStatus") -> str:
    """Where a job stands, as one line."""
    parts = [f"{status.done:,} of {status.inputs:,} inputs", f"{status.failed:,} failed"]
    if status.rate is not None:
        parts.append(f"{status.rate:.1f} a second")
    if status.owed and status.seconds_left is not None:
        parts.append(f"{duration(status.seconds_left)} left")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """A time for people: ``42 s``, ``7 min``, ``3 h 20 min``, ``2 d 5 h``."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 90:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


@contextmanager
def _progress() -> "Iterator[Callable[[JobStatus], None]]":
    """Shows where a job stands on standard error: a bar on a terminal, else a line every ten seconds."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    bar = Progress(
        BarColumn(), TextColumn("{task.description}", markup=False), console=Console(stderr=True), transient=True
    )
    task = bar.add_task("begins", total=None)
    with bar:
        yield lambda status: bar.update(task, description=described(status), total=status.inputs, completed=status.done)


class _Lines:
    """A line of progress every ten seconds."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, status: "JobStatus") -> None:
        if time.monotonic() - self._last >= _LINE_SECONDS:
            self._last = time.monotonic()
            log.info("%s", described(status))
