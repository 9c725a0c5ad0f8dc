"""One WebSocket: uvicorn's, whose frames are parsed at a bounded pace."""

from http import HTTPStatus
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidHeaderValue, InvalidState
from websockets.http11 import Request

from mien.service.fault import Fault
from mien.service.pace import Pace


class PacedWebSocket(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket with a budget of frames, pings among them, for each second (`mien.service.pace`)."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._pace = Pace(self.loop.time, self.loop.call_later, self._parse, self._wait, self._takes_bytes)
        self._events = 0

    def data_received(self, data: bytes) -> None:
        self._pace.feed(data)

    @property
    def understood(self) -> bool:
        """Whether its handshake is one; otherwise nothing was answered, and uvicorn would wait for ever."""
        return bool(self.handshake_initiated)

    @property
    def fault(self) -> Fault:
        """Why it is not understood; another version is told which is spoken (RFC 6455, 4.4)."""
        error = self.conn.handshake_exc or self.conn.parser_exc
        cause = error and error.__cause__
        said = f"malformed handshake of a WebSocket: {error}{f' ({cause})' if cause else ''}"
        if isinstance(error, InvalidHeaderValue) and error.name == "Sec-WebSocket-Version":
            return Fault(426, said, {"sec-websocket-version": "13", "upgrade": "websocket"})
        return Fault(400, said)

    def handle_connect(self, event: Request) -> None:
        if self.conn.accept(event).status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            super().handle_connect(event)

    def handle_events(self) -> None:
        self._events += len(self.conn.events)
        super().handle_events()

    def _parse(self, piece: bytes) -> int:
        self._events = 0
        if not self.transport.is_closing():
            try:
                super().data_received(piece)
            except InvalidState:  # malformed after the end
                self.transport.close()
        return self._events

    def _takes_bytes(self) -> bool:
        """Whether frames are parsed: not before the handshake is answered, for which uvicorn is not made."""
        return not self.handshake_initiated or self.handshake_complete or self.transport.is_closing()

    async def send(self, message: Any) -> None:
        await super().send(message)
        self._pace.go_on()

    def _wait(self, wait: bool) -> None:
        if wait:
            self.transport.pause_reading()
        elif not self.read_paused:
            self.transport.resume_reading()
