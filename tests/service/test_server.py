import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from random import Random

import httpx
import numpy as np
import pytest
from attacks import matroska_jumping

import waiting
from held import Held
from mien.errors import UsageError
from mien.faces.detection import Detection
from mien.recognition.recognizer import Recognizer
from mien.service.connection import make_room, make_way
from mien.service.limits import Limits
from mien.service.server import address_of, listen, run_server, server_config
from waiting import HANG, wait_for

TOKEN = "a-token-of-enough-length"


@pytest.fixture(scope="module")
def hasty(serve):
    """A service with little patience."""
    with serve(limits={"headers_seconds": 0.5, "body_seconds": 0.5}) as address:
        yield address


def connected(address):
    host, port = address.split(":")
    return socket.create_connection((host, int(port)), timeout=HANG)


def received(connection, end=None):
    """What a connection brings until it closes, or until these bytes have come."""
    found = b""
    with contextlib.suppress(ConnectionError):
        while (end is None or end not in found) and (part := connection.recv(65536)):
            found += part
    return found


def answered(address, sent, answer, connections):
    """A connection on which this request was answered so; another is tried where a busy machine sent it too late."""

    def tried():
        connection = connections.enter_context(connected(address))
        with contextlib.suppress(ConnectionError):
            connection.sendall(sent)
        return connection if answer in received(connection, answer) else None

    return wait_for(tried)


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nhost: "])
def test_a_head_that_does_not_come_is_not_waited_for(hasty, sent):
    started = time.monotonic()
    with connected(hasty) as connection:
        connection.sendall(sent)
        assert received(connection) == b""
    assert time.monotonic() - started > 0.4


def test_nor_is_the_next_head_of_a_connection(hasty):
    with contextlib.ExitStack() as connections:
        asked = b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
        connection = answered(hasty, asked, b'"ok"', connections)
        connection.sendall(b"GET /")
        assert received(connection) == b""


HEAD = b"POST /v1/predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: image/png\r\ncontent-length: 1000\r\n\r\n"


def test_a_body_that_does_not_come_gets_408(hasty):
    with contextlib.ExitStack() as connections:
        received(answered(hasty, HEAD + b"x", b"HTTP/1.1 408 ", connections))


def test_a_client_that_leaves_disturbs_nobody(address, picture):
    for _ in range(5):
        with connected(address) as connection:
            connection.sendall(HEAD + b"x")
    answer = waiting.post(f"http://{address}/v1/predict", content=picture("PNG"), headers={"content-type": "image/png"})
    assert answer.status_code == 200


def test_a_client_that_does_not_read_is_left(serve, stage, write_clip, tmp_path):
    clip = write_clip(tmp_path / "a.mp4", [stage(*[(0, 0, 60)] * 3)] * 3)
    head = HEAD.replace(b"/predict", b"/predict/video").replace(b"image/png", b"video/mp4")
    head = head.replace(b"1000", str(clip.stat().st_size).encode())
    limits = {"idle_seconds": 0.5, "videos": 1}
    detector = Endless(tmp_path, 400)
    with serve(Recognizer(Even(), detector), limits=limits) as address, connected(address) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(head + clip.read_bytes())
        url = f"http://{address}/v1/predict/video"
        wait_for(lambda: waiting.post(url, headers={"content-type": "video/mp4"}).status_code == 503)
        detector.let_go()
        wait_for(lambda: waiting.post(url, headers={"content-type": "video/mp4"}).status_code == 415)


class Endless(Held):
    """Finds so many faces that a frame does not fit into any buffer, once it is let go."""

    def __init__(self, folder, count):
        super().__init__(folder)
        self._found = [Detection((float(x), 0.0, 20.0, 20.0), 0.9) for x in range(count)]

    def detect(self, image):
        return [*super().detect(image), *self._found]


class Even:
    """Every face shows everything; answers when it is let go."""

    def __init__(self):
        self.let_go = threading.Event()
        self.let_go.set()

    def probabilities(self, faces):
        self.let_go.wait(HANG)
        return np.full((len(faces), 7), 1 / 7)


FEW = {"connections": 3, "headers_seconds": 2 * HANG, "body_seconds": 2 * HANG}
"""Few connections, none of which is closed for its silence."""


def busy(address):
    """A connection whose request has begun."""
    connection = connected(address)
    connection.sendall(HEAD + b"x")
    return connection


def test_more_connections_than_allowed_get_503_but_health_is_answered(serve):
    with serve(limits=FEW) as address:
        held = []
        answer = wait_for(lambda: refused(address) or held.append(busy(address)))  # until more than three are busy
        assert answer.json()["error"].startswith("the service is overloaded (more than 3 connections, or ")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert waiting.get(f"http://{address}/healthz").status_code == 200
        assert waiting.get(f"http://{address}/readyz").status_code == 200
        for connection in held:
            connection.close()
        wait_for(lambda: waiting.get(f"http://{address}/v1/models").status_code == 200)
        assert 'mien_requests_total{path="/v1/models",status="503"}' in waiting.get(f"http://{address}/metrics").text


def refused(address):
    answer = waiting.get(f"http://{address}/v1/models")
    return answer if answer.status_code == 503 else None


def test_silent_connections_are_closed_first(serve):
    with serve(limits=FEW) as address:
        held = busy(address)
        wait_for(lambda: "mien_requests_in_flight 2.0" in waiting.get(f"http://{address}/metrics").text)
        silent = [connected(address) for _ in range(20)]
        assert waiting.get(f"http://{address}/v1/models").status_code == 200
        for connection in silent[:-6]:
            assert received(connection) == b""
        held.sendall(bytes(999))
        assert b" 415 " in received(held, b"}")


def test_so_are_those_of_one_address_beyond_its_share(serve):
    with serve(limits={**FEW, "connections": 100, "connections_per_client": 2}) as address:
        silent = [connected(address) for _ in range(5)]

        def something_comes():
            assert waiting.get(f"http://{address}/v1/models").status_code == 200
            return select.select([silent[0]], [], [], 0)[0]

        wait_for(something_comes)  # the first requests may find all of them too new to be called silent
        assert received(silent[0]) == b""


def busy_from(source, address):
    """A connection from another address of this machine, whose request has begun."""
    host, port = address.split(":")
    connection = socket.create_connection((host, int(port)), timeout=HANG, source_address=(source, 0))
    connection.sendall(HEAD + b"x")
    return connection


@pytest.mark.skipif(sys.platform != "linux", reason="all of 127.0.0.0/8 is this machine on Linux")
def test_who_sends_no_bodies_makes_room_for_its_own_address_and_takes_none_from_others(serve, picture):
    with serve(limits={**FEW, "connections": 100, "connections_per_client": 8}) as address:
        neighbour = busy_from("127.0.0.2", address)
        wait_for(lambda: "mien_requests_in_flight 2.0" in waiting.get(f"http://{address}/metrics").text)
        held = [busy(address) for _ in range(40)]
        sent = {"content": picture("PNG"), "headers": {"content-type": "image/png"}}
        assert waiting.post(f"http://{address}/v1/predict", **sent).status_code == 200
        for path in ("healthz", "readyz", "metrics"):
            assert waiting.get(f"http://{address}/{path}").status_code == 200
        for connection in held[:-9]:
            assert received(connection) == b""
        neighbour.sendall(bytes(999))
        assert b" 415 " in received(neighbour, b"}")
        for connection in held:
            connection.close()


def test_an_address_whose_requests_are_all_being_answered_is_told_to_wait(serve, picture, tmp_path):
    detector = Held(tmp_path)
    limits = {**FEW, "connections": 100, "connections_per_client": 3}
    with serve(Recognizer(Even(), detector), limits=limits) as address, contextlib.ExitStack() as connections:
        content = picture("PNG")
        asked = HEAD.replace(b"1000", str(len(content)).encode()) + content
        held = []

        def refused_now():
            held.append(connections.enter_context(connected(address)))
            held[-1].sendall(asked)
            return refused(address)

        answer = wait_for(refused_now)
        assert answer.json()["error"].endswith("or 3 of one address); try again")
        assert (answer.headers["retry-after"], answer.headers["connection"]) == ("1", "close")
        for path in ("healthz", "readyz"):
            assert waiting.get(f"http://{address}/{path}").status_code == 200
        detector.let_go()
        assert received(held[0], b"}]").startswith(b"HTTP/1.1 200 ")


class Connection:
    """Of an address, as `make_room` sees it."""

    def __init__(self, address, arrived, silent=False, unfinished=False):
        self.client, self.arrived, self.silent, self.unfinished = (address, 1), arrived, silent, unfinished
        self.transport, self.cut = self, False

    def is_closing(self):
        return self.cut

    def abort(self):
        self.cut = True


def test_room_is_made_by_whoever_has_most_connections():
    held = [Connection("many", number, unfinished=True) for number in range(8)]
    new = Connection("one", 9)
    assert make_room(new, [*held, new], 4, 100)  # beyond twice as many
    assert [connection.cut for connection in held] == [True] + [False] * 7
    assert make_way(new, [*held, new], 4, 100)
    assert [connection.cut for connection in held] == [True] * 2 + [False] * 6
    assert not make_way(held[7], [*held, new], 4, 100)
    busy = [Connection("many", number) for number in range(9)]
    assert not make_room(new, [*busy, new], 4, 100)
    assert not any(connection.cut for connection in [*busy, new])


def test_beyond_the_share_of_an_address_its_own_oldest_unfinished_request_is_cut():
    neighbours = [Connection("other", number, unfinished=True) for number in range(5)]
    held = [Connection("one", 10 + number, unfinished=True) for number in range(4)]
    new = Connection("one", 20, silent=True)
    everybody = [*neighbours, *held, new]
    assert make_room(new, everybody, 100, 3)
    assert not any(connection.cut for connection in everybody)
    assert make_way(new, everybody, 100, 3)
    assert [connection.cut for connection in everybody] == [False] * 5 + [True] + [False] * 4


def test_a_connection_whose_answers_are_not_read_is_cut(serve):
    """Closing alone would wait for the client for ever, and a few of them would keep everybody out."""
    with serve(limits={"idle_seconds": 0.5}) as address, socket.socket() as connection:
        whole = 1000 * len(waiting.get(f"http://{address}/openapi.json").content)
        assert whole > 10 * 2**20  # no buffer holds that
        connection.settimeout(HANG)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        host, port = address.split(":")
        connection.connect((host, int(port)))
        ports = int(port), connection.getsockname()[1]
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n" * 1000)
        waiting.get(f"http://{address}/healthz")  # connections are accepted in order, so that one has been
        wait_for(lambda: not is_held(*ports))
        found = received(connection)
    assert found.startswith(b"HTTP/1.1 200 ")
    assert len(found) < whole


def is_held(here, there):
    """Whether a process holds the connection between two ports of this machine, at the first: the kernel's list then
    gives the number of its socket, and 0 once it was closed.
    """
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        columns = line.split()
        if columns[1].endswith(f":{here:04X}") and columns[2].endswith(f":{there:04X}"):
            return columns[9] != "0"
    return False


@pytest.fixture
def command(tmp_path):
    """Runs `mien serve` as a process on a free port; gives process and address."""
    processes = []

    def start(*arguments, **environment):
        process = subprocess.Popen(
            [sys.executable, "-m", "mien", "serve", "--port", "0", *arguments],
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "TMPDIR": str(tmp_path), "HOME": str(tmp_path), **environment},
        )
        processes.append(process)
        line = process.stderr.readline()
        assert line.startswith("mien serves http://"), line
        return process, line.split()[2].rstrip("/")

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def secret_clip(stage, write_clip, tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "secret.mp4", [stage((0, 40, 60))] * 3).read_bytes()


def test_nothing_of_a_client_is_written_or_logged(command, astronaut_jpeg, secret_clip, tmp_path):
    large = astronaut_jpeg + bytes(3 * 2**20)  # forms of more than a megabyte are what web frameworks put on disk
    process, address = command("--access-log")
    files = [("picture", ("secret-name.jpg", large, "image/jpeg"))] * 2
    assert waiting.post(f"{address}/v1/predict", files=files).status_code == 200
    headers = {"content-type": "video/mp4"}
    answer = waiting.post(f"{address}/v1/predict/video?name=secret", content=secret_clip, headers=headers)
    assert len(answer.text.splitlines()) == 3
    headers = {"content-type": "video/x-matroska"}
    jumping = matroska_jumping(Random(1), 0.001)
    answer = waiting.post(f"{address}/v1/predict/video?name=secret%0aline", content=jumping, headers=headers)
    assert len(answer.text.splitlines()) == 9
    assert waiting.post(f"{address}/v1/predict", content=b"secret", headers=headers).status_code == 415
    headers = {"content-type": "multipart/form-data; boundary=x"}
    assert waiting.post(f"{address}/v1/predict", content=b"secret", headers=headers).status_code == 400
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert not [name for name in open_files(process) if "tmp" in name.lower() and "pytest" not in name]
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=HANG)
    assert "POST '/v1/predict' 200" in out + err
    assert "secret" not in out + err
    assert [line for line in err.splitlines() if "mien.access" not in line and " 127.0.0.1 " not in line] == []


def open_files(process):
    names = []
    for entry in Path(f"/proc/{process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a connection may close between the listing and this line
            names.append(str(entry.readlink()))
    return names


def test_what_is_in_flight_is_answered_before_the_service_stops(serve, picture):
    classifier = Even()
    with serve(Recognizer(classifier, "none"), limits={"shutdown_seconds": HANG}) as address:
        classifier.let_go.clear()
        answers = []
        options = {"content": picture("PNG"), "headers": {"content-type": "image/png"}}
        asking = threading.Thread(
            target=lambda: answers.append(waiting.post(f"http://{address}/v1/predict", **options))
        )
        asking.start()
        wait_for(lambda: "mien_requests_in_flight 2.0" in waiting.get(f"http://{address}/metrics").text)
        threading.Thread(target=let_go_when_closed, args=(classifier, address)).start()
    asking.join(HANG)
    assert answers[0].status_code == 200
    with pytest.raises(httpx.ConnectError):
        waiting.get(f"http://{address}/healthz")


def let_go_when_closed(classifier, address):
    """Let a classifier go as soon as its service takes no more connections, because it stops."""
    try:
        wait_for(lambda: is_closed(address))
    finally:
        classifier.let_go.set()


def is_closed(address):
    try:
        connected(address).close()
    except ConnectionRefusedError:
        return True
    return False


def test_the_command_takes_the_token_from_a_file(command, tmp_path):
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    _, address = command("--token-file", str(file))
    assert waiting.get(f"{address}/v1/models").status_code == 401
    assert waiting.get(f"{address}/v1/models", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--host", "0.0.0.0"], "--insecure"),
        (["--token-file", "missing"], "missing: the token cannot be read"),
        (["--allow-origin", "example.org"], "--allow-origin example.org"),
    ],
)
def test_wrong_use_is_said_in_one_line(arguments, says, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mien", "serve", *arguments], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode in {1, 2}
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_said(serve):
    with serve() as address:
        config = server_config(None, "127.0.0.1", int(address.split(":")[1]), Limits())
        with pytest.raises(UsageError, match="choose another --port"):
            run_server(config, print)


def test_the_address_is_one_that_can_be_clicked():
    for host, name in (("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "localhost")):
        with socket.create_server((host, 0)) as listener:
            assert address_of(listener) == f"http://{name}:{listener.getsockname()[1]}/"


def test_the_openapi_document_names_every_route(client):
    document = json.loads(client.get("/openapi.json").text)
    assert set(document["paths"]) == {
        "/v1/predict", "/v1/predict/video", "/v1/models", "/healthz", "/readyz", "/metrics",
    }  # fmt: skip
    for path in ("/v1/predict", "/v1/predict/video"):
        assert {"200", "401", "413", "415", "422", "429", "503"} <= set(document["paths"][path]["post"]["responses"])


def test_answers_are_not_held_back_until_their_head_is_confirmed():
    """Nagle's algorithm and delayed confirmations would add 40 ms to every answer of two packets."""
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
