"""A job from its beginning to its end: freeze the inputs, do the parts that are owed, say what is missing."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any, Final

from mien.defaults import JOB_SECONDS, LONGEST_SECONDS
from mien.errors import InputError, JobError, MienError, MissingExtraError, UsageError
from mien.given import flag, instance, keep, real, several, whole, wrong
from mien.jobs.accounts import Account, JobStatus
from mien.jobs.here import run_here
from mien.jobs.inputs import Input, Inputs, find_inputs
from mien.jobs.ledger import SUCCESS, Ledger, read_account, read_manifest, read_status, refuse_foreign
from mien.jobs.manifest import (
    MANIFEST,
    Manifest,
    Part,
    cut,
    refuse_other_inputs,
    refuse_other_settings,
    shard_of,
    written,
)
from mien.jobs.parts import Work
from mien.jobs.place import Place
from mien.jobs.places import place_of
from mien.jobs.stores import address_of, is_store
from mien.media.video_source import VIDEO_SUFFIXES
from mien.recognition.recognizer import Recognizer
from mien.recognition.video import StreamOptions
from mien.threads import worker_count

log: Final = logging.getLogger("mien")

Progress = Callable[[JobStatus], object]
"""Is told where the job stands, whenever a part is there."""

Engine = Callable[[Work, Sequence[Part]], Iterator[Account]]
"""Does parts, in any order, and gives the account of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """How a job is run; none of it changes rows.

    Args:
        workers: processes that read, or actors of a cluster; None: one for each usable core.
        cluster: None: this machine; ``local``: a Ray of its own, for trying; else the address of a Ray cluster.
        gpus: of each actor of a cluster.
        shard: (i, n): do every n-th part from the i-th on, 0 <= i < n; None: all.
        seconds: time limit of a picture, or of the next frame of a video, more than 0, at most a day.
        resume: whether a job that was begun goes on.

    Raises:
        UsageError: a value out of range.
    """

    workers: int | None = None
    cluster: str | None = None
    gpus: float = 0
    shard: tuple[int, int] | None = None
    seconds: float = JOB_SECONDS
    resume: bool = True

    def __post_init__(self) -> None:
        if self.cluster is not None:
            instance("cluster", self.cluster, str, "the address of a Ray cluster, or None")
        workers, limit = self.workers, f"seconds, more than 0, at most {LONGEST_SECONDS}"
        keep(
            self,
            workers=None if workers is None else whole("workers", workers, "at least 1, or None", 1),
            gpus=real("gpus", self.gpus, "a number, at least 0", lambda number: 0 <= number < inf),
            shard=None if self.shard is None else _shard(self.shard),
            seconds=real("the time limit", self.seconds, limit, lambda number: 0 < number <= LONGEST_SECONDS),
            resume=flag("resume", self.resume),
        )


def _shard(shard: Any) -> tuple[int, int]:
    expected = "(i, n) with 0 <= i < n"
    try:
        number, count = (whole("shard", part, expected, 0) for part in shard)
    except (TypeError, ValueError, UsageError):
        raise wrong("shard", shard, expected) from None
    if number >= count:
        raise UsageError(f"shard is {number}/{count}: expected i/n with 0 <= i < n")
    return number, count


def run(
    sources: Sequence[str | Path],
    out: str | Path | Place,
    recognizer: Recognizer | None = None,
    options: StreamOptions | None = None,
    running: Running | None = None,
    *,
    fps: float | None = None,
    progress: Progress = lambda status: None,
) -> JobStatus:
    """Recognise everything that sources name into Parquet parts of a folder, or go on with that.

    Args:
        sources: files, folders, glob patterns, lists (text, CSV, Parquet) and addresses of object stores.
        out: folder, or address of one in an object store.
        recognizer: by default `Recognizer()`.
        options: how videos are recognised.
        running: how the job is run.
        fps: not None: the pictures of each source are the frames of one video.
        progress: is told where the job stands.

    Returns:
        Where the job stands at the end. Every part is there, but for those of other shards.

    Raises:
        UsageError: the folder holds a job with other settings or inputs, or one that was not to be resumed.
        InputError: nothing is found.
        MissingExtraError: pyarrow or Ray is not installed.
        JobError: parts are missing at the end; those that are there are whole.
    """
    _check_pyarrow()
    if isinstance(sources, str | Path):
        raise wrong("sources", sources, "a list of paths and addresses: use [source]")
    several("sources", sources, (str, Path), "paths and addresses")
    running, options = running or Running(), options or StreamOptions()
    engine = _engine(running)
    place = _place(out)
    inputs = find_inputs([str(source) for source in sources], fps)
    for line in inputs.left_out:
        log.info("%s", line)
    _check_videos(inputs)
    if inputs.pictures and (given := options.excerpt.to_dict()):
        raise UsageError(
            f"{next(iter(given))} is for videos, and {inputs.pictures[0].path} is a picture: leave one out"
        )
    recognizer = recognizer or Recognizer()
    settings = recognizer.header.with_options(**options.to_dict()).to_dict()
    manifest, parts = _begun(place, settings, inputs, resume=running.resume)
    work = Work(
        place=place,
        recognizer=recognizer,
        options=options,
        folder=manifest.folder,
        stores=_stores(inputs),
        seconds=running.seconds,
    )
    del inputs
    return _do(work, manifest, parts, running, engine, progress)


def status(out: str | Path) -> JobStatus:
    """Where a job stands, by its files alone; it may be running, on other machines too.

    Raises:
        InputError: there is no job, or a file is unreadable.
        MissingExtraError: pyarrow is not installed.
    """
    _check_pyarrow()
    return read_status(_place(out))


def _place(out: Any) -> Place:
    if isinstance(out, str | Path):
        return place_of(out)
    if not hasattr(out, "prepare"):
        raise wrong("out", out, "a folder, or the address of one in an object store")
    found: Place = out
    return found


def _check_pyarrow() -> None:
    try:
        import pyarrow  # noqa: F401 - whether it can be imported is asked
    except ImportError:
        raise MissingExtraError("a job", "tables") from None


def _check_videos(inputs: Inputs) -> None:
    """See that videos can be read here, so that not all of them become errors."""
    if any(video[0].path.lower().endswith(tuple(VIDEO_SUFFIXES)) for video in inputs.videos):
        try:
            import av  # noqa: F401 - whether it can be imported is asked
        except ImportError:
            raise MissingExtraError("reading videos", "video") from None


def _engine(running: Running) -> Engine:
    if running.cluster is None:
        return lambda work, parts: run_here(work, parts, worker_count(running.workers, None))
    from mien.jobs.cluster import reached, run_on_ray

    cluster, workers, gpus = reached(running.cluster), running.workers, running.gpus
    return lambda work, parts: run_on_ray(work, parts, cluster, workers, gpus)


def _begun(place: Place, settings: dict[str, Any], inputs: Inputs, *, resume: bool) -> tuple[Manifest, list[Part]]:
    """The manifest, written now or found there, and its parts."""
    parts = cut(inputs, settings)
    count = sum(len(part.inputs) for part in parts)
    manifest = Manifest(str(Path.cwd()), settings, count, len(parts))
    if not place.exists(MANIFEST):
        refuse_foreign(place, (), place.parts())
        place.prepare()
        if place.write_once(MANIFEST, written(manifest, parts)):
            return manifest, parts
    elif not resume:
        raise UsageError(f"{place.name}: holds a job: add --resume to go on with it, or name another --out")
    known, frozen = read_manifest(place)
    refuse_other_settings(place.name, known.settings, settings)
    kept = list(frozen)
    refuse_other_inputs(place.name, known.folder, _inputs(kept), inputs)
    refuse_foreign(place, kept, place.parts())
    place.prepare()
    place.tidy()
    return known, kept


def _inputs(parts: Iterable[Part]) -> Iterator[Input]:
    return (entry for part in parts for entry in part.inputs)


def _stores(inputs: Inputs) -> tuple[str, ...]:
    """An address for each object store among the inputs."""
    paths = [entry.path for entry in (*inputs.pictures, *(video[0] for video in inputs.videos))]
    addresses = [address_of(path) for path in paths if is_store(path)]
    return tuple({(known.scheme, known.place, known.query): str(known) for known in addresses}.values())


def _do(
    work: Work, manifest: Manifest, parts: Sequence[Part], running: Running, engine: Engine, progress: Progress
) -> JobStatus:
    ledger, owed = Ledger(work.place, manifest), list[Part]()
    there = work.place.parts()
    for part in parts:
        account = read_account(work.place, part.name) if part.name in there else None
        if account is None:
            owed.append(part)
        else:
            ledger.add(account)
    if owed:
        work.place.remove(SUCCESS)
    mine = {part.name for part in shard_of(parts, running.shard)}
    owed = [part for part in owed if part.name in mine]
    progress(ledger.status())
    try:
        for account in engine(work, owed) if owed else ():
            ledger.add(account)
            for line in account.errors:
                log.error("%s", line)
            progress(ledger.status())
    except MienError as error:
        raise JobError(f"{error}; {_missing(work.place, mine)}") from error
    finally:
        work.place.tidy()
    return _ended(work.place, ledger, parts, mine)


def _ended(place: Place, ledger: Ledger, parts: Sequence[Part], mine: set[str]) -> JobStatus:
    """Look at what is there, whatever the engine said."""
    there = place.parts()
    if mine - there:
        raise JobError(_missing(place, mine))
    try:
        refuse_foreign(place, parts, there)
    except InputError as error:  # in an object store, of another job that began at the same moment
        raise JobError(str(error)) from None
    if {part.name for part in parts} <= there:
        place.write_once(SUCCESS, b"")
        known = ledger.status(finished=True)
        return known if known.finished else read_status(place)  # others did some parts meanwhile
    return ledger.status()


def _missing(place: Place, mine: set[str]) -> str:
    missing = len(mine - place.parts())
    return f"{place.name}: {missing} of {len(mine)} parts are missing; the same command with --resume goes on"
