"""The browser edition in headless Chromium: frames a second, beside human in the same page; a camera's memory.

python benchmarks/browser.py [--turns 60] [--human FOLDER] [--camera SECONDS] [--clip MJPEG]

In FOLDER: ``npm install --ignore-scripts --legacy-peer-deps @vladmandic/human@3.3.6
@tensorflow/tfjs-backend-wasm@4.22.0``. Every turn runs each way once on the same canvas of 640x480 with one face, so
that they share what else the machine does: trust ratios, not times. --camera runs the page before Chromium's fake
camera and prints the WebAssembly heap and the resident memory of Chromium's processes; without --clip that camera
shows no face.
"""

import argparse
import contextlib
import functools
import http.server
import json
import shutil
import statistics
import tempfile
import threading
import time
from importlib import resources
from pathlib import Path

from playwright.sync_api import sync_playwright

from mien.model.onnx_model import Bundle
from mien.web.folder import write_web_folder

HERE = Path(__file__).parent
MEMORY = """
const { Memory } = WebAssembly;
self.memories = [];
WebAssembly.Memory = function (wanted) { const made = new Memory(wanted); memories.push(made); return made; };
"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A static server that says nothing."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Say nothing."""


@contextlib.contextmanager
def serving(folder):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        server.daemon_threads, server.block_on_close = True, False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def prepared(root, human):
    """A folder with the page of this benchmark and all that it loads."""
    site = root / "site"
    sizes = write_web_folder(site, Bundle.load("mien_s"))
    (engine,) = site.glob("page-*/engine.js")
    for name in ("browser.html", "browser.js"):
        shutil.copy(HERE / name, root / name)
    (root / "assets").symlink_to(site / "assets")
    (root / "engine.js").write_text(engine.read_text().replace("../assets/", "./assets/"))
    (root / "photo.jpg").write_bytes((resources.files("mien") / "samples" / "astronaut.jpg").read_bytes())
    if human:
        (root / "human").symlink_to(human / "node_modules/@vladmandic/human")
        (root / "tfjs").symlink_to(human / "node_modules/@tensorflow/tfjs-backend-wasm/dist")
    return site, sizes


def race(engine, address, turns, with_human):
    browser = engine.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
    page = browser.new_page()
    page.set_default_timeout(600_000)
    page.goto(f"{address}browser.html")
    page.wait_for_function("window.measure")
    told = page.evaluate("([turns, human]) => measure(turns, human)", [turns, with_human])
    browser.close()
    print(f"engine and photo ready after {told['ready']:.0f} ms")
    rows = {name: sorted(way["times"]) for name, way in told["found"].items()}
    for name, times in rows.items():
        middle, low = statistics.median(times), times[len(times) // 10]
        faces = sorted(set(told["found"][name]["faces"]))
        print(f"{name}: {middle:.1f} ms ({low:.1f}), {1000 / middle:.1f} frames/s, faces found {faces}")
    if with_human:
        other = statistics.median(rows.pop("human, detector and emotion"))
        print(
            "human takes longer by: "
            + ", ".join(f"{name} {other / statistics.median(t):.2f}" for name, t in rows.items())
        )


def opened(engine, clip):
    camera = [f"--use-file-for-fake-video-capture={clip}"] if clip else []
    fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    return engine.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", *fake, *camera])


def start(engine, address):
    """How long the page takes to be ready, at first and from its own copy."""
    browser = opened(engine, None)
    page = browser.new_context().new_page()
    for visit in ("first visit", "from its copy", "from its copy"):
        started = time.monotonic()
        page.goto(f"{address}site/")
        page.wait_for_selector("#about[data-ready]")
        print(f"{visit}: ready after {time.monotonic() - started:.2f} s")
        page.evaluate("navigator.serviceWorker.ready.then(() => 0)")
    browser.close()


def resident(browser_name="chrom"):
    """Megabytes of Chromium's processes."""
    kilobytes = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            text = status.read_text()
            if browser_name in text.partition("\n")[0]:
                kilobytes += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS"))
    return kilobytes / 1000


def camera(engine, address, site, seconds, clip):
    browser = opened(engine, clip)
    context = browser.new_context(service_workers="block")
    (worker,) = site.glob("assets/worker-*.js")
    script = {"content_type": "text/javascript", "body": MEMORY + worker.read_text()}
    context.route(f"**/{worker.name}", lambda route: route.fulfill(**script))
    page = context.new_page()
    page.goto(f"{address}site/")
    page.wait_for_selector("#about[data-ready]")
    page.click("#camera")
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        page.wait_for_timeout(min(20, seconds) * 1000)
        heap = page.workers[0].evaluate("memories.map(({ buffer }) => buffer.byteLength)")
        print(
            f"{time.monotonic() - started:.0f} s: wasm heap {sum(heap) / 1e6:.1f} MB, Chromium {resident():.0f} MB, "
            f"{page.inner_text('#status')}"
        )
    print(json.dumps({"results": page.get_attribute("#canvas", "data-results")}))
    browser.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--human", type=Path)
    parser.add_argument("--camera", type=int, default=0)
    parser.add_argument("--clip", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as engine:
        site, sizes = prepared(Path(folder), asked.human and asked.human.resolve())
        print("a first visit:", ", ".join(f"{size / 1e6:.2f} MB {kind}" for kind, size in sizes.items()))
        with serving(folder) as address:
            if asked.turns:
                start(engine.chromium, address)
                race(engine.chromium, address, asked.turns, bool(asked.human))
            if asked.camera:
                camera(engine.chromium, address, site, asked.camera, asked.clip)


if __name__ == "__main__":
    main()
