"""Whose picture is next: turns go round clients, weighted by pixels (fair queueing)."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mien.errors import RequestError

_EVERY_PICTURE: Final = 250_000
"""Pixels that a picture counts for beside its own: detection works on a picture of fixed size."""
HEAVY: Final = 4_000_000
"""Pixels of a picture that must not occupy the last free worker, where there are several."""


_BLAMED: Final = 30.0
"""Seconds for which a client is held to be one whose pictures end workers."""


@dataclass(slots=True, eq=False)
class Turn:
    """A picture that waits for a worker, or has one.

    Args:
        client: whose it is.
        pixels: of the picture.
        come: done when it has a worker.
        heavy: whether it may not occupy the last free worker.
    """

    client: str
    pixels: int
    come: asyncio.Future[None]
    heavy: bool = False


class Turns:
    """Fair queueing: of the clients that wait, the one is next that was given the fewest pixels.

    A client that comes begins level with those that are being served, so that it cannot save up turns. Large pictures,
    and those of a client whose pictures ended a worker lately, leave one worker free for the others, where there are
    several.

    Args:
        workers: pictures that are worked on at a time.
        seconds: longest wait.
        large: large pictures that are worked on at a time, as far as the workers go.
        clock: monotonic seconds.
    """

    def __init__(
        self, workers: int, seconds: float, large: int = 2**31, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._free, self._seconds, self._clock = workers, seconds, clock
        self._most_heavy = max(1, min(workers - 1, large))
        self._waiting: dict[str, deque[Turn]] = {}
        self._served: dict[str, float] = {}
        self._running: Counter[str] = Counter()
        self._blamed: dict[str, float] = {}
        self._heavy = 0
        self._level = 0.0

    async def take(self, client: str, pixels: int) -> Turn:
        """Wait for a turn, which `release` ends.

        Args:
            client: whose it is.
            pixels: of the picture.

        Raises:
            RequestError: 503, it did not come in time.
        """
        turn = Turn(client, pixels, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(client, deque()).append(turn)
        self._served[client] = max(self._served.get(client, 0.0), self._level)
        self._next()
        try:
            async with asyncio.timeout(self._seconds):
                await turn.come
        except BaseException as error:
            self._give_back(turn)
            if not isinstance(error, TimeoutError):
                raise
            raise RequestError(503, f"overloaded: no worker was free for {self._seconds:g} s; try again") from None
        return turn

    def blame(self, client: str) -> None:
        """A picture of this client ended a worker."""
        now = self._clock()
        self._blamed = {known: since for known, since in self._blamed.items() if now - since < _BLAMED}
        self._blamed[client] = now

    def release(self, turn: Turn) -> None:
        """End a turn."""
        self._free += 1
        self._heavy -= turn.heavy
        self._running[turn.client] -= 1
        self._forget(turn.client)
        self._next()

    def _give_back(self, turn: Turn) -> None:
        """Leave the queue, or end the turn that came while its client was leaving."""
        if not turn.come.cancelled():
            self.release(turn)
            return
        queue = self._waiting.get(turn.client, deque())
        if turn in queue:
            queue.remove(turn)
            if not queue:
                del self._waiting[turn.client]
        self._forget(turn.client)
        self._next()

    def _forget(self, client: str) -> None:
        if self._running[client] <= 0 and client not in self._waiting:
            del self._running[client]
            self._served.pop(client, None)

    def _next(self) -> None:
        while self._free and (client := self._chosen()) is not None:
            queue = self._waiting[client]
            turn = queue.popleft()
            if not queue:
                del self._waiting[client]
            if turn.come.cancelled():  # and its task has not run since
                continue
            self._level = max(self._level, self._served[client])
            self._served[client] += turn.pixels + _EVERY_PICTURE
            self._free -= 1
            turn.heavy = self._is_heavy(turn)
            self._heavy += turn.heavy
            self._running[client] += 1
            turn.come.set_result(None)

    def _chosen(self) -> str | None:
        able = [client for client, queue in self._waiting.items() if self._may(queue[0])]
        return min(able, key=self._served.__getitem__, default=None)

    def _may(self, turn: Turn) -> bool:
        return self._heavy < self._most_heavy or not self._is_heavy(turn)

    def _is_heavy(self, turn: Turn) -> bool:
        return turn.pixels > HEAVY or self._clock() - self._blamed.get(turn.client, -_BLAMED) < _BLAMED
