"""One HTTP/1.1 connection: uvicorn's, with time-outs, a pace, and a place that silent connections give up first."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

import h11
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from mien.service.attention import Attentive
from mien.service.clients import UNKNOWN, network_of
from mien.service.counted import Counted
from mien.service.fault import Fault
from mien.service.guard import CROWDED
from mien.service.lingering import Lingering
from mien.service.pace import Pace
from mien.service.refusals import SECURITY_HEADERS, problem

_CROWD: Final = 2
"""Hard cap, as a multiple of ``limits.connections``: up to it further requests get a 503, beyond it connections are
cut, so that the process does not run out of file descriptors."""


_GRACE: Final = 0.1
"""Seconds in which a connection is not yet called silent: its first bytes may be waiting to be read."""

_LONGEST_REASON: Final = 200
"""Characters: parsers repeat what they do not understand."""


class Impatient(H11Protocol):
    """uvicorn's HTTP/1.1 with timeouts for slow clients (Slowloris), which uvicorn itself lacks.

    A connection is closed when the head of a request, or the unread rest of one that was answered, does not arrive in
    time. It is aborted when the client does not read its response. Bytes are parsed at a bounded pace
    (`mien.service.pace`); the rest of a body whose request was answered is dropped unparsed. Where there are too many
    connections, silent ones are closed first. This relies on undocumented attributes of uvicorn (`cycle`,
    `timeout_keep_alive_task`, `flow`, `conn`), so pyproject.toml bounds uvicorn's version from above; a newer one is
    admitted when tests/service/test_server.py passes with it.
    """

    seconds = 10.0
    reading_seconds = 30.0
    most = 256
    most_per_client = 128
    count: Callable[[int], None] | None = None
    _unread = 0
    _next_look: asyncio.TimerHandle | None = None
    _deadline: asyncio.TimerHandle | None = None
    _upgraded = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._service = self.app
        self.conn = self._counted = Counted()
        self._pace = Pace(self.loop.time, self.loop.call_later, self._parse, self._wait, self._takes_bytes)
        self.arrived = self.loop.time()

    @property
    def silent(self) -> bool:
        """Whether no request of it is being received or answered."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def unfinished(self) -> bool:
        """Whether the body of its request is not there."""
        return not self.silent and self.conn.their_state is h11.SEND_BODY

    def connection_made(self, transport: Any) -> None:
        self._socket = Attentive(transport, self.loop.call_later)
        lingering = Lingering(self._socket, self._is_unread, self._linger, self._go_on_soon)
        super().connection_made(lingering)  # type: ignore[arg-type]
        if not make_room(self, self.connections, self.most, self.most_per_client):
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
        self._pace.feed(data)

    def _parse(self, piece: bytes) -> int:
        if self._upgraded:
            self.transport.get_protocol().data_received(piece)  # type: ignore[attr-defined]  # a WebSocket
        elif not self.transport.is_closing():
            crowded = self.silent and not make_way(self, self.connections, self.most, self.most_per_client)
            self.app = _as_crowded(self._service) if crowded else self._service
            super().data_received(piece)
            self._watch()
        return self._counted.taken()

    def _wait(self, wait: bool) -> None:
        if wait:
            self._socket.pause_reading()
        elif not self.flow.read_paused:
            self._socket.resume_reading()

    def _takes_bytes(self) -> bool:
        """Whether the parser has room: it does not while a body waits to be taken, nor for the next request while one
        is being answered.
        """
        if self._upgraded or self.transport.is_closing():
            return True
        return not self.flow.read_paused and self.conn.their_state is not h11.DONE

    def _go_on_soon(self) -> None:
        """Parse what is left when uvicorn, which calls this in the middle of a step, has done that step."""
        self.loop.call_soon(self._pace.go_on)

    def _is_unread(self) -> bool:
        """Whether bytes of the client may be on their way that nobody will read."""
        return self.conn.their_state in {h11.SEND_BODY, h11.ERROR} and not self._upgraded

    def _linger(self, close: Callable[[], None]) -> None:
        self._rest()
        self._deadline = self.loop.call_later(self.seconds, close)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._upgraded = True
        super().handle_websocket_upgrade(event)
        protocol: Any = self.transport.get_protocol()  # a WebSocket
        if not protocol.understood:
            self._refuse(protocol.fault)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP; uvicorn's message is the same for everything."""
        self._refuse(self._counted.fault)

    def _refuse(self, fault: Fault) -> None:
        """Answer as every refusal is written; nothing else is answered on this connection."""
        if not self.silent:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.transport.abort()
                return
        if self.count is not None:
            self.count(fault.status)
        body = problem(fault.said[:_LONGEST_REASON])
        headers = {**SECURITY_HEADERS, **fault.headers, "content-type": "application/json", "connection": "close"}
        response = h11.Response(
            status_code=fault.status,
            headers=[*headers.items(), ("content-length", str(len(body)))],
            reason=HTTPStatus(fault.status).phrase,
        )
        with suppress(h11.LocalProtocolError):  # HEAD is answered without a body
            for part in (response, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(part) or b"")
        self.transport.close()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()
        self._go_on_soon()

    def _watch(self) -> None:
        """Start or stop the timeout for the client's next bytes."""
        if self.transport.is_closing():
            return
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


def make_room(new: Any, connections: Iterable[Any], most: int, most_per_client: int) -> bool:
    """Whether a new connection may stay; silent connections of whoever has most of them are closed for it, its own
    address's where that has more than its share. One that stays beyond a limit is answered, if only with a refusal
    (see `make_way`).

    Args:
        new: the connection, one of ``connections``.
        connections: all of them, HTTP and WebSocket.
        most: without closing any.
        most_per_client: of one address.
    """
    everybody = _open(connections)
    if len(everybody) <= min(most, most_per_client):
        return True
    held = Counter(map(_client, everybody))
    mine = held[_client(new)] > most_per_client
    if len(everybody) <= most and not mine:
        return True
    rivals = [connection for connection in everybody if not mine or _client(connection) == _client(new)]
    silent = [rival for rival in rivals if rival is not new and getattr(rival, "silent", False)]
    settled = [rival for rival in silent if new.arrived - rival.arrived > _GRACE]
    full = len(everybody) > _CROWD * most
    unfinished = [rival for rival in rivals if getattr(rival, "unfinished", False)]
    for candidates in (settled, *((silent, unfinished) if full else ())):
        if candidates:
            _oldest_of_the_largest(candidates, held).transport.abort()
            return True
    return not full


def _open(connections: Iterable[Any]) -> list[Any]:
    return [connection for connection in connections if not connection.transport.is_closing()]


def make_way(asking: Any, connections: Iterable[Any], most: int, most_per_client: int) -> bool:
    """Whether another request may begin. If there are too many, an unfinished one of whoever has more connections than
    the one who asks is cut for it; if that one's address has too many, the oldest unfinished one of its own.

    Args:
        asking: a silent connection, one of ``connections``.
        connections: all of them, HTTP and WebSocket.
        most: requests without cutting any.
        most_per_client: of one address.
    """
    everybody = _open(connections)
    if len(everybody) <= min(most, most_per_client):
        return True
    client = _client(asking)
    busy = Counter(_client(connection) for connection in everybody if not getattr(connection, "silent", False))
    mine = busy[client] > most_per_client
    if busy.total() <= most and not mine:
        return True
    held = Counter(map(_client, everybody))
    unfinished = [other for other in everybody if getattr(other, "unfinished", False)]
    unfinished = [
        other for other in unfinished if (_client(other) == client if mine else held[_client(other)] > held[client])
    ]
    if unfinished:
        _oldest_of_the_largest(unfinished, held).transport.abort()
    return bool(unfinished)


def _oldest_of_the_largest(connections: Iterable[Any], held: Counter[str]) -> Any:
    return min(connections, key=lambda connection: (-held[_client(connection)], connection.arrived))


def _client(connection: Any) -> str:
    return network_of(connection.client[0]) if connection.client else UNKNOWN


def _as_crowded(app: Any) -> Any:
    """The application, told that there are too many connections."""

    async def crowded(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, CROWDED: True}, receive, send)

    return crowded
