"""A pool of worker processes: results in the order of the tasks, bounded memory, a worker that dies is replaced.

Every worker is served by a thread of its own, which sends it a task, takes its results and sees it die; no queue is
shared, so that a process killed in the middle of a message harms no other.
"""

import pickle
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from threading import Lock, Thread
from typing import Any, Final, Self

from mien.errors import WorkerError
from mien.ordered import Closed, Ordered
from mien.worker import Worker
from mien.worker_process import UNBOUND, Bounds, Failed, Work

_STARTS: Final = 3
"""Times that a process may die while it starts, in a row."""

_PATIENCE: Final = 10.0


class Leash:
    """By which another thread ends what a worker is doing for one task."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._worker: Worker | None = None
        self._pulled = False

    def pull(self) -> None:
        """End the worker that has the task, or will have it."""
        with self._lock:
            self._pulled = True
            if self._worker is not None:
                self._worker.kill()

    def hold(self, worker: Worker | None) -> None:
        """This worker has the task from now on; None: it is done."""
        with self._lock:
            self._worker = worker
            if self._pulled and worker is not None:
                worker.kill()


class Workers:
    """Worker processes, started when there are tasks, ended by `close`. A context manager.

    Args:
        make: called once in each process, gives what it does with a task; picklable. What it loads is loaded once.
        count: how many processes at most, at least 1.
        bounds: of each task of `results`.
    """

    def __init__(self, make: Callable[[], Work], count: int, bounds: Bounds = UNBOUND) -> None:
        self._make, self._count, self._bounds = make, count, bounds
        self._idle: list[Worker] = []
        self._all: set[Worker] = set()
        self._dying: list[Worker] = []
        self._lock = Lock()
        self._closed = False

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

    def do(self, task: Any, bounds: Bounds = UNBOUND, leash: Leash | None = None) -> Generator[Any, None, None]:
        """The results of one task, each as soon as it is there, in the calling thread; closing the iterator ends the
        worker.

        Args:
            task: the task.
            bounds: its hard limits.
            leash: lets another thread end it.

        Raises:
            LimitError: the task exceeded its bounds.
            WorkerError: its worker died, or none starts.
            MienError: of the task, or of ``make``.
        """
        worker = self._taken(lambda: None)
        leash = leash or Leash()
        done, result = False, None
        try:
            leash.hold(worker)
            for content in worker.results(task, bounds):
                result = pickle.loads(content)  # noqa: S301 - what a process of ours sent over its own pipe
                if not isinstance(result, Failed):
                    yield result
            done = True
        finally:
            leash.hold(None)
            self._put_back(worker) if done else self._leave(worker)
        if isinstance(result, Failed):
            raise result.error

    def prepare(self) -> None:
        """Start a worker, or replace one that died, if there are fewer than there may be; afterwards the dead are gone.

        Raises:
            WorkerError: it does not start.
            MienError: of ``make``.
        """
        self._bury()
        with self._lock:
            enough = self._closed or len(self._all) >= self._count
        if not enough:
            self._put_back(self._new(lambda: None))

    def close(self) -> None:
        """End all processes; no other is started."""
        self._closed = True
        self._kill()
        self._bury()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self, ordered: Ordered) -> None:
        """One after the other, the tasks of one worker."""
        worker: Worker | None = None
        try:
            while (taken := ordered.take()) is not None:
                number, task = taken
                worker = worker if worker is not None and worker.alive else self._taken(ordered.check, worker)
                try:
                    for content in _held_back(worker.results(task, self._bounds)):
                        ordered.put(number, content)
                except WorkerError as error:
                    ordered.put(number, pickle.dumps(Failed(error)))
                ordered.end(number)
        except BaseException as error:  # it is raised where results are waited for
            if not isinstance(error, Closed):
                ordered.fail(error)
            if worker is not None:
                self._drop(worker)
        else:
            if worker is not None:
                self._put_back(worker)

    def _taken(self, check: Callable[[], None], dead: Worker | None = None) -> Worker:
        """An idle worker, or a new one in the place of a dead one."""
        if dead is not None:
            self._drop(dead)
        self._bury()
        while True:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
            if worker is None:
                return self._new(check)
            if worker.alive:
                return worker
            self._drop(worker)

    def _new(self, check: Callable[[], None]) -> Worker:
        death: Exception | None = None
        for _ in range(_STARTS):
            worker = Worker(self._make)
            with self._lock:
                self._all.add(worker)
            try:
                check()  # `_kill` comes after the closing: it kills this worker, or this check ends it
                if worker.ready():
                    return worker
                death = worker.death()
            except BaseException:
                self._drop(worker)
                raise
            self._drop(worker)
        check()
        hint = 'a script that asks for workers needs its `if __name__ == "__main__":`'
        raise WorkerError(f"worker processes do not start ({death}); {hint}")

    def _put_back(self, worker: Worker) -> None:
        with self._lock:
            kept = worker.alive and not self._closed
            if kept:
                self._idle.append(worker)
        if not kept:
            self._drop(worker)

    def _leave(self, worker: Worker) -> None:
        """Let a worker die while others go on: whoever waits for an answer does not wait for that."""
        worker.kill()
        with self._lock:
            self._all.discard(worker)
            self._dying.append(worker)

    def _bury(self) -> None:
        """Wait for the workers that were left to die."""
        with self._lock:
            dying, self._dying = self._dying, []
        for worker in dying:
            worker.close()

    def _drop(self, worker: Worker) -> None:
        with self._lock:
            self._all.discard(worker)
        worker.close()

    def _kill(self) -> None:
        """Kill all processes; a busy one is closed by the thread that serves it, which sees it die."""
        with self._lock:
            busy, idle = self._all - set(self._idle), self._idle
            self._all, self._idle = busy, []
        for worker in busy:
            with suppress(ValueError):
                worker.kill()
        for worker in idle:
            worker.close()


def _held_back(results: Iterable[bytes]) -> Generator[bytes, None, None]:
    """Each result when the next one is there: a worker that dies after its last result gave none, or would count twice,
    as done and as failed.
    """
    last: bytes | None = None
    for content in results:
        if last is not None:
            yield last
        last = content
    if last is not None:
        yield last
