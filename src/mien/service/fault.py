"""Why something is not HTTP, or not the handshake of a WebSocket."""

from collections.abc import Mapping
from typing import NamedTuple


class Fault(NamedTuple):
    """How a connection is refused.

    Args:
        status: of the answer.
        said: why.
        headers: further ones of the answer.
    """

    status: int
    said: str
    headers: Mapping[str, str] = {}
