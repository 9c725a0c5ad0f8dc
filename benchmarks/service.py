"""The service under load, from a second process on the same machine; needs the extras serve and demo.

    python benchmarks/service.py                      # load and hostile files, about a minute
    python benchmarks/service.py --soak 600           # and ten minutes of both, with the memory watched
    python benchmarks/service.py --generated 5000     # and requests generated from the OpenAPI document
    python benchmarks/service.py --hostile            # files that cost far more than their size, beside a polite client
    python benchmarks/service.py --hostile --busy 2   # the same on two busy cores
    python benchmarks/service.py --against OTHER/src  # the time of a request beside that of another commit
    python benchmarks/service.py --camera             # and the camera page in Chromium (extra dev)

Baselines, measured in the same run: the recogniser alone, called in a loop; and the service with one client. CPU time
of the service is printed beside the time on the clock, because the clock also counts what else the machine does.
"""

import argparse
import http.client
import io
import json
import math
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from skimage import data

from mien.recognition.recognizer import Recognizer

SECONDS = 10.0
ROUNDS, TURN_SECONDS = 12, 3.0
PREDICT = "/v1/predict"


@dataclass
class Load:
    """What clients saw: seconds and status of every answer, requests that got none."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    lost: int = 0

    def p(self, share: float) -> float:
        return 1000 * sorted(self.seconds)[int(share * (len(self.seconds) - 1))]


def photo() -> bytes:
    """A photo with one face, 640x480."""
    canvas = Image.new("RGB", (640, 480), (90, 90, 90))
    canvas.paste(Image.fromarray(data.astronaut()).resize((480, 480)), (80, 0))
    file = io.BytesIO()
    canvas.save(file, "JPEG", quality=88)
    return file.getvalue()


def start_service(*arguments: str, folder: Path | None = None) -> subprocess.Popen[str]:
    """`mien serve`, whose first line on standard error names its address; of the package in another folder."""
    command = [sys.executable, "-m", "mien", "serve", "--port", "0", *arguments]
    environment = os.environ if folder is None else {**os.environ, "PYTHONPATH": str(folder.absolute())}
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)


@contextmanager
def service(*arguments: str, folder: Path | None = None) -> Iterator[tuple[int, str]]:
    """A running service: process id and address."""
    process = start_service(*arguments, folder=folder)
    try:
        assert process.stderr is not None
        yield process.pid, process.stderr.readline().split()[2].removeprefix("http://").rstrip("/")
    finally:
        process.terminate()
        process.communicate(timeout=60)


def cpu_seconds(pid: int) -> float:
    numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")


def resident_megabytes(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def client(address: str, bodies: Callable[[], tuple[bytes, str]], until: float, load: Load) -> None:
    """Ask again and again over one connection, as browsers and programs do."""
    connection = http.client.HTTPConnection(address, timeout=60)
    while time.perf_counter() < until:
        content, kind = bodies()
        started = time.perf_counter()
        try:
            connection.request("POST", PREDICT, content, {"content-type": kind})
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            load.lost += 1
            connection.close()
            continue
        load.seconds.append(time.perf_counter() - started)
        load.statuses[answer.status] += 1
    connection.close()


def run_clients(address: str, count: int, bodies: Callable[[], tuple[bytes, str]], seconds: float) -> Load:
    load, until = Load(), time.perf_counter() + seconds
    threads = [threading.Thread(target=client, args=(address, bodies, until, load)) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return load


def chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")


def png(width: int, height: int, *extra: bytes, pixels: bytes = b"") -> bytes:
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\x00\x00\x00"
    parts = (chunk(b"IHDR", header), *extra, chunk(b"IDAT", pixels), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def hostile(count: int = 200) -> list[tuple[str, bytes, str]]:
    """Files that are no readable pictures, by kind: name, content, declared media type."""
    good, chance = photo(), random.Random(7)  # noqa: S311 - the same files every time
    bomb = zlib.compress(bytes(60_000_000), 9)
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    kinds: list[Callable[[], tuple[str, bytes, str]]] = [
        lambda: ("truncated", good[: chance.randrange(3, len(good) * 9 // 10)], "image/jpeg"),
        lambda: ("polyglot", b"GIF89a/*" + chance.randbytes(200) + b"*/=1;alert(1)", "image/gif"),
        lambda: ("polyglot", b"%PDF-1.4\n" + good, "image/jpeg"),
        lambda: ("huge", png(chance.randrange(20_000, 2**31), 60_000, pixels=zlib.compress(bytes(1000))), "image/png"),
        lambda: ("bomb", png(4000, 5000, pixels=bomb[: chance.randrange(1000, len(bomb) // 2)]), "image/png"),
        lambda: ("bomb", png(100, 100, chunk(b"zTXt", b"Comment\0\0" + bomb)), "image/png"),
        lambda: ("bomb", b"PK\x03\x04" + bomb, "application/octet-stream"),
        lambda: ("svg", svg * chance.randrange(1, 50), chance.choice(["image/svg+xml", "image/png"])),
        lambda: ("wrong type", good, chance.choice(["image/png", "text/plain", "application/zip", "video/mp4"])),
        lambda: ("noise", chance.randbytes(chance.randrange(1, 100_000)), "application/octet-stream"),
        lambda: ("noise", b"\xff\xd8\xff" + chance.randbytes(chance.randrange(1, 50_000)), "image/jpeg"),
        lambda: ("form", b"--x\r\n" + chance.randbytes(1000), "multipart/form-data; boundary=x"),
        lambda: ("json", b'{"pictures":' + b"[" * chance.randrange(1, 100_000), "application/json"),
        lambda: ("too large", bytes(21 * 2**20), "image/png"),
    ]
    return [kinds[number % len(kinds)]() for number in range(count)]


def measure_hostile(address: str) -> None:
    slowest, answers, wrong = 0.0, Counter[int](), []  # 0: the client was cut off while it still sent
    for name, content, kind in hostile():
        connection = http.client.HTTPConnection(address, timeout=60)
        started = time.perf_counter()
        try:
            connection.request("POST", PREDICT, content, {"content-type": kind})
            status = connection.getresponse().status
        except OSError:
            status = 0
        slowest = max(slowest, time.perf_counter() - started)
        connection.close()
        answers[status] += 1
        if not 400 <= status < 500:
            wrong.append((name, status))
    print(f"200 hostile files: answers {dict(answers)}, not 4xx: {wrong}, slowest {slowest:.2f} s (target 1 s)")


def measure_load(address: str, pid: int) -> None:
    picture, recognizer = photo(), Recognizer(threads=1)
    recognizer.predict(picture)
    started, cpu = time.perf_counter(), time.process_time()
    for _ in range(20):
        recognizer.predict(picture)
    alone, alone_cpu = (time.perf_counter() - started) / 20, (time.process_time() - cpu) / 20
    print(f"baseline, Recognizer.predict in a loop: {1000 * alone:.1f} ms, {1000 * alone_cpu:.1f} ms of CPU a picture")
    rates = {}
    for count in (1, 4, 16):
        before, started = cpu_seconds(pid), time.perf_counter()
        load = run_clients(address, count, lambda: (picture, "image/jpeg"), SECONDS)
        rates[count] = len(load.seconds) / (time.perf_counter() - started)
        used = (cpu_seconds(pid) - before) / len(load.seconds)
        times = f"p50 {load.p(0.5):.0f} ms, p95 {load.p(0.95):.0f} ms"
        print(
            f"{count:2} clients: {rates[count]:5.1f} pictures a second, {times}"
            f", service's CPU {1000 * used:.1f} ms a picture ({used / alone_cpu:.2f} of the baseline),"
            f" answers {dict(load.statuses)}, lost {load.lost}"
        )
    print(f"16 clients over 1: {rates[16] / rates[1]:.2f} times (target 1.5); p50 of 4 clients: target 60 ms")


def measure_against(folder: Path) -> None:
    """Another commit's service beside this one, asked in turns, so that both see the same machine."""
    picture = photo()
    with service() as (_, address), service(folder=folder) as (_, other):
        for count in (1, 4):
            loads = {name: Load() for name in (address, other)}
            for _ in range(ROUNDS):
                for name, load in loads.items():
                    load.seconds += run_clients(name, count, lambda: (picture, "image/jpeg"), TURN_SECONDS).seconds
            here, there = (load.p(0.5) for load in loads.values())
            answers = [len(load.seconds) for load in loads.values()]
            print(f"{count} clients: p50 {here:.0f} ms, {folder}: {there:.0f} ms, {here / there:.2f} times {answers}")


def measure_soak(address: str, pid: int, seconds: float) -> None:
    """Good and hostile clients together; the memory of all processes, at rest, after a tenth of the time is what it is
    compared with.
    """
    from hostile import megabytes

    picture, bad = photo(), [(content, kind) for _, content, kind in hostile()]
    loads: list[Load] = []

    def mixed() -> tuple[bytes, str]:
        return (picture, "image/jpeg") if random.random() < 0.7 else random.choice(bad)  # noqa: S311

    memory = []
    for number in range(10):
        loads.append(run_clients(address, 4, mixed, seconds / 10))
        time.sleep(2)  # what was begun is finished, and who was ended is replaced
        memory.append(megabytes(pid))
        alone = resident_megabytes(pid)
        at = (number + 1) * seconds / 10
        print(f"  {at:4.0f} s: {memory[-1]:.0f} MB, the service itself {alone:.0f} MB", flush=True)
    statuses = sum((load.statuses for load in loads), Counter[int]())
    lost = sum(load.lost for load in loads)
    growth = memory[-1] / memory[0] - 1
    p50 = statistics.median([one for load in loads for one in load.seconds])
    print(
        f"{seconds:.0f} s of 4 clients, 30 % hostile: {dict(statuses)}, lost {lost} (target 0), p50 {1000 * p50:.0f} ms"
        f", memory {memory[0]:.0f} -> {memory[-1]:.0f} MB ({growth:+.1%}, target within 5 %), at most {max(memory):.0f}"
    )


def measure_generated(address: str, count: int) -> None:
    """Requests that schemathesis generates from the OpenAPI document."""
    import schemathesis
    from hypothesis import HealthCheck, Phase, given, settings

    from mien.service.media_types import PICTURES, VIDEOS

    @schemathesis.serializer(*PICTURES, *VIDEOS)
    def binary(ctx, value):
        return getattr(value, "data", str(value).encode())

    operations = list(schemathesis.openapi.from_url(f"http://{address}/openapi.json").get_all_operations())
    statuses = Counter[int]()
    for operation in operations:

        @settings(
            max_examples=count // 2 if operation.ok().method == "post" else 10,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.ok().as_strategy())
        def run(case):
            statuses[case.call().status_code] += 1

        run()
    errors = sum(number for status, number in statuses.items() if status >= 500)
    print(f"{statuses.total()} generated requests: {json.dumps(statuses)}, 5xx: {errors} (target 0)")


def camera_clip(path: Path) -> None:
    """Eight seconds of a face that moves slowly, for a camera that is none."""
    import av

    photo = Image.fromarray(data.astronaut()).resize((480, 480))
    with av.open(str(path), "w", format="mjpeg") as file:
        stream = file.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuvj420p"
        for number in range(200):
            image = Image.new("RGB", (640, 480), (90, 90, 90))
            image.paste(photo, (80 + round(40 * math.sin(2 * math.pi * number / 200)), 0))
            file.mux(stream.encode(av.VideoFrame.from_image(image)))
        file.mux(stream.encode())


def measure_camera(address: str) -> None:
    """Results a second that the page shows, from camera to screen."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as engine:
        clip = Path(folder) / "face.mjpeg"
        camera_clip(clip)
        fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        browser = engine.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", *fake, f"--use-file-for-fake-video-capture={clip}"],
        )
        page = browser.new_page(locale="en-GB")
        page.goto(f"http://{address}/")
        page.click("#camera")
        page.wait_for_selector(".timeline:visible", timeout=60_000)
        before, started = int(page.get_attribute("#canvas", "data-results") or 0), time.perf_counter()
        page.wait_for_timeout(1000 * SECONDS)
        count = int(page.get_attribute("#canvas", "data-results") or 0) - before
        rate, says = count / (time.perf_counter() - started), page.inner_text("#status")
        browser.close()
    print(f"camera page: {rate:.1f} results a second (target 10); it says: {says}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--soak", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--generated", type=int, default=0, metavar="REQUESTS")
    parser.add_argument("--against", type=Path, metavar="SRC", help="Folder of another commit's package.")
    parser.add_argument("--camera", action="store_true")
    parser.add_argument("--hostile", action="store_true")
    parser.add_argument("--seed", type=int, default=1, help="Of the hostile files.")
    parser.add_argument(
        "--busy", type=int, default=0, metavar="N", help="Processes that compute beside it (--hostile)."
    )
    options = parser.parse_args()
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    if options.against:
        measure_against(options.against)
        return
    if options.hostile:
        from attacks import attacks
        from hostile import busy, measure_attacks, measure_ends

        made = list(attacks(options.seed))
        with busy(options.busy):
            with service() as (pid, address):
                measure_attacks(address, pid, photo(), made)
            measure_ends(start_service, made)
        return
    with service() as (pid, address):
        measure_load(address, pid)
        measure_hostile(address)
        if options.camera:
            measure_camera(address)
        if options.generated:
            measure_generated(address, options.generated)
        if options.soak:
            measure_soak(address, pid, options.soak)


if __name__ == "__main__":
    main()
