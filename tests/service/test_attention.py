"""A client that leaves while it is not read is noticed, and one that stays is not."""

import select
import socket

import pytest

from mien.service.attention import Attentive
from waiting import HANG


class Transport:
    """What `Attentive` asks of asyncio's."""

    def __init__(self, connection):
        self._connection, self.reads, self.closed = connection, True, False

    def pause_reading(self):
        self.reads = False

    def resume_reading(self):
        self.reads = True

    def is_closing(self):
        return self.closed

    def close(self):
        self.closed = True

    def get_extra_info(self, name):
        return {"socket": self._connection}[name]


@pytest.fixture
def pair():
    """Both sides of a connection."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname(), timeout=HANG) as client,
        listener.accept()[0] as server,
    ):
        yield client, server


@pytest.mark.skipif(not hasattr(select, "poll"), reason="Windows has no poll")
@pytest.mark.parametrize("unread", [b"", b"sent before it left"])
@pytest.mark.parametrize("leave", ["close", "half"])
def test_who_leaves_is_noticed(pair, unread, leave):
    client, server = pair
    looks, transport = [], Transport(server)
    attentive = Attentive(transport, lambda _, look: looks.append(look))
    client.sendall(unread)
    attentive.pause_reading()
    attentive.pause_reading()
    for _ in range(3):
        (look,) = looks
        looks.clear()
        look()
        assert (transport.reads, transport.closed) == (False, False)
    client.close() if leave == "close" else client.shutdown(socket.SHUT_WR)
    while looks and not transport.closed:
        looks.pop()()
    assert transport.closed
    assert not looks


def test_nobody_looks_after_one_who_is_read_again(pair):
    looks, transport = [], Transport(pair[1])
    attentive = Attentive(transport, lambda _, look: looks.append(look))
    attentive.pause_reading()
    attentive.resume_reading()
    looks.pop()()
    assert (looks, transport.reads, transport.closed) == ([], True, False)
    attentive.pause_reading()
    assert len(looks) == 1
