"""Mutated requests and streams, byte by byte, against the service: no 5xx but 503, and nothing in its log.

    python benchmarks/fuzz_wire.py --count 5000

What HTTP, forms, JSON and WebSockets are made of is cut, doubled and mixed; a failure is made again by its number.
"""

import argparse
import io
import re
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from random import Random

from PIL import Image

WAIT = 0.2
"""Seconds that an answer may take; who waits for more of a request is left."""
PIECES = (
    *(b"\r\n", b"\0", b"\xff", b" ", b":", b"0\r\n\r\n", b"\x89\x80\0\0\0\0", b"HEAD / HTTP/1.1\r\n\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"Content-Length: 3\r\n", b"Expect: 100-continue\r\n"),
    *(b"Connection: keep-alive\r\n", b"Upgrade: h2c\r\nConnection: upgrade\r\n"),
    b"Upgrade: websocket\r\nConnection: upgrade\r\n",
)
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


def seeds(host: bytes) -> list[bytes]:
    """A sound request of every kind."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64)).save(file, "PNG")
    png, head = file.getvalue(), b" HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n"
    part = b'--x\r\ncontent-disposition: form-data; name="picture"; filename="a"\r\n\r\n' + png + b"\r\n--x--\r\n"
    bodies = [
        (b"image/png", png),
        (b"multipart/form-data; boundary=x", part),
        (b"application/json", b'{"pictures":[{"data":"aGVsbG8=","name":"a"}]}'),
    ]
    posts = [
        b"POST /v1/predict" + head + b"Content-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind, len(body)) + body
        for kind, body in bodies
    ]
    chunked = b"Content-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(png)
    posts.append(b"POST /v1/predict" + head + chunked + png + b"\r\n0\r\nx: y\r\n\r\n")
    return [b"GET /healthz" + head + b"\r\n", b"HEAD /v1/models" + head + b"\r\n", *posts]


def handshake(host: bytes) -> bytes:
    head = b"GET /v1/stream HTTP/1.1\r\nHost: " + host + b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    return head + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"


def _frames(chance: Random) -> bytes:
    """Frames of a WebSocket, few of them as they should be."""
    made = b""
    for _ in range(chance.randrange(1, 12)):
        data = chance.randbytes(chance.choice([0, 2, 20, 125]))
        first = chance.choice([0x80, 0x80, 0, 0xC0]) | chance.choice([0, 1, 2, 2, 8, 9, 10, 3])
        made += bytes([first, chance.choice([0x80] * 9 + [0]) | len(data)]) + bytes(4) + data
    return made


def _mutated(content: bytes, chance: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.randrange(1, 5)):
        at, length = chance.randrange(len(changed) + 1), chance.randrange(1, 60)
        match chance.randrange(4):
            case 0:
                changed[at:at] = chance.choice(PIECES)
            case 1:
                del changed[at : at + length]
            case 2:
                changed[at : at + 1] = chance.randbytes(1)
            case 3:
                changed[at:at] = changed[at : at + length]
    return bytes(changed)


def wires(numbers: Sequence[int], host: bytes) -> Iterator[tuple[int, bytes]]:
    """What is sent over one connection, by number; every third is a stream."""
    sound, upgrade = seeds(host), handshake(host)
    for number in numbers:
        chance = Random(number)  # noqa: S311 - the same bytes every time
        if number % 3:
            yield number, _mutated(chance.choice(sound), chance)
        else:
            yield number, (upgrade if number % 2 else _mutated(upgrade, chance)) + _frames(chance)


def statuses(address: tuple[str, int], content: bytes) -> list[int]:
    """The statuses that come back before the client leaves."""
    found = b""
    with suppress(OSError), socket.create_connection(address, timeout=WAIT) as connection:
        connection.sendall(content)
        while part := connection.recv(65_536):
            found += part
    return [int(status) for status in STATUS.findall(found)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=3000)
    options = parser.parse_args()
    command = [sys.executable, "-m", "mien", "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        host, _, port = process.stderr.readline().split()[2].removeprefix("http://").rstrip("/").partition(":")
        counted = Counter[int]()
        for number, content in wires(range(options.count), host.encode()):
            answers = statuses((host, int(port)), content)
            counted.update(answers)
            if any(status >= 500 for status in answers):
                print(f"{number}: {answers}", flush=True)
        process.terminate()
        log = process.stderr.read()
    print(f"{options.count} connections, answers {dict(counted)}; the log (nothing is wanted): {log!r}")


if __name__ == "__main__":
    main()
