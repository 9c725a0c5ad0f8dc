"""The HTTP server: uvicorn, with timeouts against slow clients (Slowloris) and a hard cap on connections."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Final

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from mien.errors import UsageError
from mien.service.limits import Limits

_KEEP_ALIVE: Final = 15
_CROWD: Final = 2
"""Hard cap, as a multiple of ``limits.connections``: up to it extra clients get a 503, beyond it they are
disconnected, so that the process does not run out of file descriptors."""


def server_config(app: FastAPI, host: str, port: int, limits: Limits) -> uvicorn.Config:
    """The configuration of uvicorn.

    Args:
        app: see `mien.service.app.create_app`.
        host: address to listen on.
        port: to listen on; 0 takes a free one.
        limits: connection limit and timeouts.
    """
    return uvicorn.Config(
        app,
        host,
        port,
        http=type("Protocol", (Impatient,), _patience(limits)),
        limit_concurrency=limits.connections,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=limits.shutdown_seconds,
        ws="websockets-sansio",
        ws_max_size=limits.frame_body + 1,
        ws_per_message_deflate=False,
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_level="warning",
    )


def _patience(limits: Limits) -> dict[str, float]:
    """Attributes of `Impatient`."""
    return {
        "seconds": limits.headers_seconds,
        "reading_seconds": limits.idle_seconds,
        "crowd": _CROWD * limits.connections,
    }


class Impatient(H11Protocol):
    """uvicorn's HTTP/1.1 with timeouts for slow clients (Slowloris), which uvicorn itself lacks.

    A connection is closed when the head of a request, or the unread rest of one that was answered, does not arrive in
    time. It is aborted when the client does not read its response. This relies on undocumented attributes of uvicorn
    (`cycle`, `timeout_keep_alive_task`, `flow`, `conn`), so pyproject.toml bounds uvicorn's version from above; a
    newer one is admitted when tests/service/test_server.py passes with it.
    """

    seconds = 10.0
    reading_seconds = 30.0
    crowd = 512
    _unread = 0
    _next_look: asyncio.TimerHandle | None = None
    _deadline: asyncio.TimerHandle | None = None
    _upgraded = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > self.crowd:
            transport.abort()
            return
        self._next_look = self.loop.call_later(self.reading_seconds, self._look)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._rest()
        if self._next_look is not None:
            self._next_look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._upgraded = True
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def _watch(self) -> None:
        """Start or stop the timeout for the client's next bytes."""
        answering = self.cycle is not None and not self.cycle.response_complete
        kept_alive = self.timeout_keep_alive_task is not None and self.conn.their_state is h11.IDLE
        if answering or kept_alive or self._upgraded:
            self._rest()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.seconds, self._give_up)

    def _rest(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def resume_writing(self) -> None:
        self._unread = 0
        super().resume_writing()

    def _look(self) -> None:
        """Periodically abort the connection if its write buffer has not drained since the last look (a stalled client).

        Otherwise a pending response, or a closing connection with unsent data, would wait for ever. A connection that
        was upgraded to a WebSocket keeps this transport and closes itself.
        """
        closing = self.transport.is_closing()
        left = self.transport.get_write_buffer_size() if closing or self.flow.write_paused else 0
        if self._unread and left >= self._unread:
            self.transport.abort()
        elif left or not closing:
            self._unread = left
            self._next_look = self.loop.call_later(self.reading_seconds, self._look)

    def _give_up(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.close()


def run_server(config: uvicorn.Config, announce: Callable[[str], None]) -> None:
    """Serve until the process is told to stop, then shut down gracefully: requests in flight are answered first.

    Args:
        config: see `server_config`.
        announce: called with the address of the page once the service accepts connections.

    Raises:
        UsageError: the address cannot be listened on.
    """
    listener = listen(config.host, config.port)
    server = _Announcing(config, lambda: announce(address_of(listener)))
    server.run([listener])


class _Announcing(uvicorn.Server):
    """Announces when it accepts connections."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket whose connections send without delay (TCP_NODELAY: Nagle's algorithm off).

    Raises:
        UsageError: the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
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
