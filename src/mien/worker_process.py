"""What runs in a worker process: tasks come over a pipe, results go back, within hard limits of memory and time."""

import errno
import mmap
import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

from mien.errors import LimitError, MienError, WorkerError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

END: Final = b""
LAST: Final = b"last"
"""Ends the results of a task, and the process; results are pickles, which begin otherwise."""
_GROWTH: Final = 96 * 2**20
"""Bytes of address space that a process may keep after a task."""
_SHARE: Final = 8
_LINUX: Final = sys.platform == "linux"

_REFUSED: Final = ("insufficient memory", "failed to allocate memory", "bad_alloc", "can't start new thread")
"""How OpenCV, onnxruntime and Python's threads say that the system gave them no memory."""

Work = Callable[[Any], Iterable[Any]]
"""What a worker does with a task: some results, of which each is sent as soon as it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Hard limits of one task, which end its process.

    Args:
        memory: bytes of address space beyond what the process needs for itself (RLIMIT_AS; Linux).
        cpu_seconds: processor time of all its threads (an interval timer; Linux and macOS).
        seconds: wall time, by the parent's clock (every system).
        result_seconds: wall time of each result, while the parent waits for it (every system).
        starved_seconds: what there is more of both while the process has not had ``cheap_cpu_seconds`` yet, because the
            machine is busy (Linux).
        cheap_cpu_seconds: processor time after which a result that is late is held to be costly.
        once: whether the process is ended after the task, so that what it leaves behind goes with it.
    """

    memory: int | None = None
    cpu_seconds: float | None = None
    seconds: float | None = None
    result_seconds: float | None = None
    starved_seconds: float | None = None
    cheap_cpu_seconds: float = 0.0
    once: bool = False


UNBOUND: Final = Bounds()


@dataclass(frozen=True, slots=True)
class Failed:
    """The last result of a task that failed: its own error, or that its worker died."""

    error: MienError


@dataclass(frozen=True, slots=True)
class WithContent:
    """A task with the content of a file, which is sent without being copied.

    Args:
        task: the rest of it.
        content: of the file; the worker gets it as `mmap`, anonymous, or as bytes where it is empty.
    """

    task: Any
    content: Any


def run_worker(connection: "Connection", make: Callable[[], Work]) -> None:
    """What a worker process does, until its parent closes the connection or dies."""
    from multiprocessing import parent_process

    parent = parent_process()
    if parent is not None:
        Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the parent finishes what was begun, then ends its workers
    try:
        work = make()
    except Exception as error:  # the parent raises it
        connection.send(_said(error))
        return
    connection.send(None)
    own = _address_space()
    with suppress(EOFError, OSError):
        last = False
        while not last:
            last = _answer(connection, work, own)


def _answer(connection: "Connection", work: Work, own: int) -> bool:
    """Do one task; whether it was the last one of this process."""
    task, bounds, size = connection.recv()
    if size is not None:
        task = WithContent(task, _content(connection, size))
    enough = not bounds.once
    with _bounded(bounds, own):
        try:
            for result in work(task):
                connection.send_bytes(pickle.dumps(result, pickle.HIGHEST_PROTOCOL))
        except Exception as error:  # a poisonous task ends no other
            said = _said(error)
            enough = enough and not isinstance(said, LimitError)
            connection.send_bytes(pickle.dumps(Failed(said)))
    del task
    last = not enough or (bounds.memory is not None and _address_space() > own + _kept(bounds.memory))
    connection.send_bytes(LAST if last else END)
    return last


def _kept(memory: int) -> int:
    """Bytes that a process may keep of a task's limit, which the next one would lack; one that keeps more is replaced.

    A picture of a megapixel alone leaves onnxruntime some 150 MB.
    """
    return max(_GROWTH, memory // _SHARE)


def _content(connection: "Connection", size: int) -> mmap.mmap | bytes:
    if not size:
        return b""
    content = mmap.mmap(-1, size)
    at = 0
    while at < size:
        piece = connection.recv_bytes()
        content[at : at + len(piece)] = piece
        at += len(piece)
    return content


@contextmanager
def _bounded(bounds: Bounds, own: int) -> Iterator[None]:
    """A block within limits of memory and processor time, where the system has them."""
    if _LINUX and bounds.memory is not None:
        import resource

        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        wanted = own + bounds.memory
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard < 0 else min(wanted, hard), hard))
    timer = getattr(signal, "ITIMER_PROF", None)
    if timer is not None and bounds.cpu_seconds is not None:
        signal.setitimer(timer, bounds.cpu_seconds)  # its signal ends the process
    try:
        yield
    finally:
        if timer is not None:
            signal.setitimer(timer, 0)
        if _LINUX and bounds.memory is not None:
            resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def _address_space() -> int:
    """Bytes of address space of this process; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * mmap.PAGESIZE
    except OSError:
        return 0


def _said(error: Exception) -> MienError:
    if isinstance(error, MienError):
        return error
    if isinstance(error, MemoryError) or _is_refusal(error):
        return LimitError("memory", "not enough memory")
    return WorkerError(f"{type(error).__name__}: {error}".partition("\n")[0])


def _is_refusal(error: Exception) -> bool:
    """Whether a library says by this that the system gave it no memory; without it no thread can be started either."""
    if isinstance(error, OSError) and error.errno in {errno.ENOMEM, errno.EAGAIN}:
        return True
    return any(words in str(error).lower() for words in _REFUSED)


def _end_with(sentinel: int) -> None:
    """End this process when its parent is gone, whatever it is doing."""
    from multiprocessing.connection import wait

    wait([sentinel])
    os._exit(1)
