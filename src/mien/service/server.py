"""The HTTP server: uvicorn, with timeouts against slow clients (Slowloris) and a hard cap on connections."""

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, Final

import uvicorn
from fastapi import FastAPI

from mien.errors import UsageError
from mien.service.connection import Impatient
from mien.service.heap import return_large_blocks, settle
from mien.service.limits import Limits
from mien.service.websocket import PacedWebSocket

_KEEP_ALIVE: Final = 15
_CLIENTS_FAULTS: Final = (
    *("Invalid HTTP request received", "Invalid UTF-8 sequence", "opening handshake failed", "connection rejected"),
    *("Unsupported upgrade request", "No supported WebSocket library", "invalid handshake"),
    "ASGI callable returned without completing handshake",
)
_ACCEPTED_AT_ONCE: Final = 8
"""Connections that asyncio accepts before it looks at others; it takes as many as the backlog that it is told."""
_WAITING: Final = 2048
"""Connections that the system keeps until they are accepted."""
_LAST_WAIT: Final = 1.0
"""Seconds that threads have to end when everything else has."""


def server_config(
    app: FastAPI, host: str, port: int, limits: Limits, trusted_proxies: Sequence[str] = ()
) -> uvicorn.Config:
    """The configuration of uvicorn.

    Args:
        app: see `mien.service.app.create_app`.
        host: address to listen on.
        port: to listen on; 0 takes a free one.
        limits: connection limit and timeouts.
        trusted_proxies: addresses and networks (CIDR) whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed.
    """
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # a malformed form is answered, and counted
    return uvicorn.Config(
        app,
        host,
        port,
        http=type("Protocol", (Impatient,), _patience(app, limits)),
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=limits.shutdown_seconds,
        ws=PacedWebSocket,
        ws_max_size=limits.frame_body + 1,
        ws_per_message_deflate=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        server_header=False,
        access_log=False,
        backlog=_ACCEPTED_AT_ONCE,
        log_level="warning",
    )


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a line of uvicorn's log says more than that a client sent something malformed or was refused, which is
    counted, or that a request was cut off at the end of the grace period.
    """
    cut_off = record.exc_info is not None and isinstance(record.exc_info[1], asyncio.CancelledError)
    return not cut_off and not str(record.msg).startswith(_CLIENTS_FAULTS)


def _patience(app: FastAPI, limits: Limits) -> dict[str, Any]:
    """Attributes of `Impatient`."""
    metrics = app.state.metrics if app is not None else None
    return {
        "seconds": limits.headers_seconds,
        "reading_seconds": limits.idle_seconds,
        "most": limits.connections,
        "most_per_client": limits.connections_per_client,
        "count": staticmethod(lambda status: metrics.request("other", status, 0.0)) if metrics else None,
    }


def run_server(config: uvicorn.Config, announce: Callable[[str], None], drain_seconds: float = 0.0) -> None:
    """Serve until the process is told to stop, then shut down gracefully: requests in flight are answered first.

    Args:
        config: see `server_config`.
        announce: called with the address of the page once the service accepts connections.
        drain_seconds: time for which it answers but is not ready, before it stops; a second signal ends it.

    Raises:
        UsageError: the address cannot be listened on.
    """
    return_large_blocks()
    listener = listen(config.host, config.port)
    server = _Announcing(config, lambda: announce(address_of(listener)), drain_seconds)
    try:
        server.run([listener])
    finally:
        _leave_threads_behind()


def _leave_threads_behind() -> None:
    """End the process where a decoder is still busy, which no thread can be told to leave."""
    busy = [thread for thread in threading.enumerate() if thread.name.startswith("mien-")]
    deadline = time.monotonic() + _LAST_WAIT
    for thread in busy:
        thread.join(max(0.0, deadline - time.monotonic()))
    if any(thread.is_alive() for thread in busy):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(128 + signal.SIGTERM)


class _Announcing(uvicorn.Server):
    """Announces when it accepts connections; when it is told to stop, it is not ready for a while first."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None], drain_seconds: float) -> None:
        super().__init__(config)
        self._announce, self._drain_seconds = announce, drain_seconds
        self._stops_at: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(_WAITING)
        if self.started:
            settle()
            self._announce()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._stops_at is not None or not self._drain_seconds or not self.started:
            super().handle_exit(sig, frame)
            return
        self._captured_signals.append(sig)
        self._stops_at = time.monotonic() + self._drain_seconds
        self.config.app.state.status = "draining"  # type: ignore[union-attr]

    async def on_tick(self, counter: int) -> bool:
        self.should_exit = self.should_exit or (self._stops_at is not None and time.monotonic() >= self._stops_at)
        return await super().on_tick(counter)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket whose connections send without delay (TCP_NODELAY: Nagle's algorithm off); ``::`` is IPv4 too.

    Raises:
        UsageError: the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        both = host == "::" and socket.has_dualstack_ipv6()
        listener = socket.create_server((host, port), family=family, dualstack_ipv6=both)
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"cannot listen on {host}, port {port} ({reason}); choose another --port") from None
    # Connections inherit it. With Nagle's algorithm the body of a response waits 40 ms until its head is acknowledged.
    # asyncio disables it only on sockets that were created with an explicit protocol number.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def address_of(listener: socket.socket) -> str:
    """The URL of the page; a wildcard address becomes localhost."""
    host, port = listener.getsockname()[:2]
    name = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{name}:{port}/"
