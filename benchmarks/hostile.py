"""Hostile files at full size, beside a polite client: what `benchmarks/service.py --hostile` measures."""

import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from attacks import PREDICT, Attack
from process_tree import below

MOST_SECONDS = 3.0
MOST_MEGABYTES = 1500
MOST_TIMES = 4.0
POLITE = "127.0.0.2"
ALONE = 40


def tree(pid: int) -> list[int]:
    """A process and all that descend from it."""
    return [pid, *(child.pid for child in below(pid))]


def megabytes(pid: int) -> float:
    """Memory of a process and its descendants; what they share counts once (PSS)."""
    total = 0
    for one in tree(pid):
        with suppress(OSError):
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def processor_seconds(pid: int) -> float:
    total = 0
    for one in tree(pid):
        with suppress(OSError):
            numbers = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, numbers[11:15]))  # of children that have ended, too
    return total / os.sysconf("SC_CLK_TCK")


def descriptors(pid: int) -> int:
    return sum(len(list(Path(f"/proc/{one}/fd").iterdir())) for one in tree(pid))


@dataclass
class Polite:
    """A client that sends an ordinary picture, again and again, from an address of its own (Linux)."""

    address: str
    picture: bytes
    seconds: list[float] = field(default_factory=list)
    refused: int = 0

    def ask(self, client: httpx.Client) -> None:
        started = time.perf_counter()
        headers = {"content-type": "image/jpeg"}
        answer = client.post(f"{self.address}{PREDICT}", content=self.picture, headers=headers)
        self.seconds.append(time.perf_counter() - started)
        self.refused += answer.status_code != 200

    def client(self) -> httpx.Client:
        return httpx.Client(transport=httpx.HTTPTransport(local_address=POLITE), timeout=120)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Ask ten times a second while the block lasts."""
        over = threading.Event()

        def go_on() -> None:
            with self.client() as client:
                while not over.wait(0.1):
                    self.ask(client)

        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def p95(self) -> float:
        return 1000 * statistics.quantiles(self.seconds, n=20)[-1]


@contextmanager
def watched(pid: int) -> Iterator[list[float]]:
    """The largest memory while the block lasts, in a list of one."""
    most, over = [0.0], threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            most[0] = max(most[0], megabytes(pid))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield most
    finally:
        over.set()
        thread.join()


def sent(address: str, attack: Attack) -> tuple[int | str, float, float]:
    """Status, seconds until the answer began, seconds until it ended."""
    with httpx.Client(timeout=120) as client:  # whose making takes long, and is not the service's
        return _sent(client, f"{address}{attack.path}", attack)


def _sent(client: httpx.Client, url: str, attack: Attack) -> tuple[int | str, float, float]:
    started = time.perf_counter()
    try:
        with client.stream("POST", url, content=attack.content, headers=attack.headers) as answer:
            began = time.perf_counter() - started
            answer.read()
            return answer.status_code, began, time.perf_counter() - started
    except httpx.HTTPError as error:
        return type(error).__name__, time.perf_counter() - started, time.perf_counter() - started


def left(address: str, attack: Attack, pid: int) -> float:
    """Processor seconds that are used after a client has sent an attack and left."""
    with suppress(httpx.HTTPError):
        httpx.post(
            f"{address}{attack.path}",
            content=attack.content,
            headers=attack.headers,
            timeout=httpx.Timeout(30, read=0.5),
        )
    before = processor_seconds(pid)
    time.sleep(4)
    return processor_seconds(pid) - before


def measure_attacks(address: str, pid: int, picture: bytes, made: Sequence[Attack]) -> None:
    """Every kind of attack, one after the other, and what is left of each."""
    address = f"http://{address}"
    alone = Polite(address, picture)
    with alone.client() as client:
        for _ in range(ALONE):
            alone.ask(client)
            time.sleep(0.1)
    before = len(tree(pid)), megabytes(pid), descriptors(pid)
    print(f"alone: p95 {alone.p95():.0f} ms; {before[0]} processes, {before[1]:.0f} MB, {before[2]} descriptors")
    beside = Polite(address, picture)
    slow, large, late = 0.0, 0.0, []
    for attack in made:
        with watched(pid) as most, beside.asking():
            status, began, ended = sent(address, attack)
        burnt = left(address, attack, pid)
        slow, large = max(slow, began), max(large, most[0])
        late += [f"{attack.kind} ({began:.2f} s)"] if began > MOST_SECONDS else []
        print(
            f"{attack.kind:28} {len(attack.content):9,} bytes: {status} after {began:.2f} s, ended {ended:.2f} s, "
            f"at most {most[0]:.0f} MB; client left: {burnt:.2f} s of processor time",
            flush=True,
        )
    time.sleep(2)
    after = len(tree(pid)), megabytes(pid), descriptors(pid)
    print(
        f"slowest {slow:.2f} s (target {MOST_SECONDS:g}; beyond it: {', '.join(late) or 'none'}), "
        f"most {large:.0f} MB (target {MOST_MEGABYTES}), polite client:"
        f" p95 {beside.p95():.0f} ms over {len(beside.seconds)}, {beside.p95() / alone.p95():.1f} times alone (target "
        f"{MOST_TIMES:g}), {beside.refused} not answered 200; afterwards {after[0]} processes, {after[1]:.0f} MB, "
        f"{after[2]} descriptors"
    )


def measure_ends(serve: Callable[[], subprocess.Popen[str]], made: Sequence[Attack]) -> None:
    """How long SIGTERM takes while an attack is worked on."""
    slowest = 0.0
    for attack in made:
        process = serve()
        assert process.stderr is not None
        address = process.stderr.readline().split()[2].rstrip("/")
        clients = [threading.Thread(target=sent, args=(address, attack)) for _ in range(3)]
        for client in clients:
            client.start()
        time.sleep(0.7)
        started = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        process.communicate()
        taken = time.perf_counter() - started
        slowest = max(slowest, taken)
        print(f"SIGTERM under {attack.kind:28}: gone after {taken:.1f} s, status {process.returncode}", flush=True)
        for client in clients:
            client.join()
    print(f"SIGTERM under each attack: gone after {slowest:.1f} s at most (grace 30 s)")


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that do nothing but compute, while the block lasts."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()
