"""The engine of several machines: Ray Data carries parts to actors and small accounts back, and nothing else.

Pictures, rows and files stay with the actors. Ray's own writing of Parquet, its tolerance of errors and its checkpoints
are not used: all three lose or double inputs.
"""

import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any, Final

from mien.choices import OWN_RAY
from mien.errors import MienError, MissingExtraError, UsageError, WorkerError
from mien.jobs.accounts import Account
from mien.jobs.cluster_watch import Prints, Watch
from mien.jobs.ledger import read_account
from mien.jobs.manifest import Part
from mien.jobs.parts import PartWorker, Work
from mien.jobs.place import part_file
from mien.threads import usable_cores

_AHEAD: Final = 2
"""Parts that wait for an actor, so that it need not."""

_MOST_TASKS: Final = 4096
"""Tasks into which parts are divided; Ray takes 1.4 ms to make each."""

_STORE: Final = 80 * 2**20
"""Bytes of Ray's object store, which holds paths and accounts; Ray refuses less than 75 MiB."""

_ANSWER: Final = 10.0
"""Seconds in which a cluster answers."""

_REMOVER: Final = """
import os, shutil, sys, time
sys.stdin.read()
for seconds in (2, 65):  # processes of Ray end at once, and its agents after a minute
    if os.path.isdir(sys.argv[1]):
        time.sleep(seconds)
        shutil.rmtree(sys.argv[1], ignore_errors=True)
"""
"""Removes a folder when who holds its standard input is gone."""

_LONGEST_FOLDER: Final = 40
"""Bytes of the folder for Ray's sockets, whose paths may have 107."""

_QUIET: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_USAGE_STATS_REPORT_URL": "http://127.0.0.1:9/",  # one message is posted in spite of the line above
    "RAY_DATA_LOG_LEVEL": "ERROR",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}
"""Of every Ray: nothing is posted, nothing is said that a user cannot act on."""

_LOOPBACK: Final = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token"}
"""Of a Ray of one's own: listeners on 127.0.0.1 alone, and only for who has the token."""


class PartActor:
    """An actor: a model, loaded once, and a child process that reads.

    Args:
        work: what to do.
    """

    def __init__(self, work: Work) -> None:
        # Child processes would import the file of the main module, which is Ray's and loads all of it.
        vars(sys.modules["__main__"]).pop("__file__", None)
        self._worker, self._place = PartWorker(work), work.place

    def __call__(self, batch: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        """Do the part of a batch, as JSON, unless an actor that died has done it; its account, likewise."""
        (part,) = (Part.from_json(str(text)) for text in batch["part"])
        there = self._place.exists(part_file(part.name))
        account = read_account(self._place, part.name) if there else None
        if account is None:
            account = self._worker.account(part)
        return {"account": [account.to_json()]}


def reached(cluster: str) -> str:
    """See that Ray is installed and the cluster answers, before anything is done; its address.

    Raises:
        MissingExtraError: Ray is not installed.
        UsageError: there is none, or nothing answers at the address; Ray itself would try for minutes.
    """
    if find_spec("ray") is None:
        raise MissingExtraError("a cluster", "cluster")
    cluster = _started_here() if cluster == "auto" else cluster
    host, _, port = cluster.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return cluster
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"--cluster {cluster} does not answer ({reason}): expected HOST:PORT of its head") from None
    return cluster


def _started_here() -> str:
    """The cluster of `RAY_ADDRESS`, or that ``ray start`` noted; Ray itself would join any, somebody's own too."""
    named = os.environ.get("RAY_ADDRESS", "")
    if named not in {"", "auto"}:
        return named
    noted = Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir(), "ray", "ray_current_cluster")
    try:
        return noted.read_text(encoding="utf-8").strip()
    except OSError:
        raise UsageError("--cluster auto finds no cluster that `ray start` made here: name its HOST:PORT") from None


def run_on_ray(work: Work, parts: Sequence[Part], cluster: str, workers: int | None, gpus: float) -> Iterator[Account]:
    """The engine of a Ray cluster.

    Args:
        work: what to do.
        parts: the parts.
        cluster: address of a cluster, ``auto``, or `OWN_RAY`.
        workers: actors at most; None: one for each core of this machine, or as many as the cluster gives.
        gpus: of each actor.

    Raises:
        WorkerError: the cluster cannot be reached, or fails.
        UsageError: Ray runs in this process already, and one of its own was asked for.
    """
    own = cluster == OWN_RAY
    workers = workers or (usable_cores() if own else None)
    prints = Prints(sys.stdout)
    with _environment(own), redirect_stdout(prints), _ray(cluster, workers), Watch(prints) as watch:
        try:
            for row in _accounts(work, parts, workers, own=own, gpus=gpus).iter_rows():
                watch.parts += 1
                prints.lent = True
                yield Account.from_json(row["account"])
                prints.lent = False
        except Exception as error:
            raise _said(error) from None
        finally:
            prints.lent = False


def _accounts(work: Work, parts: Sequence[Part], workers: int | None, *, own: bool, gpus: float) -> Any:
    """The data set of accounts, not yet computed: a part a row, a row a task until there are very many."""
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    least = min(workers or 1, len(parts)) if own else 1
    pool = ray.data.ActorPoolStrategy(
        min_size=least, max_size=least if own else workers, max_tasks_in_flight_per_actor=_AHEAD
    )
    rows = ray.data.from_items(
        [{"part": part.to_json()} for part in parts], override_num_blocks=min(len(parts), _MOST_TASKS)
    )
    needs = {"num_cpus": 1, **({"num_gpus": gpus} if gpus else {})}
    return rows.map_batches(PartActor, fn_constructor_args=(work,), batch_size=1, compute=pool, **needs)


@contextmanager
def _environment(own: bool) -> Iterator[None]:
    """The variables that Ray reads, for the time of the block."""
    values = _QUIET | (_LOOPBACK | {"RAY_AUTH_TOKEN": secrets.token_hex(32)} if own else {})
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


@contextmanager
def _ray(cluster: str, workers: int | None) -> Iterator[None]:
    """Ray, started or joined, and left at the end."""
    import ray

    if ray.is_initialized():
        if cluster == OWN_RAY:
            raise UsageError("Ray runs in this process already: name its address, or call ray.shutdown() first")
        yield
        return
    with _folder() if cluster == OWN_RAY else nullcontext() as folder:
        try:
            with _own_signals(), _nothing_said():
                _start(cluster, workers, folder)
            yield
        finally:
            ray.shutdown()


@contextmanager
def _folder() -> Iterator[str]:
    """A temporary folder, which is removed after SIGKILL too, by a process that sees its pipe close."""
    folder = tempfile.mkdtemp(prefix="mien-")
    command = [sys.executable, "-I", "-S", "-c", _REMOVER, folder]
    # Ctrl-C is not for it.
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as remover:  # noqa: S603 - our code
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            remover.kill()


def _start(cluster: str, workers: int | None, folder: str | None) -> None:
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if folder is None:
            ray.init(address=cluster, **quiet)
            return
        short = len(os.fsencode(folder)) <= _LONGEST_FOLDER
        ray.init(
            address=OWN_RAY,
            num_cpus=workers,
            include_dashboard=False,
            object_store_memory=_STORE,
            _plasma_directory=folder,  # /dev/shm has 64 MB in a container
            _temp_dir=folder if short else None,
            **quiet,
        )
    except Exception as error:  # Ray raises errors of many kinds
        where = "Ray does not start" if folder is not None else f"the Ray cluster {cluster} cannot be joined"
        raise WorkerError(f"{where} ({_line(error)})") from None


@contextmanager
def _nothing_said() -> Iterator[None]:
    """Nothing on standard error, nor on that of processes that start meanwhile: Ray says that it says nothing."""
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep what SIGTERM does, which Ray changes when it starts."""
    if current_thread() is not main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _said(error: Exception) -> MienError:
    """What an actor raised, or else what Ray says, in one line."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MienError):
            return cause
        cause = getattr(cause, "cause", None) or cause.__cause__
    return WorkerError(f"the cluster failed ({_line(error)})")


def _line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1].strip()[:300]}" if lines else type(error).__name__
