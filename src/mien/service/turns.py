"""Whose picture is next: turns go round clients, weighted by pixels (fair queueing)."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
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
        since: when the picture was there, by the clock of the turns.
        costly: whether it may take long by its header.
        hurried: whether it waits for a short time only: costly ones, those of clients whose pictures ended a worker.
        wait: ends its waiting.
        heavy: whether it may not occupy the last free worker.
        waited: seconds from when the picture was there until its turn came.
    """

    client: str
    pixels: int
    come: asyncio.Future[None]
    since: float
    costly: bool
    hurried: bool
    wait: asyncio.Timeout
    heavy: bool = False
    waited: float = 0.0


class Turns:
    """Fair queueing: of the clients that wait, the one is next that was given the fewest pixels.

    A client that comes begins level with those that are being served, so that it cannot save up turns. Large pictures,
    and those of a client whose pictures ended a worker lately, leave one worker free for the others, where there are
    several. What may take long, that is costly pictures and those of such a client, is refused after a short wait
    already, so that whoever sent it is answered soon.

    Args:
        workers: pictures that are worked on at a time.
        seconds: longest wait.
        hurried: longest wait of a picture that may take long.
        large: large pictures that are worked on at a time, as far as the workers go.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        workers: int,
        seconds: float,
        hurried: float = 1e9,
        large: int = 2**31,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._free, self._seconds, self._clock = workers, seconds, clock
        self._hurried = min(hurried, seconds)
        self._most_heavy = max(1, min(workers - 1, large))
        self._waiting: dict[str, deque[Turn]] = {}
        self._served: dict[str, float] = {}
        self._running: Counter[str] = Counter()
        self._blamed: dict[str, float] = {}
        self._heavy = 0
        self._level = 0.0

    async def take(self, client: str, pixels: int, *, costly: bool = False, since: float | None = None) -> Turn:
        """Wait for a turn, which `release` ends.

        Args:
            client: whose it is.
            pixels: of the picture.
            costly: whether it may take long.
            since: when the picture was there, by the clock; None: now.

        Raises:
            RequestError: 503, it did not come in time.
        """
        now = self._clock()
        since = now if since is None else since
        hurried = costly or self._is_blamed(client)
        most = self._hurried if hurried else self._seconds
        left = since + most - now
        if left <= 0:
            raise _overloaded()
        come = asyncio.get_running_loop().create_future()
        turn = Turn(client, pixels, come, since, costly, hurried, asyncio.timeout(left))
        self._waiting.setdefault(client, deque()).append(turn)
        self._served[client] = max(self._served.get(client, 0.0), self._level)
        self._next()
        try:
            async with turn.wait:
                await turn.come
        except BaseException as error:
            self._give_back(turn)
            if not isinstance(error, TimeoutError):
                raise
            raise _overloaded() from None
        return turn

    def blame(self, client: str) -> None:
        """A picture of this client ended a worker."""
        now = self._clock()
        self._blamed = {known: since for known, since in self._blamed.items() if now - since < _BLAMED}
        self._blamed[client] = now
        for turn in self._waiting.get(client, ()):
            turn.hurried = True
            if not turn.wait.expired():
                left = turn.since + self._hurried - now
                turn.wait.reschedule(asyncio.get_running_loop().time() + max(0.0, left))

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
            turn.waited = self._clock() - turn.since
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
        return turn.pixels > HEAVY or self._is_blamed(turn.client)

    def _is_blamed(self, client: str) -> bool:
        return self._clock() - self._blamed.get(client, -inf) < _BLAMED


def _overloaded() -> RequestError:
    return RequestError(503, "overloaded: no worker was free in time; try again")
