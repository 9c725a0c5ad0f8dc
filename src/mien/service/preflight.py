"""Preflight requests (CORS): a browser asks whether a page from elsewhere may send what it is about to send."""

from collections.abc import Mapping
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Scope

from mien.errors import RequestError
from mien.service.access import Access, check_origin

_ASKED_METHOD: Final = "access-control-request-method"
_METHODS: Final = ("GET", "HEAD", "POST")
_HEADERS: Final = ("accept", "accept-language", "authorization", "content-language", "content-type")
_MAX_AGE: Final = "600"
"""Seconds for which a browser need not ask again."""


def is_preflight(scope: Scope) -> bool:
    """Whether a request is one of these (https://fetch.spec.whatwg.org/#cors-preflight-request)."""
    headers = Headers(scope=scope)
    return scope.get("method") == "OPTIONS" and "origin" in headers and _ASKED_METHOD in headers


def permission(headers: Mapping[str, str], access: Access) -> dict[str, str]:
    """Headers that say what pages from elsewhere may send, whatever the address.

    Args:
        headers: of the preflight request.
        access: the allowed origins.

    Raises:
        RequestError: 403, another origin; 400, a method or a header that no request of the service has.
    """
    check_origin(headers, access)
    method = headers[_ASKED_METHOD]
    if method not in _METHODS:
        raise RequestError(400, f"pages from elsewhere may send {', '.join(_METHODS)}; not {method[:20]!r}")
    for name in map(str.strip, headers.get("access-control-request-headers", "").lower().split(",")):
        if name and name not in _HEADERS:
            said = f"pages from elsewhere may send the headers {', '.join(_HEADERS)}; not {name[:50]!r}"
            raise RequestError(400, said)
    return {
        "access-control-allow-methods": ", ".join(_METHODS),
        "access-control-allow-headers": ", ".join(_HEADERS),
        "access-control-max-age": _MAX_AGE,
    }
