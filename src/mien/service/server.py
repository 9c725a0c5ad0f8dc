"""The service on a socket: uvicorn, with patience for slow clients bounded."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Final

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from mien.errors import UsageError
from mien.service.settings import Limits

_KEEP_ALIVE: Final = 15
_CROWD: Final = 2
"""Times the connections that are answered: those between get a 503, more are cut, or files of the process run out."""


def server_config(app: FastAPI, host: str, port: int, limits: Limits) -> uvicorn.Config:
    """How uvicorn runs the service.

    Args:
        app: see `mien.service.app.create_app`.
        host: address to listen on.
        port: to listen on; 0 takes a free one.
        limits: of connections and time.
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
    """HTTP/1.1 as uvicorn speaks it; but a connection is closed when the head of a request, or what is left of one that
    was answered already, does not come in time, and cut when its client does not read.
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
        """Begin to wait, or stop waiting, for the client."""
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
        """Now and then: cut the connection when nothing was read since the last look, and something was to be.

        Else what waits to be sent, or a connection that is closed and waits until all is read, would wait for ever.
        The WebSocket that a connection becomes closes itself; its transport stays this one.
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
    """Serve until the process is told to stop; requests in flight are then answered first.

    Args:
        config: see `server_config`.
        announce: is told the address of the page once the service answers.

    Raises:
        UsageError: the address cannot be listened on.
    """
    listener = listen(config.host, config.port)
    server = _Announcing(config, lambda: announce(address_of(listener)))
    server.run([listener])


class _Announcing(uvicorn.Server):
    """Says when it answers."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections, each of which sends at once what it is given.

    Raises:
        UsageError: the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"cannot listen on {host}, port {port} ({reason}); choose another --port") from None
    # Connections inherit it. Without, the body of an answer waits 40 ms until its head is confirmed: asyncio sets
    # it only on sockets that were made with the number of the protocol.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def address_of(listener: socket.socket) -> str:
    """The address of the page, with a name instead of an address that means all of them."""
    host, port = listener.getsockname()[:2]
    name = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{name}:{port}/"
