"""What parsing a connection costs, counted while it is parsed (`mien.service.pace` lets it wait)."""

from typing import Any, Final

import h11

from mien.service.fault import Fault
from mien.service.target import in_origin_form

_LONGEST_HEAD: Final = 16 * 1024
_ADDRESS_TOO_LONG, _HEAD_TOO_LONG = 414, 431
_SEPARATORS: Final = (b"&", b";", b",")
_USUAL, _PARTS_PER_EVENT = 150, 8
"""Headers, and the parts of headers and of a query: so many are free, then a few cost as much as a chunk."""


class Counted(h11.Connection):
    """An HTTP/1.1 parser that counts what costs: requests, chunks of bodies, and uncommonly many parts of a head. Its
    requests have a path as their target (`in_origin_form`).
    """

    _count = 0
    _error: h11.RemoteProtocolError | None = None

    def __init__(self) -> None:
        super().__init__(h11.SERVER, max_incomplete_event_size=_LONGEST_HEAD)

    @property
    def fault(self) -> Fault:
        """Why what came is not HTTP; too long a head has a status of its own (RFC 9110, 15.5.15; RFC 6585, 5)."""
        if self._error is not None and self._error.error_status_hint == _HEAD_TOO_LONG and self.our_state is h11.IDLE:
            most = f"is longer than {_LONGEST_HEAD // 1024} KB"
            if b"\n" in self.trailing_data[0]:
                return Fault(_HEAD_TOO_LONG, f"the head of the request {most}: send fewer or shorter headers")
            return Fault(_ADDRESS_TOO_LONG, f"the address of the request {most}")
        reason = str(self._error).partition(": bytearray(")[0]  # what was sent is not repeated
        return Fault(400, f"malformed HTTP request: {reason}")

    def next_event(self) -> Any:
        try:
            event = super().next_event()
            event = in_origin_form(event) if isinstance(event, h11.Request) else event
        except h11.RemoteProtocolError as error:
            self._error = error
            raise
        self._count += _cost(event)
        return event

    def taken(self) -> int:
        """The count since this was asked last."""
        count, self._count = self._count, 0
        return count


def _cost(event: Any) -> int:
    if isinstance(event, h11.Data):
        return int(event.chunk_start)
    if not isinstance(event, h11.Request | h11.EndOfMessage):
        return 0
    target = event.target if isinstance(event, h11.Request) else b""
    texts = (target, *(value for _, value in event.headers))
    parts = len(event.headers) + sum(text.count(mark) for text in texts for mark in _SEPARATORS)
    return isinstance(event, h11.Request) + max(0, parts - _USUAL) // _PARTS_PER_EVENT
