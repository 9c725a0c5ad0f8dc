"""What every response of the service has, refusals above all: headers, and one line of JSON."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Send

from mien.errors import RequestError
from mien.service.access import Access
from mien.service.openapi import RESULTS_HEADER

_SLOW_DOWN: Final = "1"
EXPOSED: Final = (RESULTS_HEADER, "Retry-After")
"""Response headers that scripts of allowed origins may read."""

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


def not_answered(method: str, allowed: str) -> str:
    """Why a request has status 405.

    Args:
        method: its own.
        allowed: those of its address.
    """
    return f"{method[:20]} is not answered here; send {allowed}"


def problem(message: str) -> bytes:
    """The body of every error response, ASCII JSON."""
    return json.dumps({"error": message}).encode()


def cors_headers(headers: Headers, access: Access) -> dict[str, str]:
    """Headers by which the scripts of an allowed origin may read a response (CORS); none for others."""
    origin = headers.get("origin")
    if origin is None or origin not in access.origins:
        return {}
    return {
        "access-control-allow-origin": origin,
        "access-control-expose-headers": ", ".join(EXPOSED),
        "vary": "Origin",
    }


def with_headers(present: Iterable[tuple[bytes, bytes]], added: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Headers of a response, with those added that it does not have."""
    known = {name.lower() for name, _ in present}
    return [*present, *((name.encode(), value.encode()) for name, value in added.items() if name.encode() not in known)]
