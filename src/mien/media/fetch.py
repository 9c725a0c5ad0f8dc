"""A picture fetched from its http(s) address, because a user named it: bounded in size and time.

This and `mien.media.files_and_streams`, for streams, are the only places where mien connects to anywhere.
"""

import base64
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from time import monotonic
from typing import Any, Final, TypeVar
from unicodedata import normalize
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from mien.errors import InputError, TooLargeError
from mien.media.decode_picture import MOST_BYTES
from mien.media.video_source import without_password
from mien.version import __version__

_CONNECTING: Final = 10.0
"""Seconds in which a server takes a connection, TLS included: one that is gone is not waited for as long as one that
has to make the picture first.
"""
MOST_SECONDS: Final = 60.0
_PIECE: Final = 1 << 16
_KEPT: Final = "%!$&'()*+,/:;=?@[\\]^`{|}~"
"""What stands in addresses as it is, besides letters and digits; browsers keep brackets and percent signs too."""
_Got = TypeVar("_Got")


def fetch_picture(address: str, *, most_bytes: int = MOST_BYTES, most_seconds: float = MOST_SECONDS) -> bytes:
    """The content of a picture file at an http or https address.

    Args:
        address: user and password in it are sent to its host, and to no other.
        most_bytes: a larger file is refused as soon as it is known to be.
        most_seconds: for everything, from the look-up of the name to the last byte.

    Raises:
        InputError: it cannot be fetched in that time.
        TooLargeError: it is larger.
    """
    name = without_password(address)

    def download(deadline: float) -> bytes:
        with _opened(address) as answer:
            return _content(answer, name, most_bytes, deadline)

    return _in_time(download, name, most_seconds)


def is_picture_there(address: str, *, most_seconds: float = MOST_SECONDS) -> bool:
    """Whether what lies at an http or https address says that it is a picture; False where nobody answers."""

    def ask(_deadline: float) -> bool:
        with _opened(address) as answer:
            return str(answer.headers.get_content_type()).startswith("image/")

    try:
        return _in_time(ask, address, most_seconds)
    except InputError:
        return False


def ascii_address(address: str) -> str:
    """An http(s) address as it is sent: without user, password and fragment, other letters and blanks percent-encoded
    (RFC 3987, 3.1), those of the host in Punycode (RFC 3492). What is encoded already stays.

    Raises:
        ValueError: no address.
    """
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    if not host.isascii():
        labels = normalize("NFKC", host).lower().replace("\u3002", ".").split(".")
        host = ".".join(_ascii_label(*label.partition(":")) for label in labels)
    path, query = (quote(part, _KEPT, errors="surrogateescape") for part in (parts.path, parts.query))
    return urlunsplit((parts.scheme, host, path, query, ""))


def _ascii_label(label: str, *port: str) -> str:
    written = label if label.isascii() else f"xn--{label.encode('punycode').decode()}"
    return "".join((written, *port))


def _opened(address: str) -> Any:
    parts = urlsplit(address)
    request = urllib.request.Request(ascii_address(address))  # noqa: S310 - http(s) only
    request.add_header("User-Agent", f"mien/{__version__}")
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        secret = base64.b64encode(user.encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {secret}")
    return _opener().open(request, timeout=MOST_SECONDS)


class _NoConnectionError(TimeoutError):
    """A server takes no connection."""


class _Connecting:
    """A connection of `http.client` that is made in less time than its timeout."""

    timeout: float | None

    def connect(self: Any) -> None:
        patience, self.timeout = self.timeout, _CONNECTING
        try:
            super().connect()  # type: ignore[misc]
        except TimeoutError:
            raise _NoConnectionError from None
        self.timeout = patience
        self.sock.settimeout(patience)


class _Http(_Connecting, HTTPConnection):
    """One of http."""


class _Https(_Connecting, HTTPSConnection):
    """One of https."""


class _HttpHandler(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_Http, req)


class _HttpsHandler(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_Https, req)


def _opener() -> urllib.request.OpenerDirector:
    """What opens http and https only: an answer that points to a file or elsewhere is not followed."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        *(urllib.request.ProxyHandler, _HttpHandler, _HttpsHandler),
        *(urllib.request.HTTPRedirectHandler, urllib.request.HTTPErrorProcessor),
        *(urllib.request.HTTPDefaultErrorHandler, urllib.request.UnknownHandler),
    ):
        opener.add_handler(handler())
    return opener


def _content(answer: Any, name: str, most_bytes: int, deadline: float) -> bytes:
    pieces, size = [], 0
    while piece := answer.read1(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > most_bytes:
            raise TooLargeError(f"{name}: more than {most_bytes:,} bytes; download and shrink it first")
        if monotonic() > deadline:
            raise TimeoutError
    return b"".join(pieces)


def _in_time(action: Callable[[float], _Got], name: str, seconds: float) -> _Got:
    """What an action gives within some seconds. A look-up of a name, and a server that sends a byte now and then, heed
    no timeout of a socket, so it runs on a thread that is left to itself when it is late.
    """
    result: list[_Got] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            result.append(action(monotonic() + seconds))
        except Exception as error:  # it is raised where it is waited for
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if result:
        return result[0]
    raise _failure(errors[0] if errors else TimeoutError(), name, seconds)


def _failure(error: Exception, name: str, seconds: float) -> Exception:
    if isinstance(error, InputError):
        return error
    if isinstance(error, urllib.error.HTTPError):
        return InputError(f"{name}: cannot be fetched (the server answers {error.code} {_line(str(error.reason))})")
    reason = getattr(error, "reason", error)
    if isinstance(reason, _NoConnectionError):
        return InputError(f"{name}: cannot be fetched (no connection within {_CONNECTING:g} s)")
    if isinstance(reason, TimeoutError):
        return InputError(f"{name}: cannot be fetched (not there within {seconds:g} s)")
    if isinstance(error, OSError | HTTPException | ValueError):
        said = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        return InputError(f"{name}: cannot be fetched ({_line(said)})")
    return error


def _line(text: str) -> str:
    return text.partition("\n")[0]
