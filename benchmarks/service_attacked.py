"""A polite client beside clients that are not: python benchmarks/service_attacked.py [KIND...].

Kinds: pings, chunks, silent, unfinished, forms. The polite client sends a 640x480 picture with a face, 15 times, from
another address (127.0.0.2, Linux); printed are its median and its 95th percentile, alone and beside each kind.
"""

import contextlib
import io
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter

import httpx
from PIL import Image
from skimage import data

UPGRADE = (
    b"GET /v1/stream HTTP/1.1\r\nhost: 127.0.0.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
HEAD = b"POST /v1/predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: image/png\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
REQUESTS = 15


def encoded(image):
    file = io.BytesIO()
    image.save(file, "JPEG")
    return file.getvalue()


def polite(address):
    photo = Image.new("RGB", (640, 480), (90, 90, 90))
    photo.paste(Image.fromarray(data.astronaut()).resize((480, 480)), (80, 0))
    picture, seconds, statuses = encoded(photo), [], Counter()
    with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.2"), timeout=60) as client:
        for _ in range(REQUESTS):
            started = time.perf_counter()
            try:
                headers = {"content-type": "image/jpeg"}
                statuses[client.post(f"{address}/v1/predict", content=picture, headers=headers).status_code] += 1
            except httpx.HTTPError as error:
                statuses[type(error).__name__] += 1
            seconds.append(1000 * (time.perf_counter() - started))
            time.sleep(0.15)
    seconds.sort()
    return f"p50 {seconds[REQUESTS // 2]:.0f} ms, p95 {seconds[int(0.95 * REQUESTS)]:.0f} ms, {dict(statuses)}"


class Attack:
    """What an impolite client does until `stop` is set."""

    def __init__(self, address):
        self.address, self.stop = address, threading.Event()
        host, port = address.removeprefix("http://").split(":")
        self.place = host, int(port)

    def connected(self):
        return socket.create_connection(self.place, timeout=5)

    def flood(self, head, content):
        while not self.stop.is_set():
            with contextlib.suppress(OSError), self.connected() as connection:
                connection.sendall(head)
                if head is UPGRADE:
                    connection.recv(4096)
                while not self.stop.is_set():
                    connection.send(content)

    def pings(self):
        self.flood(UPGRADE, b"\x89\x80\0\0\0\0" * 10_000)

    def chunks(self):
        self.flood(CHUNKED, b"1\r\na\r\n" * 10_000)

    def silent(self):
        held = []
        while not self.stop.is_set():
            with contextlib.suppress(OSError):
                held.append(self.connected())
            if len(held) > 600:
                held.pop(0).close()

    def unfinished(self):
        held = []
        while not self.stop.is_set():
            with contextlib.suppress(OSError):
                held.append(self.connected())
                held[-1].sendall(HEAD + b"content-length: 1000\r\n\r\nx")
            if len(held) > 64:
                held.pop(0).close()
            time.sleep(0.02)

    def forms(self):
        files = [("picture", ("grey.jpg", encoded(Image.new("L", (5000, 5000))), "image/jpeg"))] * 16
        with httpx.Client(timeout=120) as client:
            while not self.stop.is_set():
                with contextlib.suppress(httpx.HTTPError):
                    client.post(f"{self.address}/v1/predict", files=files)


KINDS = {"pings": 4, "chunks": 4, "silent": 1, "unfinished": 1, "forms": 31}
"""How many clients do it at a time."""


def main():
    command = [sys.executable, "-m", "mien", "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as service:
        address = service.stderr.readline().split()[2].rstrip("/")
        print(f"alone: {polite(address)}", flush=True)
        for kind in sys.argv[1:] or KINDS:
            attack = Attack(address)
            for _ in range(KINDS[kind]):
                threading.Thread(target=getattr(attack, kind), daemon=True).start()
            time.sleep(1.5)
            health = httpx.get(f"{address}/healthz", timeout=60).status_code
            print(f"{kind}: {polite(address)}, health {health}", flush=True)
            attack.stop.set()
            time.sleep(1)
        started = time.perf_counter()
        service.terminate()
        service.wait()
        print(f"SIGTERM: gone after {time.perf_counter() - started:.1f} s", flush=True)
    os._exit(0)  # threads may still wait for an answer


if __name__ == "__main__":
    main()
