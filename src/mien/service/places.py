"""Rate limits by concurrency: requests, videos and streams in flight, and bytes of bodies in memory."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from mien.errors import RequestError, TooLargeError
from mien.service.limits import Limits

_SHARE: Final = 2
"""One client may hold half of the bytes that are allowed in memory."""


class Places:
    """Rate limits by concurrency, in total and per client address.

    A place is taken when the body of a request is there: one that never comes holds none.

    Args:
        limits: the limits.
    """

    def __init__(self, limits: Limits) -> None:
        self._most = {
            "request": (limits.requests, limits.requests_per_client),
            "video": (limits.videos, limits.videos_per_client),
            "stream": (limits.streams, limits.streams_per_client),
        }
        self._taken: dict[str, Counter[str]] = {kind: Counter() for kind in self._most}
        self._bytes: Counter[str] = Counter()
        self._most_bytes = limits.buffered
        self._pixels: Counter[str] = Counter()
        self._most_pixels = limits.pixels_per_client

    def check(self, kind: str, client: str) -> None:
        """Refuse what would find no place, before its body is read.

        Args:
            kind: ``request``, ``video`` or ``stream``.
            client: the address.

        Raises:
            RequestError: 403, there are none of this kind; 429, the client's limit is reached; 503, the limit of all
                clients together is.
        """
        taken, (most, most_per_client) = self._taken[kind], self._most[kind]
        if not (most and most_per_client):
            raise RequestError(403, f"this service takes no {kind}s (--max-{kind}s or --max-{kind}s-per-client is 0)")
        if taken.total() >= most:
            raise RequestError(503, f"the service is overloaded ({most} requests of this kind at a time); try again")
        if taken[client] >= most_per_client:
            raise RequestError(429, f"rate limit: {most_per_client} at a time from one address; wait for one to end")

    @contextmanager
    def place(self, kind: str, client: str) -> Iterator[None]:
        """Hold a place.

        Raises:
            RequestError: see `check`.
        """
        self.check(kind, client)
        taken = self._taken[kind]
        taken[client] += 1
        try:
            yield
        finally:
            _drop(taken, client, 1)

    @contextmanager
    def work(self, client: str, pixels: int) -> Iterator[None]:
        """Work on pictures of a client that have so many pixels together.

        Raises:
            TooLargeError: more than one client may have at a time.
            RequestError: 429, more with those that are being worked on.
        """
        most = f"{self._most_pixels / 10**6:g} megapixels"
        if pixels > self._most_pixels:
            raise TooLargeError(f"pictures of more than {most} in one request; send fewer at a time")
        if self._pixels[client] + pixels > self._most_pixels:
            raise RequestError(429, f"rate limit: {most} at a time from one address; wait for a request to end")
        self._pixels[client] += pixels
        try:
            yield
        finally:
            _drop(self._pixels, client, pixels)

    def keep(self, client: str, size: int) -> None:
        """Count bytes of a body that are kept in memory.

        Raises:
            RequestError: 503, too many.
        """
        too_many = self._bytes.total() + size > self._most_bytes
        if too_many or self._bytes[client] + size > self._most_bytes // _SHARE:
            raise RequestError(503, "the service is overloaded (too many bytes are being received); try again")
        self._bytes[client] += size

    def drop(self, client: str, size: int) -> None:
        """Bytes that were kept are gone."""
        _drop(self._bytes, client, size)


def _drop(counter: Counter[str], client: str, count: int) -> None:
    counter[client] -= count
    if not counter[client]:
        del counter[client]
