"""How fast the bytes of one connection are parsed: a token bucket over the events in them, with back-pressure.

Parsing costs by the event (a chunk of a body, a frame of a WebSocket), not by the byte. A connection that sends many
tiny events is read more slowly, so that the event loop has time for the others; nobody is refused for it.
"""

from collections.abc import Callable
from typing import Final

EVENTS_PER_SECOND: Final = 100.0
BURST: Final = 100.0
_BYTES_PER_EVENT: Final = 256
"""So many bytes pay for one more event: bodies in chunks of any usual size are never slowed down."""
_SMALLEST: Final = 256
_LARGEST: Final = 8192
"""Bytes that are parsed at a time; as many as 1,365 chunks of one byte fit into the most."""


class Budget:
    """A token bucket.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tokens, self._then = BURST, clock()

    def spend(self, events: int, size: int) -> float:
        """Pay for events in so many bytes; the seconds to wait before more are parsed."""
        now = self._clock()
        earned = EVENTS_PER_SECOND * (now - self._then) + size / _BYTES_PER_EVENT
        self._tokens, self._then = min(BURST, self._tokens + earned) - events, now
        return max(0.0, -self._tokens / EVENTS_PER_SECOND)


class Pace:
    """Feeds the bytes of a connection to its parser a piece at a time, and says when reading must wait.

    Args:
        clock: monotonic seconds.
        later: runs a function after so many seconds, such as `asyncio.AbstractEventLoop.call_later`.
        parse: parses a piece; gives the number of events in it.
        wait: called with True when reading must wait, with False when it may go on.
        ready: whether the parser takes bytes now; when it does again, call `go_on`.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        later: Callable[[float, Callable[[], None]], object],
        parse: Callable[[bytes], int],
        wait: Callable[[bool], None],
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        self._budget, self._later, self._parse, self._wait, self._ready = Budget(clock), later, parse, wait, ready
        self._left = bytearray()
        self._piece = _SMALLEST
        self._waiting = self._parsing = False

    def feed(self, data: bytes) -> None:
        """Parse bytes that came, now or when it is their turn."""
        self._left += data
        self.go_on()

    def go_on(self) -> None:
        """Parse what is left, as far as its turn has come, and read on when nothing is left: what is read before that
        would pile up.
        """
        if self._parsing:
            return
        self._parsing = True
        while self._left and not self._waiting and self._ready():
            piece = bytes(self._left[: self._piece])
            del self._left[: self._piece]
            events = self._parse(piece)
            self._piece = min(2 * self._piece, _LARGEST) if events <= 1 else _SMALLEST
            if (seconds := self._budget.spend(events, len(piece))) > 0:
                self._waiting = True
                self._later(seconds, self._resume)
        self._parsing = False
        self._wait(self._waiting or bool(self._left))

    def _resume(self) -> None:
        self._waiting = False
        self.go_on()
