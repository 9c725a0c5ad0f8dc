"""A recogniser whose answers are known, and the service around it on a real socket."""

import contextlib
import io
import socket
import threading

import httpx
import numpy as np
import pytest
import uvicorn
from PIL import Image
from skimage import data

from mien.recognition.recognizer import Recognizer
from mien.service.access import Access
from mien.service.app import create_app
from mien.service.limits import Limits
from mien.service.server import server_config
from mien.service.settings import Settings
from waiting import HANG, wait_for


@pytest.fixture(scope="session")
def astronaut_jpeg():
    """A photo with one face, 640x480."""
    photo = Image.new("RGB", (640, 480), (90, 90, 90))
    photo.paste(Image.fromarray(data.astronaut()).resize((480, 480)), (80, 0))
    return encoded(photo, "JPEG", quality=88)


@pytest.fixture(scope="session")
def recognizer():
    return Recognizer(threads=1)


def encoded(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


@pytest.fixture(scope="session")
def picture():
    """Encodes a grey picture: picture("PNG", (width, height))."""

    def make(form, size=(64, 48), **options):
        return encoded(Image.fromarray(np.full((size[1], size[0], 3), 128, np.uint8)), form, **options)

    return make


@contextlib.contextmanager
def served(app, limits):
    """The address of the service on a socket of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(server_config(app, "127.0.0.1", 0, limits))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    try:
        wait_for(lambda: server.started)
        yield address
    finally:
        server.should_exit = True
        thread.join(HANG)


PATIENT = {"picture_seconds": HANG, "picture_cpu_seconds": HANG, "queue_seconds": HANG}
"""Limits of time, which no test that is not about them meets."""


@pytest.fixture(scope="session")
def serve(recognizer):
    """Runs a service: with serve(limits={...}, access={...}) as address."""

    def run(recognizer=recognizer, *, limits=None, access=None):
        settings = Settings(limits=Limits(**(PATIENT | (limits or {}))), access=Access(**(access or {})))
        return served(create_app(recognizer, settings), settings.limits)

    return run


@pytest.fixture(scope="session")
def address(serve):
    """A service with all defaults."""
    with serve() as address:
        yield address


@pytest.fixture
def client(address):
    with httpx.Client(base_url=f"http://{address}", timeout=HANG) as client:
        yield client
