"""Whether the client of a connection that is not read is still there: asyncio learns only by reading that it left.

Reading pauses where bytes wait for their turn (`mien.service.pace`) or for the answer to the request before them.
"""

import select
import socket
from collections.abc import Callable
from typing import Any, Final

_PAUSE: Final = 0.5
"""Seconds between two looks."""

_LEFT: Final = getattr(select, "POLLRDHUP", getattr(select, "POLLHUP", 0))
"""What `poll` reports of a client that has closed its side: POLLRDHUP on Linux, POLLHUP elsewhere."""


class Attentive:
    """A transport that is closed when its client leaves while it is paused, as asyncio closes one that is read.

    A client's end is seen once all that it sent has reached this machine; before that, it is not known that there is
    one. Without `poll` (Windows) nothing is seen.

    Args:
        transport: asyncio's.
        later: runs a function after so many seconds, such as `asyncio.AbstractEventLoop.call_later`.
    """

    def __init__(self, transport: Any, later: Callable[[float, Callable[[], None]], object]) -> None:
        self._transport, self._later = transport, later
        self._paused = self._looking = False

    def pause_reading(self) -> None:
        self._transport.pause_reading()
        self._paused = True
        if not self._looking:
            self._looking = True
            self._later(_PAUSE, self._look)

    def resume_reading(self) -> None:
        self._paused = False
        self._transport.resume_reading()

    def _look(self) -> None:
        self._looking = self._paused and not self._transport.is_closing()
        if not self._looking:
            return
        if _has_left(self._transport.get_extra_info("socket")):
            self._transport.close()
        else:
            self._later(_PAUSE, self._look)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def _has_left(connection: socket.socket | None) -> bool:
    """Whether the other side of a socket has closed it; False where that cannot be known."""
    if connection is None or not hasattr(select, "poll"):
        return False
    poll = select.poll()
    poll.register(connection.fileno(), _LEFT)
    return bool(poll.poll(0))
