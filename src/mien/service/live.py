"""A live stream over a WebSocket: the newest picture is recognised, stale ones are dropped instead of queued."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from fastapi import WebSocket, WebSocketDisconnect
from starlette.websockets import WebSocketState

from mien.errors import MienError
from mien.results import Frame
from mien.service.access import SUBPROTOCOL
from mien.service.engine import Engine, Viewer
from mien.service.guard import client_of
from mien.service.limits import Limits
from mien.service.metrics import Metrics
from mien.service.openapi import RESULTS_HEADER
from mien.service.searching import Upload

SOURCE: Final = "stream"
"""`Frame.source` of live streams."""

_MOST_BROKEN: Final = 10

_ENDED: Final = 1000
_LEFT: Final = 1001
_NOT_TAKEN: Final = 1003
_BROKEN: Final = 1007
_TOO_BIG: Final = 1009


class StreamClosedError(Exception):
    """The stream is to be closed.

    Args:
        code: WebSocket close code.
        reason: for the client, at most 123 bytes.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class Newest:
    """A queue of one: a new picture replaces the one that waits, which counts as dropped."""

    def __init__(self) -> None:
        self._waiting: tuple[int, float, bytes] | None = None
        self._changed = asyncio.Event()
        self.count = self.dropped = 0

    def put(self, content: bytes, seconds: float) -> None:
        """Enqueue a picture, in place of one that still waits."""
        self.dropped += self._waiting is not None
        self._waiting = self.count, seconds, content
        self.count += 1
        self._changed.set()

    async def take(self) -> tuple[int, float, bytes]:
        """Number, time in seconds, and content of the newest picture, when there is one."""
        await self._changed.wait()
        self._changed.clear()
        taken, self._waiting = self._waiting, None
        assert taken is not None
        return taken


class LiveStream:
    """One live stream, from its first picture to its last answer.

    Args:
        socket: the client's WebSocket, not accepted yet.
        engine: runs the inference.
        viewer: state of the stream.
        limits: of size and time.
        metrics: count pictures.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        socket: WebSocket,
        engine: Engine,
        viewer: Viewer,
        limits: Limits,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._socket, self._engine, self._limits, self._metrics, self._clock = socket, engine, limits, metrics, clock
        self._viewer, self._client = viewer, client_of(socket.scope)
        self._newest = Newest()
        self._broken = 0

    async def run(self) -> None:
        """Answer until the client leaves or a limit is reached."""
        header = self._engine.recognizer.header.with_options(**self._viewer.options).to_json()
        await self._socket.accept(
            subprotocol=SUBPROTOCOL if SUBPROTOCOL in self._socket["subprotocols"] else None,
            headers=[(RESULTS_HEADER.encode(), header.encode())],
        )
        tasks = [asyncio.create_task(self._receive()), asyncio.create_task(self._answer())]
        try:
            async with asyncio.timeout(self._limits.stream_seconds):
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            ended = done.pop().exception()
        except TimeoutError:
            ended = StreamClosedError(_ENDED, f"a stream lasts at most {self._limits.stream_seconds:g} s; open another")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._metrics.picture("dropped", self._newest.dropped)
        await self._close(ended)

    async def _close(self, ended: BaseException | None) -> None:
        if isinstance(ended, StreamClosedError) and self._socket.client_state is WebSocketState.CONNECTED:
            with suppress(WebSocketDisconnect):  # it has left meanwhile
                await self._socket.close(ended.code, ended.reason)
        elif ended is not None and not isinstance(ended, StreamClosedError | WebSocketDisconnect | OSError):
            raise ended

    async def _receive(self) -> None:
        started: float | None = None
        while True:
            content = await self._received()
            now = self._clock()
            started = now if started is None else started
            self._newest.put(content, now - started)

    async def _received(self) -> bytes:
        try:
            async with asyncio.timeout(self._limits.idle_seconds):
                message = await self._socket.receive()
        except TimeoutError:
            raise StreamClosedError(_LEFT, f"no picture for {self._limits.idle_seconds:g} s") from None
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message["code"])
        content = message.get("bytes")
        if content is None:
            raise StreamClosedError(_NOT_TAKEN, "expected pictures as binary messages, got text")
        if len(content) > self._limits.frame_body:
            raise StreamClosedError(
                _TOO_BIG, f"a picture of more than {self._limits.frame_body:,} bytes; send it smaller"
            )
        return bytes(content)

    async def _answer(self) -> None:
        while True:
            number, seconds, content = await self._newest.take()
            frame = await self._frame(Upload(SOURCE, content, self._client), number, seconds)
            async with asyncio.timeout(self._limits.idle_seconds):
                await self._socket.send_text(frame.to_json())
            if self._broken == _MOST_BROKEN:
                raise StreamClosedError(_BROKEN, f"{_MOST_BROKEN} pictures in a row could not be read")

    async def _frame(self, upload: Upload, number: int, seconds: float) -> Frame:
        try:
            frame = await self._engine.view(self._viewer, upload, number, seconds)
        except MienError as error:
            self._broken += 1
            self._metrics.picture("refused")
            return Frame(SOURCE, number, seconds, error=str(error))
        self._broken = 0
        self._metrics.picture("recognized")
        return frame
