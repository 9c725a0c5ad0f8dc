"""Access control: host (DNS rebinding), origin (CSRF) and bearer token, each checked on a request's headers alone."""

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from mien.errors import RequestError

SUBPROTOCOL: Final = "mien"
"""Subprotocol of the live stream; a token travels beside it as ``bearer.`` and its base64url without padding, because
browsers let no page set headers of a WebSocket.
"""

_BEARER_PROTOCOL: Final = "bearer."


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Access control.

    Args:
        token: bearer token that requests must carry; None disables authentication.
        hosts: accepted ``Host`` headers (DNS rebinding protection), without port, lower case; None accepts any.
        origins: allowed origins of cross-origin requests, such as ``https://example.org``.
    """

    token: str | None = field(default=None, repr=False)
    hosts: frozenset[str] | None = None
    origins: frozenset[str] = frozenset()


def check_host(headers: Mapping[str, str], access: Access) -> None:
    """Reject a Host header that is not ours (protects against DNS rebinding).

    Raises:
        RequestError: 421.
    """
    host = _host_name(headers.get("host", ""))
    if access.hosts is not None and host not in access.hosts:
        raise RequestError(421, f"the host name {host!r} is not accepted; allow it with --allow-host")


def check_origin(headers: Mapping[str, str], access: Access) -> None:
    """Reject cross-origin browser requests (protects against CSRF). Non-browser clients send no Origin and pass.

    Raises:
        RequestError: 403.
    """
    origin = headers.get("origin")
    if origin is None or origin in access.origins:
        return
    if origin.partition("://")[2].lower() != headers.get("host", "").lower() or origin == "null":
        raise RequestError(403, f"cross-origin request from {origin[:200]!r}; allow it with --allow-origin")


def check_token(headers: Mapping[str, str], access: Access) -> None:
    """Reject a request without the bearer token, if one is configured; compared in constant time.

    Raises:
        RequestError: 401.
    """
    if access.token is None:
        return
    given = _bearer(headers.get("authorization", "")) or _bearer_of_protocols(headers.get("sec-websocket-protocol", ""))
    if not hmac.compare_digest(given.encode(), access.token.encode()):
        raise RequestError(401, "a token is needed: send the header 'Authorization: Bearer TOKEN'")


def _host_name(host: str) -> str:
    """The name in a ``Host`` header, without port, lower case."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _bearer_of_protocols(protocols: str) -> str:
    for protocol in (name.strip() for name in protocols.split(",")):
        if protocol.startswith(_BEARER_PROTOCOL):
            encoded = protocol.removeprefix(_BEARER_PROTOCOL)
            try:
                return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
            except ValueError:
                return ""
    return ""
