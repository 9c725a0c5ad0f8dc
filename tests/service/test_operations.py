"""What an operator meets: methods, refusals, proxies, logs, addresses."""

import contextlib
import json
import logging
import socket
import threading

import httpx
import pytest
import uvicorn
from websockets.exceptions import InvalidStatus

import waiting
from mien.cli.serve import _networks
from mien.errors import UsageError
from mien.service.app import create_app
from mien.service.guard import ACCESS
from mien.service.log_format import JsonLines
from mien.service.server import listen, server_config
from mien.service.settings import Settings
from waiting import HANG, connect, wait_for

ORIGIN = "https://example.org"


@pytest.fixture(scope="module")
def guarded(serve):
    with serve(access={"hosts": frozenset({"127.0.0.1"}), "origins": frozenset({ORIGIN})}) as address:
        yield f"http://{address}"


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/v1/models", "/metrics", "/openapi.json"])
def test_head_is_get_without_a_body(guarded, path):
    head, get = httpx.head(guarded + path, timeout=HANG), waiting.get(guarded + path)
    assert head.status_code == get.status_code == 200
    assert head.content == b""
    assert head.headers["content-type"] == get.headers["content-type"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/predict", "POST"),
        ("OPTIONS", "/v1/predict", "POST"),
        ("PUT", "/v1/predict/video", "POST"),
        *(("POST", path, "GET, HEAD") for path in ("/healthz", "/openapi.json", "/", "/app.js")),
    ],
)
def test_other_methods_get_405(guarded, method, path, allowed):
    answer = httpx.request(method, guarded + path, timeout=HANG)
    assert answer.status_code == 405
    assert answer.headers["allow"] == allowed
    assert answer.json() == {"error": f"{method} is not answered here; send {allowed}"}


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/v1/nope", "/v1/predict/", "/static/../app.py", "/" + "a" * 300, "/%00"])
def test_what_is_not_there_is_404_whatever_the_method(guarded, method, path):
    answer = httpx.request(method, guarded + path, timeout=HANG)
    assert answer.status_code == 404
    assert answer.json()["error"].endswith("; /openapi.json lists the addresses")
    assert "allow" not in answer.headers


def test_so_is_a_target_that_is_no_path(guarded):
    answer = sent(guarded, b"OPTIONS * HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert answer.endswith(b'; /openapi.json lists the addresses"}')


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_stream_wants_a_websocket(guarded, method):
    answer = httpx.request(method, f"{guarded}/v1/stream", timeout=HANG)
    assert answer.status_code == 426
    assert (answer.headers["upgrade"], answer.headers["connection"]) == ("websocket", "upgrade")
    assert method == "HEAD" or "as a WebSocket" in answer.json()["error"]


@pytest.mark.parametrize("part", ["bytes=9-2", "bytes=-0", "bytes=1-5"])
def test_files_of_the_page_are_given_whole(guarded, part):
    whole, asked = waiting.get(f"{guarded}/icon.svg"), waiting.get(f"{guarded}/icon.svg", headers={"range": part})
    assert (asked.status_code, asked.content) == (200, whole.content)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_answered_whatever_the_host_header_says(guarded, path):
    assert waiting.get(guarded + path, headers={"host": "10.1.2.3:8000"}).status_code == 200
    assert waiting.get(f"{guarded}/v1/models", headers={"host": "10.1.2.3:8000"}).status_code == 421


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [("/v1/predict", b"", 415), ("/v1/predict", bytes(21 * 2**20), 413), ("/v1/models", b"", 405)],
)
def test_allowed_origins_may_read_every_refusal(guarded, path, content, status):
    answer = httpx.post(guarded + path, content=content, headers={"origin": ORIGIN}, timeout=HANG)
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "Retry-After" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-origin" not in httpx.post(guarded + path, content=content, timeout=HANG).headers


def sent(address, content):
    host, port = address.removeprefix("http://").split(":")
    found = b""
    with socket.create_connection((host, int(port)), timeout=HANG) as connection:
        connection.sendall(content)
        while part := connection.recv(65536):
            found += part
    return found


def test_what_is_no_http_is_refused_as_everything_is(guarded):
    head, body = sent(guarded, b"no http\r\n\r\n").split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"x-content-type-options: nosniff" in head
    assert json.loads(body) == {"error": "malformed HTTP request: illegal request line"}
    assert 'mien_requests_total{path="other",status="400"}' in waiting.get(f"{guarded}/metrics").text


GET = b"GET / HTTP/1.1\r\n"
POST = b"POST /v1/predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: image/png\r\n"
UPGRADE = b"GET /v1/stream HTTP/1.1\r\nhost: 127.0.0.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
KEY = b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


@pytest.mark.parametrize(
    ("content", "status", "says"),
    [
        (GET + b"\r\n", 400, "Missing mandatory Host: header"),
        (GET + b"host: a\r\nhost: b\r\n\r\n", 400, "multiple Host: headers"),
        (GET + b"host: a\r\na: " + b"a" * 100_000, 431, "longer than 16 KB: send fewer or shorter headers"),
        (b"GET /" + b"a" * 100_000, 414, "the address of the request is longer than 16 KB"),
        ("GET /?a=\N{GRINNING FACE} HTTP/1.1\r\nhost: a\r\n\r\n".encode(), 400, "illegal request line"),
        (POST + b"content-length: -1\r\n\r\n", 400, "bad Content-Length"),
        (POST + b"transfer-encoding: chunked\r\n\r\nzz\r\n", 400, "illegal chunk header"),
        (POST + b"transfer-encoding: chunked\r\n\r\n" + b"1" * 100_000, 400, "malformed HTTP request: "),
        (UPGRADE + b"sec-websocket-version: 13\r\n\r\n", 400, "missing Sec-WebSocket-Key header"),
        (UPGRADE + KEY + b"\r\n", 400, "missing Sec-WebSocket-Version header"),
        (UPGRADE + KEY + b"sec-websocket-version: 8\r\n\r\n", 426, "invalid Sec-WebSocket-Version header: 8"),
    ],
)
def test_what_is_malformed_is_said(guarded, content, status, says):
    head, body = sent(guarded, content).split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert (b"sec-websocket-version: 13" in head.lower()) == (status == 426)
    error = json.loads(body)["error"]
    assert says in error
    assert len(error) <= 200
    assert "\n" not in error
    assert f'status="{status}"' in waiting.get(f"{guarded}/metrics").text


def test_a_refused_stream_has_the_headers_of_every_refusal_and_is_counted(guarded):
    head = b"GET /v1/stream HTTP/1.1\r\nhost: 10.1.2.3\r\nupgrade: websocket\r\nconnection: upgrade\r\norigin: %s\r\n"
    key = b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    answer = sent(guarded, head % ORIGIN.encode() + key)
    assert answer.startswith(b"HTTP/1.1 421 ")
    assert b"x-content-type-options: nosniff" in answer
    assert b"access-control-allow-origin: " + ORIGIN.encode() in answer
    assert 'mien_requests_total{path="/v1/stream",status="421"} 1.0' in waiting.get(f"{guarded}/metrics").text


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        (b"", b"content-length: 5\r\n", 400),
        (b"", b"transfer-encoding: chunked\r\n", 400),
        (b"", b"a: b\r\n" * 200, 400),
        (b"", b"a: " + b"b" * 9000 + b"\r\n", 400),
        (b"", b"sec-websocket-version: 12\r\n", 400),
        (b"/", b"", 404),
        (b"?x=1", b"", 422),
        (b"?smooth=symmetric", b"", 422),
        (b"?min_probability=nan", b"", 422),
    ],
)
def test_a_handshake_that_is_none_is_refused_like_everything_else(guarded, query, headers, status):
    """The parser of WebSockets takes less than that of HTTP, and would say nothing."""
    head = b"GET /v1/stream%s HTTP/1.1\r\nhost: 127.0.0.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n" % query
    key = b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    fields, _, body = sent(guarded, head + headers + key).partition(b"\r\n\r\n")
    assert fields.startswith(b"HTTP/1.1 %d " % status)
    assert b"x-content-type-options: nosniff" in fields
    assert json.loads(body).keys() == {"error"}
    assert f'status="{status}"' in waiting.get(f"{guarded}/metrics").text


@pytest.mark.parametrize(
    "fault", [b"upgrade: websocket\r\nconnection: upgrade\r\n\r\n", b"transfer-encoding: chunked\r\n\r\n*\r\n"]
)
def test_malformed_requests_for_a_head_are_refused_without_a_body(guarded, caplog, fault):
    with caplog.at_level(logging.ERROR, "asyncio"):
        answer = sent(guarded, b"HEAD / HTTP/1.1\r\nhost: 127.0.0.1\r\n" + fault)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b"\r\n\r\n")
    assert caplog.records == []


def test_a_body_whose_length_is_said_twice_ends_the_connection(guarded):
    head = b"POST /v1/predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: image/png\r\n"
    both = b"content-length: 6\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
    assert b"connection: close" in sent(guarded, head + both)


def test_clients_faults_are_not_logged(serve, caplog):
    log = logging.getLogger("uvicorn")  # from which nothing goes to the root
    with serve(access={"token": "a-token-of-enough-length"}) as address, caplog.at_level(logging.WARNING):
        log.addHandler(caplog.handler)
        with pytest.raises(InvalidStatus):
            connect(f"ws://{address}/v1/stream")
        sent(address, b"no http\r\n\r\n")
        headers = {"authorization": "Bearer a-token-of-enough-length"}
        with connect(f"ws://{address}/v1/stream", additional_headers=headers) as stream:
            stream.socket.sendall(b"\x81\x82\0\0\0\0\xff\xff")
            with contextlib.suppress(Exception):
                stream.recv(HANG)
    log.removeHandler(caplog.handler)
    assert [record.getMessage() for record in caplog.records] == []


def test_a_proxy_that_is_trusted_says_who_asks(recognizer, caplog):
    settings = Settings()
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app(recognizer, settings)
    server = uvicorn.Server(server_config(app, "127.0.0.1", 0, settings.limits, ["127.0.0.0/8"]))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    wait_for(lambda: server.started)
    with caplog.at_level(logging.INFO, "mien.access"):
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/healthz"
        waiting.get(url, headers={"x-forwarded-for": "203.0.113.7"})
        server.should_exit = True
        thread.join(HANG)
    (record,) = [record for record in caplog.records if record.name == ACCESS.name]
    line = json.loads(JsonLines().format(record))
    assert line["client"] == "203.0.113.7"
    assert (line["method"], line["path"], line["status"]) == ("GET", "/healthz", 200)
    assert line["time"].endswith("+00:00")


def test_others_are_not_believed(address, caplog):
    with caplog.at_level(logging.INFO, "mien.access"):
        waiting.get(f"http://{address}/healthz", headers={"x-forwarded-for": "203.0.113.7"})
        wait_for(lambda: "/healthz" in caplog.text)
    assert "203.0.113.7" not in caplog.text
    with pytest.raises(UsageError, match="--trust-proxy somebody: expected an address or a network"):
        _networks(["somebody"])


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="needs IPv6")
def test_all_addresses_of_ipv6_are_those_of_ipv4_too():
    with listen("::", 0) as listener:
        socket.create_connection(("127.0.0.1", listener.getsockname()[1])).close()
