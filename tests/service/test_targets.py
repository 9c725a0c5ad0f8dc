"""Targets of requests as no usual client writes them, sent as bytes: browsers and libraries would tidy them up."""

import json
import socket

import pytest

from waiting import HANG

TOKEN = "a-token-of-enough-length"


@pytest.fixture(scope="module")
def strict(serve):
    """A service that asks for a token and goes by one name."""
    access = {"token": TOKEN, "hosts": frozenset({"mien.test"})}
    with serve(access=access) as address:
        yield address


def asked(address, line, *headers, host="mien.test"):
    """Status and body of the answer to a request."""
    host_name, port = address.split(":")
    head = "\r\n".join((f"{line} HTTP/1.1", f"Host: {host}", "Connection: close", *headers, "", ""))
    with socket.create_connection((host_name, int(port)), timeout=HANG) as connection:
        connection.sendall(head.encode())
        answer = b""
        while part := connection.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


@pytest.mark.parametrize("scheme", ["http", "HTTP", "https"])
def test_an_absolute_target_is_answered_as_its_path(strict, scheme):
    assert asked(strict, f"GET {scheme}://mien.test:80/healthz") == (200, b'{"status":"ok"}')
    for target in ("", "/", "?a=b", "/?a=b"):
        assert b"<!doctype html>" in asked(strict, f"GET {scheme}://mien.test{target}")[1]
    assert asked(strict, f"GET {scheme}://mien.test/nothing")[0] == 404
    assert asked(strict, f"PUT {scheme}://mien.test/v1/predict", f"Authorization: Bearer {TOKEN}")[0] == 405


def test_the_host_of_an_absolute_target_counts_and_not_the_header(strict):
    assert asked(strict, "GET http://mien.test/openapi.json", host="evil.test")[0] == 200
    assert asked(strict, "GET http://evil.test/openapi.json")[0] == 421


def test_an_absolute_target_is_guarded_as_its_path(strict):
    bearer, origin = f"Authorization: Bearer {TOKEN}", "Origin: http://evil.test"
    assert asked(strict, "GET http://mien.test/v1/models")[0] == 401
    assert asked(strict, "GET http://mien.test/v1/models", bearer)[0] == 200
    assert asked(strict, "POST http://mien.test/v1/predict", bearer, origin)[0] == 403
    size = f"Content-Length: {10**9}"
    assert asked(strict, "POST http://mien.test/v1/predict", bearer, size)[0] == 413


def test_a_stream_is_found_at_an_absolute_target(strict):
    upgrade = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
    upgrade += ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",)
    status, _ = asked(strict, "GET http://mien.test/v1/stream?smooth=wrong", f"Authorization: Bearer {TOKEN}", *upgrade)
    assert status == 422  # one that is accepted would stay open
    assert asked(strict, "GET http://mien.test/v1/stream", *upgrade)[0] == 401


@pytest.mark.parametrize("target", ["http://", "http:///healthz", "http://user@mien.test/healthz", "http://?a=b"])
def test_an_absolute_target_without_a_plain_host_is_refused(strict, target):
    status, body = asked(strict, f"GET {target}")
    assert status == 400
    assert json.loads(body)["error"] == (
        "malformed HTTP request: an absolute target without a plain host: expected http://HOST/PATH"
    )


TIDIED_UP = ["/nope/..%2f", "/nope/../", "//", "/%2f", "/.", "/%2e/", "/app.js/", "/app.js%2f", "//app.js", "/./app.js"]
NOWHERE = ["/nope/../app.js", "/healthz/", "/healthz%00", "/%2e%2e/", "/%2e%2e/app.py", "/..%5capp.js", "/%ff"]


@pytest.mark.parametrize("target", TIDIED_UP + NOWHERE)
def test_the_files_of_the_page_have_one_address_each(address, target):
    status, body = asked(address, f"GET {target}")
    assert status == 404
    assert json.loads(body)["error"].endswith("/openapi.json lists the addresses")


def test_an_address_in_percent_encoding_is_the_same(address):
    assert asked(address, "GET /%61pp.js") == asked(address, "GET /app.js")
