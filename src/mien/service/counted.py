"""What parsing a connection costs, counted while it is parsed (`mien.service.pace` lets it wait)."""

from typing import Any, Final

import h11

_SEPARATORS: Final = (b"&", b";", b",")
_USUAL, _PARTS_PER_EVENT = 150, 8
"""Headers, and the parts of headers and of a query: so many are free, then a few cost as much as a chunk."""


class Counted(h11.Connection):
    """An HTTP/1.1 parser that counts what costs: requests, chunks of bodies, and uncommonly many parts of a head."""

    _count = 0

    def next_event(self) -> Any:
        event = super().next_event()
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
