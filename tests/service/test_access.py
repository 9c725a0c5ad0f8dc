import base64
from contextlib import ExitStack

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus

import waiting
from mien.errors import RequestError
from mien.service.access import Access, check_host, check_origin, check_token
from waiting import HANG, connect, wait_for

TOKEN = "correct horse battery".replace(" ", "-")
GUARDED = ("/v1/models", "/metrics")
OPEN = ("/", "/app.js", "/healthz", "/readyz", "/openapi.json")


@pytest.fixture(scope="module")
def strict(serve):
    """A service that asks for a token and goes by two names."""
    access = {"token": TOKEN, "hosts": frozenset({"127.0.0.1", "mien.test"}), "origins": frozenset({"https://a.test"})}
    with serve(access=access, limits={"streams_per_client": 1}) as address:
        yield address


def test_the_token_guards_what_reads_faces(strict):
    with httpx.Client(base_url=f"http://{strict}", timeout=HANG) as client:
        for path in GUARDED:
            assert client.get(path).status_code == 401
            assert client.get(path).headers["www-authenticate"] == "Bearer"
            for wrong in ("Bearer", "Bearer x", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer é".encode()):
                assert client.get(path, headers={"authorization": wrong}).status_code == 401
            assert client.get(path, headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
        assert client.post("/v1/predict", content=b"x").status_code == 401
        assert client.post("/v1/predict/video", content=b"x").status_code == 401
        for path in OPEN:
            assert client.get(path).status_code == 200


def test_a_stream_takes_the_token_as_header_or_subprotocol(strict, picture):
    url = f"ws://{strict}/v1/stream"
    with pytest.raises(InvalidStatus) as refused:
        connect(url)
    assert refused.value.response.status_code == 401
    encoded = base64.urlsafe_b64encode(TOKEN.encode()).decode().rstrip("=")
    for options in (
        {"additional_headers": {"authorization": f"Bearer {TOKEN}"}},
        {"subprotocols": ["mien", f"bearer.{encoded}"]},
    ):
        wait_for_no_stream(strict)
        with connect(url, **options) as stream:
            assert stream.subprotocol == ("mien" if "subprotocols" in options else None)
            stream.send(picture("PNG"))
            assert '"error": null' in stream.recv(timeout=HANG)


def wait_for_no_stream(address):
    """Wait until the place of the last stream is free, which is soon after its end."""
    headers = {"authorization": f"Bearer {TOKEN}"}
    wait_for(lambda: "\nmien_streams 0.0\n" in waiting.get(f"http://{address}/metrics", headers=headers).text)


def test_more_streams_of_one_address_are_refused(strict):
    wait_for_no_stream(strict)
    url, options = f"ws://{strict}/v1/stream", {"additional_headers": {"authorization": f"Bearer {TOKEN}"}}
    with connect(url, **options), pytest.raises(InvalidStatus) as refused:
        connect(url, **options)
    assert refused.value.response.status_code == 429


def test_pages_from_elsewhere_are_refused(strict):
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "image/png"}
    with httpx.Client(base_url=f"http://{strict}", timeout=HANG) as client:
        for origin in (
            "https://evil.test",
            "null",
            "https://[",
            "",
            f"http://{strict}.evil.test",
            "http://127.0.0.1:1",
        ):
            answer = client.post("/v1/predict", content=b"x", headers={**headers, "origin": origin})
            assert answer.status_code == 403
            assert "access-control-allow-origin" not in answer.headers
        for origin in (f"http://{strict}", "https://a.test"):
            answer = client.post("/v1/predict", content=b"x", headers={**headers, "origin": origin})
            assert answer.status_code == 415
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://{strict}/v1/stream", origin="https://evil.test", additional_headers=headers)
    assert refused.value.response.status_code == 403


def test_an_allowed_page_may_ask_and_no_other(strict, address):
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    allowed = waiting.options(f"http://{strict}/v1/predict", headers={**asked, "origin": "https://a.test"})
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://a.test"
    for where in (strict, address):
        refused = waiting.options(f"http://{where}/v1/predict", headers={**asked, "origin": "https://b.test"})
        assert "access-control-allow-origin" not in refused.headers
        assert (refused.status_code, "--allow-origin" in refused.json()["error"]) == (403, True)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"access-control-request-method": "DELETE"}, "GET, HEAD, POST; not 'DELETE'"),
        ({"access-control-request-method": "POST", "access-control-request-headers": "Accept, X-Own"}, "not 'x-own'"),
    ],
)
def test_an_allowed_page_learns_why_it_may_not_ask(strict, asked, says):
    headers = {**asked, "origin": "https://a.test"}
    refused = waiting.options(f"http://{strict}/v1/predict", headers=headers)
    assert (refused.status_code, says in refused.json()["error"]) == (400, True), refused.text
    assert refused.headers["access-control-allow-origin"] == "https://a.test"
    assert refused.headers["x-content-type-options"] == "nosniff"


def test_a_foreign_name_of_this_machine_is_refused(strict):
    for host, status in (("mien.test", 200), ("mien.test:99", 200), ("MIEN.test", 200), ("rebound.test", 421)):
        assert waiting.get(f"http://{strict}/", headers={"host": host}).status_code == status


def test_every_answer_carries_the_security_headers(client):
    for answer in (client.get("/"), client.get("/nowhere"), client.post("/v1/predict"), client.get("/openapi.json")):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers


@given(st.text(max_size=40))
def test_no_other_token_passes(text):
    access = Access(token=TOKEN)
    for headers in ({"authorization": f"Bearer {text}"}, {"sec-websocket-protocol": f"mien, bearer.{text}"}):
        with pytest.raises(RequestError) as refused:
            check_token(headers, access)
        assert refused.value.status == 401


@given(st.text(max_size=40).filter(lambda host: host.lower() != "localhost"))
def test_no_other_host_or_origin_passes(text):
    access = Access(hosts=frozenset({"localhost"}))
    for check, status in ((check_host, 421), (check_origin, 403)):
        with pytest.raises(RequestError) as refused:
            check({"host": f"x{text}", "origin": f"https://y{text}"}, access)
        assert refused.value.status == status


def test_the_token_is_not_in_the_settings_as_text():
    assert TOKEN not in repr(Access(token=TOKEN))


def test_streams_end_when_the_service_stops(serve):
    with ExitStack() as open_streams:
        with serve() as address:
            stream = open_streams.enter_context(connect(f"ws://{address}/v1/stream"))
        with pytest.raises(ConnectionClosed):
            stream.recv(timeout=HANG)
