"""Middleware: access control, rate limits, size limits, deadlines, access log and security headers."""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien.errors import RequestError
from mien.service.access import check_host, check_origin, check_token
from mien.service.bounded_body import BoundedBody
from mien.service.clients import UNKNOWN, network_of
from mien.service.heap import Leavings
from mien.service.metrics import Metrics
from mien.service.places import Places
from mien.service.preflight import is_preflight, permission
from mien.service.refusals import SECURITY_HEADERS, cors_headers, not_answered, refusal, with_headers
from mien.service.settings import Settings

PREDICT: Final = "/v1/predict"
VIDEO: Final = "/v1/predict/video"
STREAM: Final = "/v1/stream"
MODELS: Final = "/v1/models"
METRICS: Final = "/metrics"
OPENAPI: Final = "/openapi.json"

HEALTH: Final = frozenset({"/healthz", "/readyz"})
KEEP: Final = "mien.keep"
"""Key of a scope: called with the size of a large response, which counts like a body until it is sent."""
CROWDED: Final = "mien.crowded"
"""Key of a scope: there are too many connections; this one is closed when it was answered."""

ACCESS: Final = logging.getLogger("mien.access")
ACCESS.setLevel(logging.WARNING)  # clients are private: it is silent until somebody asks for it
"""Access log, one line per request: client address, method, path, status, duration."""

_COUNTED: Final = (PREDICT, VIDEO, MODELS, METRICS, "/healthz", "/readyz", OPENAPI, "/")
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
READ_ONLY: Final = "GET, HEAD"
"""Methods of an address that is only read."""
_METHODS: Final = {PREDICT: "POST", VIDEO: "POST", **dict.fromkeys((MODELS, METRICS, OPENAPI, *HEALTH), READ_ONLY)}
"""Methods of every address but those of the page."""
_KINDS: Final = {PREDICT: "request", VIDEO: "video"}


class Guard:
    """ASGI middleware in front of every route.

    Args:
        app: the application behind it.
        settings: limits and access control.
        metrics: count requests.
        places: rate limits.
    """

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics, places: Places) -> None:
        self._app, self._settings, self._metrics, self._places = app, settings, metrics, places
        self._leavings = Leavings()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = self._bounded(scope, receive)
        answer = _Answer(send, body, self._headers(scope), last=CROWDED in scope)
        started = time.monotonic()
        try:
            self._check(scope)
            body.check_declared()
            if is_preflight(scope):
                permitted = Response(headers=permission(Headers(scope=scope), self._settings.access))
                await permitted(scope, receive, answer.send)
                return
            if scope["path"] in _KINDS:
                self._places.check(_KINDS[scope["path"]], client_of(scope))
            with self._metrics.requests_in_flight.track_inprogress():
                await self._app({**_as_get(scope), KEEP: body.keep}, body.receive, answer.send)
        except RequestError as error:
            await answer.refuse(error)
        except Exception:
            answer.status = 500
            raise
        finally:
            self._places.drop(client_of(scope), body.count)
            self._leavings.add(body.count, asyncio.get_running_loop().call_later)
            self._note(scope, answer.status, time.monotonic() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        """Count and log a request: the path only, without its query string."""
        path = scope["path"] if scope["path"] in _COUNTED else "other"
        self._metrics.request(path, status, seconds)
        ACCESS.info(
            "%s %s %s %d %.0f ms", _address(scope), scope["method"], ascii(scope["path"][:200]), status, 1000 * seconds
        )

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._check(scope)
            if scope["path"] != STREAM:
                raise RequestError(404, f"no stream is here; connect to {STREAM}")
            with self._places.place("stream", client_of(scope)), self._metrics.streams.track_inprogress():
                await self._app(scope, receive, send)
        except RequestError as error:
            self._metrics.request(STREAM if scope["path"] == STREAM else "other", error.status, 0.0)
            await _deny(error, scope, send, cors_headers(Headers(scope=scope), self._settings.access))

    def _headers(self, scope: Scope) -> dict[str, str]:
        headers = cors_headers(Headers(scope=scope), self._settings.access)
        if scope["path"] == STREAM:
            return {**headers, "upgrade": "websocket", "connection": "upgrade"}
        return headers if _is_allowed(scope) else {**headers, "allow": _METHODS[scope["path"]]}

    def _check(self, scope: Scope) -> None:
        headers, access = Headers(scope=scope), self._settings.access
        if scope.get(CROWDED) and scope["path"] not in HEALTH:
            limits = self._settings.limits
            many = f"more than {limits.connections} connections, or {limits.connections_per_client} of one address"
            raise RequestError(503, f"the service is overloaded ({many}); try again")
        if scope["path"] not in HEALTH:  # load balancers ask by the address
            check_host(headers, access)
        if scope.get("method") not in _SAFE:
            check_origin(headers, access)
        if scope.get("method") != "OPTIONS" and (scope["path"].startswith("/v1/") or scope["path"] == METRICS):
            check_token(headers, access)
        if not _is_allowed(scope):
            raise RequestError(405, not_answered(scope["method"], _METHODS[scope["path"]]))
        if scope["type"] == "http" and scope["path"] == STREAM and not is_preflight(scope):
            raise RequestError(426, f"{STREAM} is a live stream: connect to it as a WebSocket (ws:// or wss://)")

    def _bounded(self, scope: Scope, receive: Receive) -> "BoundedBody":
        limits = self._settings.limits
        most = limits.video_body if scope["path"] == VIDEO else limits.body
        client = client_of(scope)
        headers = Headers(scope=scope)
        return BoundedBody(receive, most, limits.body_seconds, headers, lambda size: self._places.keep(client, size))


class _Answer:
    """The response to a request, with the headers added that every response has.

    Args:
        send: ASGI's send channel.
        body: of the request; a response before its end closes the connection, so that the rest is not parsed.
        headers: further ones.
        last: whether the connection is closed after it.
    """

    def __init__(self, send: Send, body: BoundedBody, headers: Mapping[str, str], *, last: bool) -> None:
        self._send, self._body, self._headers, self._last = send, body, headers, last
        self.status = 499

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            ends = self._last or self._body.unread or self._body.ambiguous
            added = {**self._headers, "connection": "close"} if ends else self._headers
            message = {**message, "headers": with_headers(message.get("headers", ()), {**SECURITY_HEADERS, **added})}
        await self._send(message)

    async def refuse(self, error: RequestError) -> None:
        """Respond with an error, unless a response has started."""
        if self.status == 499:
            await refusal(error)(self.send)


async def _deny(error: RequestError, scope: Scope, send: Send, headers: Mapping[str, str]) -> None:
    """Reject a WebSocket during its handshake."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": str(error)[:120]})
        return

    async def as_denial(message: Message) -> None:
        message = {**message, "type": message["type"].replace("http.", "websocket.http.")}
        if "headers" in message:
            message["headers"] = with_headers(message["headers"], {**SECURITY_HEADERS, **headers})
        await send(message)

    await refusal(error)(as_denial)


def client_of(scope: Scope) -> str:
    """Whoever sent a request, as rate limits count."""
    return network_of(_address(scope))


def _address(scope: Scope) -> str:
    return str((scope.get("client") or (UNKNOWN,))[0])


def _is_allowed(scope: Scope) -> bool:
    """Whether a request has a method of its address; preflight requests (CORS) are answered everywhere."""
    if scope["type"] != "http" or is_preflight(scope):
        return True
    allowed = _METHODS.get(str(scope["path"]))
    return allowed is None or scope["method"] in allowed.split(", ")


def _as_get(scope: Scope) -> Scope:
    """HEAD is answered as GET; uvicorn leaves the body out."""
    return {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
