"""Pictures fetched from a real server on this machine."""

import base64
import io
import re
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, unquote_to_bytes

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import mien
from mien.errors import InputError, TooLargeError
from mien.media import fetch
from mien.media.fetch import ascii_address, fetch_picture
from mien.media.read_image import read_image
from mien.media.sources import sort_sources

RGB = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


def png():
    content = io.BytesIO()
    Image.fromarray(RGB).save(content, "PNG")
    return content.getvalue()


class Handler(BaseHTTPRequestHandler):
    """Pictures, and what goes wrong with them."""

    seen: list = []  # noqa: RUF012 - one list for all requests is meant
    stop = threading.Event()

    def do_GET(self):
        self.seen.append((self.path, self.headers.get("Authorization"), self.headers.get("Host")))
        name = unquote(self.path.partition("?")[0]).strip("/")
        getattr(self, f"answer_{name.partition('.')[0]}", self.answer_missing)()

    def give(self, content, kind="image/png", status=200, **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(content)

    def answer_party(self):
        self.give(png())

    answer_fête = answer_party  # noqa: PLC2401 - the name of a picture

    def answer_animation(self):
        content, image = io.BytesIO(), Image.fromarray(RGB)
        image.save(content, "GIF", save_all=True, append_images=[image.rotate(turn) for turn in (90, 180)])
        self.give(content.getvalue(), "image/gif")

    def answer_page(self):
        self.give(b"<html></html>", "text/html; charset=utf-8")

    def answer_missing(self):
        self.give(b"", status=404)

    def answer_moved(self):
        self.give(b"", status=302, Location="/party.png")

    def answer_elsewhere(self):
        port = self.server.server_port
        self.give(b"", status=302, Location=f"http://127.0.0.1:{port}/party.png")

    def answer_file(self):
        self.give(b"", status=302, Location="file:///etc/hostname")

    def answer_round(self):
        self.give(b"", status=302, Location="/round.png")

    def answer_endless(self):
        self.give(b"")
        while not self.stop.is_set():
            self.wfile.write(bytes(1 << 16))

    def answer_slow(self):
        self.give(b"")
        while not self.stop.wait(0.05):
            self.wfile.write(b"x")

    def answer_silent(self):
        self.stop.wait()

    def answer_rendered(self):
        self.stop.wait(0.8)
        self.give(png())

    def log_message(self, *arguments):
        pass


@pytest.fixture
def address():
    Handler.seen.clear()
    Handler.stop.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # clients that hang up are what is tested
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_port}"
    Handler.stop.set()
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_address_is_a_picture(address):
    for name in ("party.png", "moved.png", "party?size=large"):
        np.testing.assert_array_equal(read_image(f"{address}/{name}"), RGB)
    seen = mien.recognize(f"{address}/party.png", detector="none")
    assert seen.frame.source == f"{address}/party.png"
    assert len(seen.faces) == 1


def test_letters_of_any_language_and_blanks_are_sent_as_browsers_send_them(address):
    there = f"{address}/fête.n 1.png?größe=µ&a=%C3%BC"
    assert mien.recognize(there, detector="none").frame.source == there
    assert Handler.seen[0][0] == "/f%C3%AAte.n%201.png?gr%C3%B6%C3%9Fe=%C2%B5&a=%C3%BC"


def test_an_animation_at_an_address_says_that_its_first_image_is_read(address, caplog):
    assert read_image(f"{address}/animation.gif").shape == RGB.shape
    (said,) = caplog.messages
    assert said.startswith(f"{address}/animation.gif: the first of 3 images is read; ")


@pytest.mark.parametrize(
    ("host", "sent"),
    [
        ("bücher.example", "xn--bcher-kva.example"),  # RFC 3492 and its successors' example
        ("BÜCHER.example:8080", "xn--bcher-kva.example:8080"),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),  # IANA's test domain
        ("faß.de", "xn--fa-hia.de"),  # RFC 5894: no longer the host fass.de
        ("münchen.例え:81", "xn--mnchen-3ya.xn--r8jz45g:81"),
    ],
)
def test_hosts_of_any_language_are_sent_in_punycode(host, sent):
    assert ascii_address(f"http://me:pw@{host}/a.png#top") == f"http://{sent}/a.png"


@given(st.text(st.characters(exclude_characters="%?#\\\t\r\n", exclude_categories=["Cs", "Cc"])), st.text())
def test_what_is_sent_is_ascii_stands_for_the_same_and_is_encoded_once(path, query):
    there = f"http://host/{path}"
    sent = ascii_address(there)
    assert re.fullmatch("[!-~]+", sent)
    assert unquote_to_bytes(sent).rstrip(b" ") == there.rstrip(" ").encode()
    try:
        whole = ascii_address(f"{there}?{query}")
    except UnicodeEncodeError:  # half of a surrogate pair, which no text holds
        return
    assert ascii_address(whole) == whole
    assert re.fullmatch("[!-~]+", whole)


@given(st.text("abcXYZ019-._~!$&'()*+,;=:@/%"), st.text("abc019-._~!$&'()*+,;=:@/?%"))
def test_an_address_in_ascii_is_sent_as_it_is(path, query):
    there = f"http://host/{path}?{query}" if query else f"http://host/{path}"
    assert ascii_address(there) == there


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gone.png", "cannot be fetched .the server answers 404 Not Found"),
        ("page.png", "not a picture"),
        ("file.png", "cannot be fetched"),
        ("round.png", "cannot be fetched"),
    ],
)
def test_what_gives_no_picture_is_one_line_with_the_whole_address(address, name, words):
    with pytest.raises(InputError, match=words) as caught:
        mien.analyze(f"{address}/{name}")
    assert str(caught.value).startswith(f"{address}/{name}: ")
    assert "\n" not in str(caught.value)


def test_nobody_there_is_one_line():
    with pytest.raises(InputError, match=r"^http://127\.0\.0\.1:9/a\.jpg: cannot be fetched"):
        read_image("http://127.0.0.1:9/a.jpg")


def test_a_file_without_end_is_refused(address):
    with pytest.raises(TooLargeError, match="more than 1,000,000 bytes"):
        fetch_picture(f"{address}/endless.png", most_bytes=1_000_000)


@pytest.mark.parametrize("name", ["slow.png", "silent.png"])
def test_a_server_that_drips_or_is_silent_is_not_waited_for(address, name):
    begun = time.monotonic()
    with pytest.raises(InputError, match=r"not there within 0\.5 s"):
        fetch_picture(f"{address}/{name}", most_seconds=0.5)
    assert time.monotonic() - begun >= 0.5


def test_a_server_that_thinks_longer_than_a_connection_takes_is_waited_for(address, monkeypatch):
    monkeypatch.setattr(fetch, "_CONNECTING", 0.5)
    assert fetch_picture(f"{address}/rendered.png") == png()


def test_one_that_takes_no_connection_is_not(monkeypatch):
    monkeypatch.setattr(fetch, "_CONNECTING", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it never answers the greeting of TLS
        there = f"https://127.0.0.1:{silent.getsockname()[1]}/a.png"
        with pytest.raises(InputError, match=r"a\.png: cannot be fetched \(no connection within 0\.2 s\)"):
            fetch_picture(there)


def test_a_password_goes_to_its_host_only_and_is_never_said(address):
    secret = address.replace("http://", "http://me:p%40ss@")
    read_image(f"{secret}/elsewhere.png")
    first, second = Handler.seen
    assert first[1] == "Basic " + base64.b64encode(b"me:p@ss").decode()
    assert (second[1], second[2].split(":")[0]) == (None, "127.0.0.1")
    with pytest.raises(InputError) as caught:
        read_image(f"{secret}/gone.png")
    assert "p%40ss" not in str(caught.value)
    assert mien.recognize(f"{secret}/party.png", detector="none").frame.source == f"{address}/party.png"


@pytest.mark.parametrize("source", ["ftp://host/a.jpg", "gopher://host/a", "rtsp://host/a"])
def test_other_addresses_are_no_pictures(source):
    with pytest.raises(InputError, match=f"^{source}: pictures are read from files and from http"):
        read_image(source)


def test_addresses_are_sorted_into_pictures_and_videos(address):
    pictures = [f"{address}/party.png", f"{address}/party?id=1", "http://127.0.0.1:9/a.JPG?x=1"]
    videos = [f"{address}/clip.mp4", f"{address}/live.m3u8", f"{address}/page", "rtsp://127.0.0.1:9/a.jpg"]
    found = sort_sources([*pictures, *videos])
    assert (list(found.pictures), list(found.videos)) == (pictures, videos)
