"""The budget of frames, pings and chunks: what is parsed in time is bounded, and nothing is lost."""

import asyncio
import contextlib
import socket
import threading

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.server import ServerState

import waiting
from mien.service.counted import Counted
from mien.service.limits import Limits
from mien.service.pace import BURST, EVENTS_PER_SECOND, Budget, Pace
from mien.service.server import server_config
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


def test_what_the_parser_does_not_take_is_left_and_nothing_more_is_read():
    loop, parsed, states, room = Loop(), [], [], [False]

    def parse(piece):
        parsed.append(piece)
        room[0] = False
        return 1

    pace = Pace(loop.clock, loop.call_later, parse, states.append, lambda: room[0])
    pace.feed(bytes(1000))
    assert (parsed, states[-1]) == ([], True)
    while states[-1]:
        room[0] = True
        pace.go_on()
    assert len(parsed) > 1
    assert b"".join(parsed) == bytes(1000)


@pytest.mark.parametrize(
    ("head", "least", "most"),
    [
        (b"accept: a/b, c/d;q=0.5\r\n" * 40, 1, 1),
        (b"a:b\r\n" * 3000, 300, 400),
        (b"content-type: multipart/form-data" + b";" * 15_000 + b"\r\n", 1800, 1900),
    ],
)
def test_uncommonly_many_parts_of_a_head_are_paid_for(head, least, most):
    connection = Counted()
    connection.receive_data(b"GET /healthz?a=1&b=2 HTTP/1.1\r\nhost: a\r\n" + head + b"\r\n")
    assert isinstance(connection.next_event(), h11.Request)
    assert least <= connection.taken() <= most


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


class Wire:
    """A transport that notes whether bytes are read."""

    def __init__(self):
        self.reads, self.written, self.lost = True, b"", False

    def pause_reading(self):
        self.reads = False

    def resume_reading(self):
        self.reads = True

    def write(self, content):
        self.written += content

    def is_closing(self):
        return self.lost

    def get_extra_info(self, name):
        return None

    def get_write_buffer_size(self):
        return 0


def test_requests_that_are_sent_ahead_do_not_pile_up():
    """What is read of them is what is answered, and one piece of the network's."""
    request = b"GET / HTTP/1.1\r\nhost: a\r\na: " + b"a" * 15_000 + b"\r\n\r\n"
    piece = request * 17

    async def answer(scope, receive, send):
        await receive()
        await asyncio.sleep(0.001)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    async def fed_and_answered():
        config = server_config(None, "127.0.0.1", 0, Limits())
        config.load()
        config.loaded_app = answer
        connection, wire, fed = config.http_protocol_class(config, ServerState(), {}), Wire(), 0
        connection.connection_made(wire)
        while wire.written.count(b"HTTP/1.1 200 ") < 50:
            if wire.reads:
                connection.data_received(piece)
                fed += len(piece)
            await asyncio.sleep(0)
        wire.lost = True
        connection.connection_lost(ConnectionResetError())
        return fed, wire.written.count(b"HTTP/1.1 200 ")

    fed, answered = asyncio.run(fed_and_answered())
    assert fed <= answered * len(request) + 2 * len(piece)


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
