"""Tasks given out to threads, and their results in the order of the tasks, within bounded memory (back-pressure)."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from queue import Empty, Queue, SimpleQueue
from threading import Condition
from typing import Any, Final, TypeVar

Item = TypeVar("Item")

HELD: Final = 64 * 2**20
"""Bytes of results that may wait for those before them, or to be taken."""

AHEAD: Final = 256
"""Tasks that may be given out beyond the first unfinished one."""

_TICK: Final = 0.5
"""Seconds after which a waiting main thread looks for Ctrl-C, which does not wake it on Windows."""


def next_of(queue: "Queue[Item] | SimpleQueue[Item]") -> Item:
    """The next item of a queue, waiting in steps, between which Ctrl-C is heard on every system."""
    while True:
        try:
            return queue.get(timeout=_TICK)
        except Empty:
            continue


class Closed(Exception):  # noqa: N818 - it ends threads and is never seen
    """Nobody wants the results any more."""


@dataclass(slots=True)
class _Slot:
    task: Any
    results: deque[bytes] = field(default_factory=deque)
    ended: bool = False


class Ordered:
    """Gives out tasks; iterating gives every task with each of its results, in the order of the tasks.

    Args:
        tasks: are read as they are needed, by one thread at a time.
        forget: whether None stands for every task in what is given: tasks that hold pixels are not kept then.
        held: bytes of results that may wait.
        ahead: tasks beyond the first unfinished one that may be given out.
    """

    def __init__(self, tasks: Iterable[Any], held: int = HELD, ahead: int = AHEAD, *, forget: bool = False) -> None:
        self._tasks, self._forget = iter(tasks), forget
        self._most, self._ahead = held, ahead
        self._slots: dict[int, _Slot] = {}
        self._first = self._next = self._held = 0
        self._exhausted = self._closed = False
        self._error: BaseException | None = None
        self._changed = Condition()

    def take(self) -> tuple[int, Any] | None:
        """The next task and its number, waiting while too many are ahead; None when there is none left.

        Raises:
            Closed: nobody wants more.
        """
        with self._changed:
            self._wait_for(lambda: self._exhausted or self._next < self._first + self._ahead)
            if self._exhausted:
                return None
            try:
                task = next(self._tasks)
            except StopIteration:
                self._exhausted = True
                self._changed.notify_all()
                return None
            self._slots[self._next] = _Slot(None if self._forget else task)
            self._next += 1
            return self._next - 1, task

    def put(self, number: int, content: bytes) -> None:
        """Keep a result of a task, waiting while too many bytes are kept; of the first task one always has room.

        Raises:
            Closed: nobody wants more.
        """
        with self._changed:
            self._wait_for(lambda: self._held + len(content) <= self._most or self._is_awaited(number))
            self._slots[number].results.append(content)
            self._held += len(content)
            self._changed.notify_all()

    def end(self, number: int) -> None:
        """A task has no more results."""
        with self._changed:
            if number in self._slots:
                self._slots[number].ended = True
            self._changed.notify_all()

    def check(self) -> None:
        """Go on only while results are wanted.

        Raises:
            Closed: nobody wants more.
        """
        with self._changed:
            self._wait_for(lambda: True)

    def fail(self, error: BaseException) -> None:
        """Raise an error where the results are iterated over."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    def close(self) -> None:
        """Let whoever waits here go."""
        with self._changed:
            self._closed = True
            self._slots.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[tuple[Any, bytes]]:
        while (found := self._result()) is not None:
            yield found

    def _result(self) -> tuple[Any, bytes] | None:
        """The next result, waiting for it; None at the end."""
        with self._changed:
            while not self._error:
                slot = self._slots.get(self._first)
                if slot is not None and slot.results:
                    content = slot.results.popleft()
                    self._held -= len(content)
                    self._changed.notify_all()
                    return slot.task, content
                if slot is not None and slot.ended:
                    del self._slots[self._first]
                    self._first += 1
                    self._changed.notify_all()
                elif slot is None and self._exhausted:
                    return None
                else:
                    self._changed.wait(_TICK)
            raise self._error

    def _is_awaited(self, number: int) -> bool:
        """Whether results of this task are all that can be taken next, and there is none."""
        return number == self._first and not self._slots[number].results

    def _wait_for(self, condition: Callable[[], bool]) -> None:
        self._changed.wait_for(lambda: self._closed or condition())
        if self._closed:
            raise Closed
