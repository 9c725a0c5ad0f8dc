"""One WebSocket: uvicorn's, whose frames are parsed at a bounded pace."""

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from mien.service.pace import Pace


class PacedWebSocket(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket with a budget of frames, pings among them, for each second (`mien.service.pace`)."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._pace = Pace(self.loop.time, self.loop.call_later, self._parse, self._wait)
        self._events = 0

    def data_received(self, data: bytes) -> None:
        self._pace.feed(data)

    def handle_events(self) -> None:
        self._events += len(self.conn.events)
        super().handle_events()

    def _parse(self, piece: bytes) -> int:
        self._events = 0
        if not self.transport.is_closing():
            super().data_received(piece)
        return self._events

    def _wait(self, wait: bool) -> None:
        if wait:
            self.transport.pause_reading()
        elif not self.read_paused:
            self.transport.resume_reading()
