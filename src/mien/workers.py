"""A pool of worker processes: results in the order of the tasks, bounded memory, a worker that dies is replaced.

Every worker is served by a thread of its own, which sends it a task, takes its results and sees it die; no queue is
shared, so that a process killed in the middle of a message harms no other. Processes are started by spawn on every
system: a process that has threads of onnxruntime or OpenCV cannot be forked safely.
"""

import os
import pickle
import signal
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Final, Self

from mien.errors import MienError, WorkerError
from mien.ordered import Closed, Ordered

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_STARTS: Final = 3
"""Times that a process may die while it starts, in a row."""

_PATIENCE: Final = 10.0
_END: Final = b""

Work = Callable[[Any], Iterable[Any]]
"""What a worker does with a task: some results, of which each is sent as soon as it is there."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The last result of a task that failed: its own error, or that its worker died."""

    error: MienError


class Workers:
    """Worker processes, started when there are tasks, ended by `close`. A context manager.

    Args:
        make: called once in each process, gives what it does with a task; picklable. What it loads is loaded once.
        count: how many processes at most, at least 1.
    """

    def __init__(self, make: Callable[[], Work], count: int) -> None:
        self._make, self._count = make, count
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._lock = Lock()

    def results(self, tasks: Iterable[Any]) -> Generator[tuple[Any, Any], None, None]:
        """Each task with each of its results, in the order of the tasks; closing the iterator abandons the others.

        A task that raises, or whose worker dies, ends with a `Failed`; the others go on with a new worker. A caller
        that wants another try gives the task again. Tasks are read as they are needed.

        Raises:
            WorkerError: processes do not start.
            MienError: of ``make``, when no process can do the work at all.
        """
        ordered = Ordered(tasks)
        threads = [Thread(target=self._serve, args=(ordered,), daemon=True) for _ in range(self._count)]
        for thread in threads:
            thread.start()
        finished = False
        try:
            for task, content in ordered:
                yield task, pickle.loads(content)  # noqa: S301 - what a process of ours sent over its own pipe
            finished = True
        finally:
            ordered.close()
            if not finished:
                self._kill()
            for thread in threads:
                thread.join(_PATIENCE)

    def close(self) -> None:
        """End all processes."""
        self._kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self, ordered: Ordered) -> None:
        """One after the other, the tasks of one worker."""
        if hasattr(signal, "pthread_sigmask"):  # processes inherit it: Ctrl-C is the parent's to handle
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        worker: _Worker | None = None
        try:
            while (taken := ordered.take()) is not None:
                number, task = taken
                worker = worker or self._taken(ordered)
                if not worker.run(task, partial(ordered.put, number)):
                    ordered.put(number, pickle.dumps(Failed(worker.death())))
                    self._drop(worker)
                    worker = None
                ordered.end(number)
        except BaseException as error:  # it is raised where results are waited for
            if not isinstance(error, Closed):
                ordered.fail(error)
            if worker is not None:
                self._drop(worker)
        else:
            with self._lock:
                self._idle += [worker] if worker else []

    def _taken(self, ordered: Ordered) -> "_Worker":
        """An idle worker, or a new one."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
        for _ in range(_STARTS):
            worker = _Worker(self._make)
            with self._lock:
                self._all.add(worker)
            try:
                ordered.check()  # `_kill` comes after the closing: it kills this worker, or this check ends it
                if worker.ready():
                    return worker
                death = worker.death()
            except BaseException:
                self._drop(worker)
                raise
            self._drop(worker)
        ordered.check()
        hint = 'a script that asks for workers needs its `if __name__ == "__main__":`'
        raise WorkerError(f"worker processes do not start ({death}); {hint}")

    def _drop(self, worker: "_Worker") -> None:
        with self._lock:
            self._all.discard(worker)
        worker.close()

    def _kill(self) -> None:
        """Kill all processes; a busy one is closed by the thread that serves it, which sees it die."""
        with self._lock:
            busy, idle = self._all - set(self._idle), self._idle
            self._all, self._idle = busy, []
        for worker in busy:
            worker.kill()
        for worker in idle:
            worker.close()


class _Worker:
    """One process, as its thread sees it."""

    def __init__(self, make: Callable[[], Work]) -> None:
        import multiprocessing  # 20 ms, which one picture need not wait for

        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, make), name="mien-worker", daemon=True)
        try:
            self._process.start()
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise WorkerError(f"{error}: worker processes take only what can be pickled; use one process") from None
        theirs.close()

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

    def run(self, task: Any, put: Callable[[bytes], None]) -> bool:
        """Let it do a task and put each result, pickled; False when it died meanwhile.

        A result is put when the next message is there: one that dies after its last result gave none, or would count
        twice, as done and as failed.
        """
        last = None
        try:
            self._connection.send(task)
            while (content := self._connection.recv_bytes()) != _END:
                if last is not None:
                    put(last)
                last = content
        except (EOFError, OSError):
            return False
        if last is not None:
            put(last)
        return True

    def death(self) -> WorkerError:
        """How it died."""
        self._process.join(_PATIENCE)
        code = self._process.exitcode
        how = f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"
        return WorkerError(f"the worker process that read it died ({how})")

    def kill(self) -> None:
        """End it at once; any thread may."""
        self._process.kill()

    def close(self) -> None:
        """End it and let go of its connection, which only the thread that reads from it may."""
        self.kill()
        self._process.join(_PATIENCE)
        self._connection.close()


def _work(connection: "Connection", make: Callable[[], Work]) -> None:
    """What a worker process does, until its parent closes the connection or dies."""
    from multiprocessing import parent_process

    parent = parent_process()
    if parent is not None:
        Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    try:
        work = make()
    except Exception as error:  # the parent raises it
        connection.send(_said(error))
        return
    connection.send(None)
    with suppress(EOFError, OSError):
        while True:
            _answer(connection, work, connection.recv())


def _answer(connection: "Connection", work: Work, task: Any) -> None:
    for content in _contents(work, task):
        connection.send_bytes(content)
    connection.send_bytes(_END)


def _contents(work: Work, task: Any) -> Iterator[bytes]:
    """The results of a task, pickled; a poisonous one ends no other."""
    try:
        for result in work(task):
            yield pickle.dumps(result, pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        yield pickle.dumps(Failed(_said(error)))


def _said(error: Exception) -> MienError:
    if isinstance(error, MienError):
        return error
    return WorkerError("not enough memory" if isinstance(error, MemoryError) else f"{type(error).__name__}: {error}")


def _end_with(sentinel: int) -> None:
    """End this process when its parent is gone, whatever it is doing."""
    from multiprocessing.connection import wait

    wait([sentinel])
    os._exit(1)
