"""A transport whose client reads the response although not all that it sent was read."""

from collections.abc import Callable
from typing import Any


class Lingering:
    """A transport that, while bytes are on their way that nobody reads, closes one side first: were it closed at once,
    the client's system would throw the response away (RFC 9112, 9.6).

    Args:
        transport: asyncio's.
        unread: whether there may be such bytes.
        linger: called with what closes the other side.
        resume: called when reading may go on.
    """

    def __init__(
        self,
        transport: Any,
        unread: Callable[[], bool],
        linger: Callable[[Callable[[], None]], None],
        resume: Callable[[], None],
    ) -> None:
        self._transport, self._unread, self._linger, self._resume = transport, unread, linger, resume
        self._ending = False

    def close(self) -> None:
        if self._ending:
            return
        if self._transport.is_closing() or not self._unread():
            self._transport.close()
            return
        self._ending = True
        self._transport.write_eof()
        self._transport.resume_reading()
        self._linger(self._transport.close)

    def resume_reading(self) -> None:
        self._resume()

    def is_closing(self) -> bool:
        return self._ending or bool(self._transport.is_closing())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
