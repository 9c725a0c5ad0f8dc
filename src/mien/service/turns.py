"""Whose picture is next: turns go round clients, weighted by pixels (fair queueing)."""

import asyncio
from collections import Counter, deque
from dataclasses import dataclass
from typing import Final

from mien.errors import RequestError

_EVERY_PICTURE: Final = 250_000
"""Pixels that a picture counts for beside its own: detection works on a picture of fixed size."""
_HEAVY: Final = 4_000_000
"""Pixels of a picture that must not occupy the last free worker, where there are several."""


@dataclass(slots=True)
class _Waiting:
    pixels: int
    turn: asyncio.Future[None]


class Turns:
    """Fair queueing: of the clients that wait, the one is next that was given the fewest pixels.

    A client that comes begins level with those that are being served, so that it cannot save up turns.

    Args:
        workers: pictures that are worked on at a time.
        seconds: longest wait.
    """

    def __init__(self, workers: int, seconds: float) -> None:
        self._workers, self._free, self._seconds = workers, workers, seconds
        self._waiting: dict[str, deque[_Waiting]] = {}
        self._served: dict[str, float] = {}
        self._running: Counter[str] = Counter()
        self._heavy = 0
        self._level = 0.0

    async def take(self, client: str, pixels: int) -> None:
        """Wait for a turn, which `release` ends.

        Args:
            client: whose it is.
            pixels: of the picture.

        Raises:
            RequestError: 503, it did not come in time.
        """
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = _Waiting(pixels, turn)
        self._waiting.setdefault(client, deque()).append(waiting)
        self._served[client] = max(self._served.get(client, 0.0), self._level)
        self._next()
        try:
            async with asyncio.timeout(self._seconds):
                await turn
        except BaseException as error:
            self._give_back(client, waiting)
            if not isinstance(error, TimeoutError):
                raise
            raise RequestError(503, f"overloaded: no worker was free for {self._seconds:g} s; try again") from None

    def release(self, client: str, pixels: int) -> None:
        """End a turn."""
        self._free += 1
        self._heavy -= pixels > _HEAVY
        self._running[client] -= 1
        self._forget(client)
        self._next()

    def _give_back(self, client: str, waiting: _Waiting) -> None:
        """Leave the queue, or end the turn that came while its client was leaving."""
        if not waiting.turn.cancelled():
            self.release(client, waiting.pixels)
            return
        queue = self._waiting.get(client, deque())
        if waiting in queue:
            queue.remove(waiting)
            if not queue:
                del self._waiting[client]
        self._forget(client)
        self._next()

    def _forget(self, client: str) -> None:
        if self._running[client] <= 0 and client not in self._waiting:
            del self._running[client]
            self._served.pop(client, None)

    def _next(self) -> None:
        while self._free and (client := self._chosen()) is not None:
            queue = self._waiting[client]
            waiting = queue.popleft()
            if not queue:
                del self._waiting[client]
            if waiting.turn.cancelled():  # and its task has not run since
                continue
            self._level = max(self._level, self._served[client])
            self._served[client] += waiting.pixels + _EVERY_PICTURE
            self._free -= 1
            self._heavy += waiting.pixels > _HEAVY
            self._running[client] += 1
            waiting.turn.set_result(None)

    def _chosen(self) -> str | None:
        able = [client for client, queue in self._waiting.items() if self._may(queue[0])]
        return min(able, key=self._served.__getitem__, default=None)

    def _may(self, waiting: _Waiting) -> bool:
        return waiting.pixels <= _HEAVY or self._heavy < max(1, self._workers - 1)
