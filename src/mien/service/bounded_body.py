"""The body of a request, bounded in size and time."""

import asyncio
import time
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import Message, Receive

from mien.errors import RequestError


class BoundedBody:
    """Limits size and duration of a request body (protects against slow uploads).

    Args:
        receive: ASGI's receive channel.
        most: maximum size in bytes.
        seconds: deadline for the whole body.
        headers: of the request.
        keep: called with the size of every part; raises where it cannot be kept.
    """

    def __init__(
        self, receive: Receive, most: int, seconds: float, headers: Headers, keep: Callable[[int], None]
    ) -> None:
        self._receive, self._most, self._seconds, self._keep = receive, most, seconds, keep
        self._deadline = time.monotonic() + seconds
        self.count = 0
        declared = headers.get("content-length", "0")
        self._declared = int(declared[:19]) if declared.isdecimal() else 0
        self._complete = False
        self.ambiguous = "content-length" in headers and "transfer-encoding" in headers
        """Whether its length is said twice, which ends the connection (RFC 9112, 6.1)."""
        self.unread = bool(self._declared) or "transfer-encoding" in headers
        """Whether a rest of it is on its way."""

    def check_declared(self) -> None:
        """Refuse a body that is too large by its header.

        Raises:
            RequestError: 413.
        """
        if self._declared > self._most:
            raise _too_large(self._most)

    async def receive(self) -> Message:
        """The next part.

        Raises:
            RequestError: 408, too slow; 413, too large; 503, no memory for it.
        """
        if self._complete:  # only `http.disconnect` can follow, so no deadline applies
            return await self._receive()
        try:
            async with asyncio.timeout(max(0.0, self._deadline - time.monotonic())):
                message = await self._receive()
        except TimeoutError:
            raise RequestError(408, f"timeout: the request did not arrive within {self._seconds:g} s") from None
        size = len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        self.unread = self.unread and not self._complete
        if self.count + size > self._most:
            raise _too_large(self._most)
        self.keep(size)
        return message

    def keep(self, size: int) -> None:
        """Count so many bytes more as kept in memory.

        Raises:
            RequestError: 503, no memory for it.
        """
        self._keep(size)
        self.count += size


def _too_large(most: int) -> RequestError:
    return RequestError(413, f"the request is larger than {most / 2**20:g} MB")
