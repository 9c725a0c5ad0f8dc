"""The budget of frames, pings and chunks: what is parsed in time is bounded, and nothing is lost."""

import contextlib
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

import waiting
from mien.service.pace import BURST, EVENTS_PER_SECOND, Budget, Pace
from waiting import HANG, wait_for


class Loop:
    """A clock that stands until it is turned on."""

    def __init__(self):
        self.now, self.later = 0.0, []

    def clock(self):
        return self.now

    def call_later(self, seconds, action):
        self.later.append((self.now + seconds, action))

    def run(self):
        while self.later:
            (self.now, action), *self.later = sorted(self.later, key=lambda entry: entry[0])
            action()


def test_a_burst_is_free_and_the_rest_takes_its_time():
    loop = Loop()
    budget = Budget(loop.clock)
    assert budget.spend(int(BURST), 0) == 0.0
    assert budget.spend(50, 0) == pytest.approx(50 / EVENTS_PER_SECOND)
    loop.now += 50 / EVENTS_PER_SECOND
    assert budget.spend(0, 0) == pytest.approx(0.0)
    loop.now += 1000
    assert budget.spend(int(BURST) + 1, 0) > 0  # tokens are not saved up


def test_bytes_pay_for_events():
    budget = Budget(Loop().clock)
    assert all(budget.spend(1, 256) == 0.0 for _ in range(1000))


@given(st.lists(st.binary(max_size=3000), max_size=20), st.integers(0, 400))
def test_everything_is_parsed_once_in_order_and_no_faster_than_the_budget(parts, every):
    loop, parsed, states = Loop(), [], [False]

    def parse(piece):
        parsed.append(piece)
        return len(piece) // every if every else 0

    pace = Pace(loop.clock, loop.call_later, parse, states.append)
    for part in parts:
        pace.feed(part)
    loop.run()
    whole = b"".join(parts)
    assert b"".join(parsed) == whole
    assert states[-1] is False
    events = sum(len(piece) // every for piece in parsed) if every else 0
    assert events <= BURST + EVENTS_PER_SECOND * loop.now + len(whole) / 256 + 8192


HEAD = b"POST /v1/predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: image/png\r\ntransfer-encoding: chunked\r\n\r\n"
UPGRADE = (
    b"GET /v1/stream HTTP/1.1\r\nhost: 127.0.0.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
PING = b"\x89\x80\0\0\0\0"


@contextlib.contextmanager
def flooding(address, head, content):
    """A connection that sends as fast as it can, until the block ends; gives the bytes that it could send."""
    host, port = address.split(":")
    sent, ends = [0], threading.Event()
    with socket.create_connection((host, int(port)), timeout=HANG) as connection:
        connection.sendall(head)
        if head is UPGRADE:
            assert b" 101 " in connection.recv(4096)
        connection.settimeout(0.05)

        def flood():
            while not ends.is_set():
                with contextlib.suppress(TimeoutError):
                    sent[0] += connection.send(content)

        thread = threading.Thread(target=flood)
        thread.start()
        try:
            yield sent
        finally:
            ends.set()
            thread.join(HANG)


@pytest.mark.parametrize(("head", "content"), [(HEAD, b"1\r\na\r\n" * 10_000), (UPGRADE, PING * 10_000)])
def test_a_flood_of_tiny_events_is_held_back(address, picture, head, content):
    with flooding(address, head, content) as sent:
        wait_for(lambda: sent[0] > 1_000_000)
        options = {"content": picture("PNG"), "headers": {"content-type": "image/png"}}
        for _ in range(5):
            assert waiting.post(f"http://{address}/v1/predict", **options).status_code == 200
        assert sent[0] < 50_000_000  # the network's buffers, and not what a flood brings


def test_a_body_in_many_small_chunks_is_taken(client, picture):
    content = picture("PNG", (300, 200))
    parts = (content[at : at + 50] for at in range(0, len(content), 50))
    answer = client.post("/v1/predict", content=parts, headers={"content-type": "image/png"})
    assert answer.status_code == 200


def test_the_rest_of_a_refused_body_is_not_parsed_and_the_answer_arrives(serve):
    """Chunks that are no chunks are parsed by nobody, else the answer would be 400 and the connection reset."""
    with serve(access={"token": "a-token-of-enough-length"}) as address:
        host, port = address.split(":")
        with socket.create_connection((host, int(port)), timeout=HANG) as connection:
            connection.sendall(HEAD)
            found = b""
            while part := connection.recv(4096):
                found += part
                connection.sendall(b"no chunk at all\r\n" * 1000)
    assert found.startswith(b"HTTP/1.1 401 ")
    assert b"connection: close" in found
    assert found.count(b"HTTP/1.1") == 1
