"""One worker process: tasks go in over a pipe of its own, results come out, and hard limits end it.

On Linux processes are forked by a server that has imported what they need and started no threads, which takes some
0.1 s. Elsewhere they are started by spawn. A process that has threads of onnxruntime or OpenCV cannot be forked safely.
"""

import os
import pickle
import signal
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from math import inf
from pathlib import Path
from threading import RLock
from time import monotonic
from typing import Any, Final

from mien.errors import LimitError, WorkerError
from mien.worker_process import END, LAST, UNBOUND, Bounds, WithContent, Work, run_worker

_PRELOADED: Final = ["mien.recognition.parallel", "mien.service.searching", "mien.jobs.reading"]
"""What the server that forks imports: what the workers of this package do, by name; nothing here imports it."""
_LINUX: Final = sys.platform == "linux"

_STANDARD_INPUT: Final = "<stdin>"

_TICK: Final = 0.1

_PATIENCE: Final = 10.0
_PIECE: Final = 2**20


class Worker:
    """One process, as the thread that serves it sees it.

    Args:
        make: called once in the process, gives what it does with a task; picklable.

    Raises:
        WorkerError: ``make`` cannot be pickled, or this process may start none.
    """

    def __init__(self, make: Callable[[], Work]) -> None:
        context = _context()
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=run_worker, args=(theirs, make), name="mien-worker", daemon=True)
        self._exceeded: str | None = None
        self.spent = False
        try:
            with _starting():
                self._process.start()
        except AssertionError:  # multiprocessing's
            raise WorkerError(
                "a worker of multiprocessing.Pool may start no processes of its own; use one process"
            ) from None
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise WorkerError(f"{error}: worker processes take only what can be pickled; use one process") from None
        theirs.close()

    @property
    def alive(self) -> bool:
        """Whether it can take another task."""
        with PROCESSES:
            return not self.spent and self._process.is_alive()

    def ready(self) -> bool:
        """Wait until it is; False when it died before.

        Raises:
            MienError: what it works with could not be made.
        """
        try:
            error = self._connection.recv()
        except (EOFError, OSError):
            return False
        if error is not None:
            raise error
        return True

    def results(self, task: Any, bounds: Bounds = UNBOUND) -> Generator[bytes, None, None]:
        """Each result of a task, pickled, as soon as it is there.

        Raises:
            LimitError: the task exceeded its bounds.
            WorkerError: the process died meanwhile.
        """
        time = _Time(bounds, self._process.pid)
        try:
            self._send(task, bounds)
            while (content := self._received(time)) not in {END, LAST}:
                yield content
        except (EOFError, OSError):
            raise self._death(bounds) from None
        self.spent = content == LAST

    def _send(self, task: Any, bounds: Bounds) -> None:
        content = memoryview(task.content) if isinstance(task, WithContent) else memoryview(b"")
        plain = task.task if isinstance(task, WithContent) else task
        self._connection.send((plain, bounds, len(content) if isinstance(task, WithContent) else None))
        for start in range(0, len(content), _PIECE):
            self._connection.send_bytes(content[start : start + _PIECE])

    def _received(self, time: "_Time") -> bytes:
        time.wait_for_result()
        while (left := time.left()) < inf and not self._connection.poll(max(0.0, left)):
            if time.is_over():
                self._exceeded = time.limit()
                self.kill()
                raise EOFError
        content: bytes = self._connection.recv_bytes()
        return content

    def _death(self, bounds: Bounds) -> WorkerError:
        """How it died."""
        if self._exceeded is not None:  # and is dying
            seconds = min(bounds.result_seconds or inf, bounds.seconds or inf)
            return LimitError(self._exceeded, f"it took longer than {seconds:.3g} s")
        self._await_end()
        with PROCESSES:
            code = self._process.exitcode
        if code == -getattr(signal, "SIGPROF", 0):
            return LimitError("processor time", f"it took more than {bounds.cpu_seconds:g} s of processor time")
        how = f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"
        return WorkerError(f"the worker process that read it died ({how})", -code if code is not None else 0)

    def death(self) -> WorkerError:
        """How it died, before it took a task."""
        return self._death(UNBOUND)

    def kill(self) -> None:
        """End it at once; any thread may."""
        with PROCESSES:
            self._process.kill()

    def close(self) -> None:
        """End it and let go of its connection, which only the thread that reads from it may."""
        with suppress(ValueError):  # it is closed, or has not ended, which the system is to be blamed for
            self.kill()
            self._await_end()
            with PROCESSES:
                self._process.close()  # its descriptors, which would wait for the garbage collector
        self._connection.close()

    def _await_end(self) -> None:
        """Wait until it has ended, without asking for its exit code, which one thread at a time may."""
        from multiprocessing.connection import wait

        wait([self._process.sentinel], _PATIENCE)


class _Time:
    """The wall time of one task. Where the machine is so busy that a cheap one had no turn yet, there is more.

    Args:
        bounds: of the task.
        process: its number.
    """

    def __init__(self, bounds: Bounds, process: int | None) -> None:
        self._bounds, self._process = bounds, process
        self._deadline = _after(bounds.seconds)

    def wait_for_result(self) -> None:
        """The next result is waited for from now on."""
        self._used = _processor_time(self._process)
        self._end = min(self._deadline, _after(self._bounds.result_seconds))
        self._last = self._end + (self._bounds.starved_seconds or 0.0)

    def left(self) -> float:
        """Seconds until it is to be asked whether the time is over; infinite where it never is."""
        return self._end - monotonic()

    def is_over(self) -> bool:
        """Whether the time is over; otherwise there is a little more."""
        now = monotonic()
        if now >= self._last or not self._is_cheap():
            return True
        self._end = min(self._last, now + _TICK)
        return False

    def limit(self) -> str:
        """What is exceeded: ``time``, or ``busy`` where the process had too little of it to say what the task costs."""
        return "busy" if self._is_cheap() else "time"

    def _is_cheap(self) -> bool:
        return _processor_time(self._process) - self._used < self._bounds.cheap_cpu_seconds


def _after(seconds: float | None) -> float:
    return inf if seconds is None else monotonic() + seconds


def _processor_time(process: int | None) -> float:
    """Seconds of processor time that a process has used; infinite where the system does not say."""
    try:
        numbers = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(numbers[11]) + int(numbers[12])) / int(os.sysconf("SC_CLK_TCK"))
    except (OSError, AttributeError, ValueError, IndexError):
        return inf


PROCESSES: Final = RLock()
"""Held by whoever starts, asks, kills or closes a process of `multiprocessing`. To start one asks all others whether
they have ended, and of two threads that ask at once one loses the exit code (CPython issues 130895 and 140867)."""


def start_server() -> None:
    """Start the server that forks workers, where there is one, without waiting until it has imported what they need."""
    if _context().get_start_method() != "forkserver":
        return
    from multiprocessing.forkserver import ensure_running

    with _starting():
        ensure_running()


@contextmanager
def _starting() -> Iterator[None]:
    """What every process of ours starts within, one at a time."""
    with _without_interrupts(), PROCESSES, _without_standard_input():
        yield


@cache
def _context() -> Any:
    """How processes start. The server that forks is asked over a socket in the folder for temporary files."""
    import multiprocessing  # 20 ms, which one picture need not wait for
    import tempfile

    try:
        tempfile.gettempdir()
    except FileNotFoundError:  # no folder can be written to
        return multiprocessing.get_context("spawn")
    if not _LINUX:
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


@contextmanager
def _without_standard_input() -> Iterator[None]:
    """Processes import the program that starts them, by its file; one on standard input names a file that is none."""
    program = sys.modules["__main__"]
    if getattr(program, "__file__", None) != _STANDARD_INPUT:
        yield
        return
    del program.__file__
    try:
        yield
    finally:
        program.__file__ = _STANDARD_INPUT


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Processes inherit blocked signals: Ctrl-C is the parent's to handle."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # its start would unblock them again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
