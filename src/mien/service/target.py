"""The targets of requests: absolute ones, which proxies send, become what everything behind the parser reads."""

import re
from typing import Final

import h11

_ABSOLUTE: Final = re.compile(rb"https?://", re.IGNORECASE)
_PARTS: Final = re.compile(rb"[^:]+://([^/?#@]+)((?:[/?].*)?)")
"""Host with port, and the rest. A user name before the host, which might mislead, is an error (RFC 9110, 4.2.4)."""


def in_origin_form(request: h11.Request) -> h11.Request:
    """A request with a path as its target; the host of an absolute one replaces that of the header (RFC 9112, 3.2.2).

    Raises:
        RemoteProtocolError: an absolute target without a host, or with a user name.
    """
    if not _ABSOLUTE.match(request.target):
        return request
    parts = _PARTS.fullmatch(request.target)
    if parts is None:
        raise h11.RemoteProtocolError("an absolute target without a plain host: expected http://HOST/PATH")
    host, rest = parts.groups()
    others = [(name, value) for name, value in request.headers if name != b"host"]
    return h11.Request(
        method=request.method,
        target=rest if rest.startswith(b"/") else b"/" + rest,
        headers=[(b"host", host), *others],
        http_version=request.http_version,
    )
