"""Middleware: access control, rate limits, size limits, deadlines, access log and security headers."""

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien.errors import RequestError
from mien.service.access import check_host, check_origin, check_token
from mien.service.metrics import Metrics
from mien.service.settings import Settings

PREDICT: Final = "/v1/predict"
VIDEO: Final = "/v1/predict/video"
STREAM: Final = "/v1/stream"
MODELS: Final = "/v1/models"
METRICS: Final = "/metrics"

ACCESS: Final = logging.getLogger("mien.access")
"""Access log, one line per request: client address, method, path, status, duration."""

_COUNTED: Final = (PREDICT, VIDEO, MODELS, METRICS, "/healthz", "/readyz", "/openapi.json", "/")
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_SLOW_DOWN: Final = "1"

SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob: data:; "
        "media-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "permissions-policy": "camera=(self), microphone=(), geolocation=(), display-capture=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""Security headers of every response: a strict content security policy (same-origin resources only), no caching."""


class Guard:
    """ASGI middleware in front of every route.

    Args:
        app: the application behind it.
        settings: limits and access control.
        metrics: count requests.
    """

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self._app, self._settings, self._metrics = app, settings, metrics
        self._places = Places(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = _Answer(send)
        started = time.monotonic()
        try:
            self._check(scope)
            with self._places.request(scope), self._metrics.requests_in_flight.track_inprogress():
                await self._app(scope, self._bounded(scope, receive), answer.send)
        except RequestError as error:
            await answer.refuse(error)
        except Exception:
            answer.status = 500
            raise
        finally:
            self._note(scope, answer.status, time.monotonic() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        """Count and log a request: the path only, without its query string."""
        path = scope["path"] if scope["path"] in _COUNTED else "other"
        self._metrics.request(path, status, seconds)
        client = (scope.get("client") or ("unknown",))[0]
        ACCESS.info("%s %s %s %d %.0f ms", client, scope["method"], ascii(scope["path"][:200]), status, 1000 * seconds)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._check(scope)
            with self._places.stream(scope), self._metrics.streams.track_inprogress():
                await self._app(scope, receive, send)
        except RequestError as error:
            await _deny(error, scope, send)

    def _check(self, scope: Scope) -> None:
        headers, access = Headers(scope=scope), self._settings.access
        check_host(headers, access)
        if scope.get("method") not in _SAFE:
            check_origin(headers, access)
        if scope.get("method") != "OPTIONS" and (scope["path"].startswith("/v1/") or scope["path"] == METRICS):
            check_token(headers, access)

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        limits = self._settings.limits
        most = limits.video_body if scope["path"] == VIDEO else limits.body
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdecimal() and int(declared[:19]) > most:
            raise _too_large(most)
        return BoundedBody(receive, most, limits.body_seconds).receive


class Places:
    """Rate limits by concurrency: requests, videos and streams in flight, in total and per client address.

    Args:
        settings: the limits.
    """

    def __init__(self, settings: Settings) -> None:
        self._limits = settings.limits
        self._taken: dict[str, Counter[str]] = {"request": Counter(), "video": Counter(), "stream": Counter()}

    @contextmanager
    def request(self, scope: Scope) -> Iterator[None]:
        """Reserve a place for a request, if its path is rate limited.

        Raises:
            RequestError: 429, the client's limit is reached; 503, the limit of all clients together is.
        """
        limits = self._limits
        if scope["path"] == VIDEO:
            with self._place("video", scope, limits.videos, limits.videos):
                yield
        elif scope["path"] == PREDICT:
            with self._place("request", scope, limits.requests, limits.requests_per_client):
                yield
        else:
            yield

    @contextmanager
    def stream(self, scope: Scope) -> Iterator[None]:
        """Reserve a place for a live stream.

        Raises:
            RequestError: see `request`.
        """
        with self._place("stream", scope, self._limits.streams, self._limits.streams_per_client):
            yield

    @contextmanager
    def _place(self, kind: str, scope: Scope, most: int, most_per_client: int) -> Iterator[None]:
        client = (scope.get("client") or ("unknown",))[0]
        taken = self._taken[kind]
        if taken.total() >= most:
            raise RequestError(503, f"the service is overloaded ({most} requests of this kind at a time); try again")
        if taken[client] >= most_per_client:
            raise RequestError(429, f"rate limit: {most_per_client} at a time from one address; wait for one to end")
        taken[client] += 1
        try:
            yield
        finally:
            taken[client] -= 1
            if not taken[client]:
                del taken[client]


class BoundedBody:
    """Limits size and duration of a request body (protects against slow uploads).

    Args:
        receive: ASGI's receive channel.
        most: maximum size in bytes.
        seconds: deadline for the whole body.
    """

    def __init__(self, receive: Receive, most: int, seconds: float) -> None:
        self._receive, self._most, self._seconds = receive, most, seconds
        self._deadline = time.monotonic() + seconds
        self._count = 0
        self._complete = False

    async def receive(self) -> Message:
        """The next part.

        Raises:
            RequestError: 408, too slow; 413, too large.
        """
        if self._complete:  # only `http.disconnect` can follow, so no deadline applies
            return await self._receive()
        try:
            async with asyncio.timeout(max(0.0, self._deadline - time.monotonic())):
                message = await self._receive()
        except TimeoutError:
            raise RequestError(408, f"timeout: the request did not arrive within {self._seconds:g} s") from None
        self._count += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._count > self._most:
            raise _too_large(self._most)
        return message


class _Answer:
    """The response to a request, with the security headers added.

    Args:
        send: ASGI's send channel.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 499

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": _with_defaults(message.get("headers", ()))}
        await self._send(message)

    async def refuse(self, error: RequestError) -> None:
        """Respond with an error, unless a response has started."""
        if self.status == 499:
            await refusal(error)(self.send)


def refusal(error: RequestError) -> Callable[[Send], Awaitable[None]]:
    """An ASGI response that carries an error."""
    body = problem(str(error))
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [(name.encode(), value.encode()) for name, value in refusal_headers(error.status).items()]

    async def answer(send: Send) -> None:
        await send({"type": "http.response.start", "status": error.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return answer


def refusal_headers(status: int) -> dict[str, str]:
    """Headers that go with a status: ``WWW-Authenticate`` or ``Retry-After``."""
    if status == 401:
        return {"www-authenticate": "Bearer"}
    return {"retry-after": _SLOW_DOWN} if status in {429, 503} else {}


def problem(message: str) -> bytes:
    """The body of every error response, ASCII JSON."""
    return json.dumps({"error": message}).encode()


async def _deny(error: RequestError, scope: Scope, send: Send) -> None:
    """Reject a WebSocket during its handshake."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": str(error)[:120]})
        return

    async def as_denial(message: Message) -> None:
        await send({**message, "type": message["type"].replace("http.", "websocket.http.")})

    await refusal(error)(as_denial)


def _with_defaults(headers: Any) -> list[tuple[bytes, bytes]]:
    present = {name.lower() for name, _ in headers}
    defaults = ((name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items())
    return [*headers, *(pair for pair in defaults if pair[0] not in present)]


def _too_large(most: int) -> RequestError:
    return RequestError(413, f"the request is larger than {most / 2**20:g} MB")
