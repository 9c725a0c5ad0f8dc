"""The engine of one machine: threads of this process do parts, each with a child process that reads."""

from collections import deque
from collections.abc import Iterator, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import Final

from mien.jobs.accounts import Account
from mien.jobs.manifest import Part
from mien.jobs.parts import EndedError, PartWorker, Work
from mien.ordered import next_of

_PATIENCE: Final = 10.0
"""Seconds that a thread has to see its child process die."""


def run_here(work: Work, parts: Sequence[Part], processes: int) -> Iterator[Account]:
    """Do parts, as many at the same time as there are processes; a long video delays no other part.

    Args:
        work: what to do.
        parts: the parts.
        processes: how many read at the same time.

    Raises:
        MienError: of a part; the others that are being done are abandoned.
    """
    owed, done = deque(parts), SimpleQueue[Account | BaseException]()
    workers = [PartWorker(work, processes) for _ in range(min(processes, len(parts)))]
    threads = [Thread(target=_serve, args=(worker, owed, done), daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    try:
        for _ in parts:
            found = next_of(done)
            if isinstance(found, BaseException):
                raise found
            yield found
    finally:
        owed.clear()
        for worker in workers:
            worker.close()
        for thread in threads:
            thread.join(_PATIENCE)


def _serve(worker: PartWorker, owed: deque[Part], done: "SimpleQueue[Account | BaseException]") -> None:
    try:
        while True:
            done.put(worker.account(owed.popleft()))
    except (IndexError, EndedError):  # no part is left, or wanted
        return
    except BaseException as error:  # it is raised where accounts are waited for
        done.put(error)
