"""The folder in a real browser: parity with Python, nothing leaves the machine, offline, camera, videos, own models."""

import contextlib
import csv
import functools
import http.server
import io
import itertools
import json
import threading
from pathlib import Path

import pytest
from PIL import Image

from mien.labels import EMOTIONS
from mien.model.embedded import versioned_name
from mien.model.onnx_model import Bundle
from mien.output.table_rows import table_columns
from mien.web.documents import WORKER_POLICY
from mien.web.folder import write_web_folder
from own_model import write_model
from waiting import HANG, wait_for

AXE = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"
READY = "#about[data-ready]"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """`python -m http.server` without its log, on connections that stay open."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Say nothing."""


@contextlib.contextmanager
def serving(folder, handler=Quiet):
    """The address of a folder that is served."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=folder)) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def site(web_folder, parity, tmp_path_factory):
    """The folder with the fixtures of parity beside it."""
    root = tmp_path_factory.mktemp("root")
    (root / "site").symlink_to(web_folder)
    (root / "parity").symlink_to(parity)
    return root


@pytest.fixture(scope="module")
def visit(browser, site):
    """A visit to the page: its address, and a browser context in which it is kept after the first time."""
    with serving(site) as address:
        context = browser.new_context(locale="en-GB", viewport={"width": 390, "height": 844})
        context.set_default_timeout(1000 * HANG)
        yield f"{address}site/", context
        context.close()


@pytest.fixture
def page(visit):
    """The page, ready; afterwards it must have said no error and sent nothing, and asked no other host for anything."""
    address, context = visit
    page = context.new_page()
    troubles, asked = [], []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    context.on("request", lambda request: asked.append((request.method, request.url, request.post_data_buffer)))
    page.goto(address)
    page.wait_for_selector(READY)
    yield page
    page.evaluate("localStorage.clear()")
    page.close()
    assert troubles == []
    assert len(asked) > 10
    host = address.removesuffix("site/")
    own = (host, f"blob:{host}", "data:")
    assert [entry for entry in asked if entry[0] != "GET" or entry[2] or not entry[1].startswith(own)] == []


@pytest.fixture
def photo(parity):
    return {"name": "a, b.jpg", "mimeType": "image/jpeg", "buffer": (parity / "orientation-1.jpg").read_bytes()}


def downloaded(page, button):
    with page.expect_download() as download:
        page.click(button)
    return Path(download.value.path()).read_bytes()


def largest(one, other):
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def check_faces(found, expected, bound):
    """Boxes within 2 px, probabilities within a bound, the same labels and people."""
    assert len(found) == len(expected)
    for face, other in zip(found, expected, strict=True):
        assert face.keys() == (other.keys() - {"crop", "logits"}) | {"face"}
        for measure in ("brightness", "yaw", "pitch", "roll"):
            assert abs(face[measure] - other[measure]) <= 0.31
        assert largest(face["box"], other["box"]) <= 2
        assert largest(itertools.chain(*face["landmarks"]), itertools.chain(*other["landmarks"])) <= 1
        assert list(face["probabilities"]) == list(other["probabilities"])
        assert largest(face["probabilities"].values(), other["probabilities"].values()) <= bound
        assert (face["emotion"], face["track"]) == (other["emotion"], other["track"])


RECOGNIZE = """async ([library, names, pictures]) => {
  const { FILES, load } = await import(library);
  const mien = await load({ assets: FILES });
  const found = {};
  const fetched = async (name) => (await fetch(`/parity/${name}`)).blob();
  for (const name of names) found[name] = await mien.frame(await fetched(name), { source: name });
  for (const [name, { file, ...sizes }] of Object.entries(pictures)) {
    const data = new Uint8Array(await (await fetched(file)).arrayBuffer());
    found[name] = await mien.frame({ data, ...sizes }, { source: name });
  }
  mien.close();
  found.closed = await mien.recognize(new ImageData(8, 8)).catch((error) => error.message);
  return found;
}"""


def test_pictures_give_pythons_faces(page, web_folder, parity):
    """Decoded by the browser: orientations, alpha, CMYK, a foreign colour profile; and as pixels."""
    told = json.loads((parity / "fixtures.json").read_text())
    (library,) = web_folder.glob("page-*/engine.js")
    chosen = ["turned by 40", "many", "face of 20 px", "large", "nobody"]
    pictures = {name: told["pictures"][name]["image"] for name in chosen}
    library = f"/site/{library.relative_to(web_folder)}"
    found = page.evaluate(RECOGNIZE, [library, list(told["files"]), pictures])
    assert found["closed"] == "mien was closed"
    for name, frame in told["files"].items():
        assert (found[name]["width"], found[name]["height"]) == (frame["width"], frame["height"]), name
        check_faces(found[name]["faces"], frame["faces"], 0.001)
    for name in chosen:
        check_faces(found[name]["faces"], told["pictures"][name]["faces"], 0.01 if name == "large" else 0.001)


def test_what_is_saved_is_the_schema_of_the_command_line(page, photo):
    page.set_input_files("#file", photo)
    page.wait_for_selector(".card")
    document = json.loads(downloaded(page, "#save-json"))
    assert document["model"] == {"name": versioned_name("mien_s"), "sha256": Bundle.load("mien_s").sha256}
    assert document["options"] == {"detector": "yunet", "min_confidence": 0.6, "min_face": 48}
    (row,) = csv.DictReader(io.StringIO(downloaded(page, "#save-csv").decode()))
    assert tuple(row) == table_columns(EMOTIONS)
    assert float(row["happy"]) == document["frames"][0]["faces"][0]["probabilities"]["happy"]
    assert downloaded(page, "#save-picture").startswith(b"\x89PNG")


def test_it_works_without_a_network_after_the_first_visit(browser, web_folder):
    context = browser.new_context()
    context.set_default_timeout(1000 * HANG)
    page = context.new_page()
    with serving(web_folder) as address:
        page.goto(address)
        wait_for(lambda: page.evaluate("Boolean(navigator.serviceWorker.controller)"))
    page.reload()
    page.wait_for_selector(READY)
    page.click("#sample")
    page.wait_for_selector(".card")
    assert page.inner_text(".verdict").startswith("happy ")
    (worker,) = web_folder.glob("assets/worker-*.js")
    policy = "address => fetch(address).then(({ headers }) => headers.get('content-security-policy'))"
    assert page.evaluate(policy, f"assets/{worker.name}") == WORKER_POLICY
    context.close()


class Kept(Quiet):
    """Tells browsers to keep files and not to ask again, as many hosts do."""

    def end_headers(self):
        if not self.path.endswith("sw.js"):
            self.send_header("cache-control", "max-age=86400")
        super().end_headers()


@pytest.mark.slow  # tests/web/test_folder.py shows that each file's hash is listed, which a visit compares
def test_a_folder_that_is_written_anew_reaches_those_who_were_there(browser, tmp_path):
    """The copy is not made of what the browser kept from before: that names files that are gone."""
    folder, own = tmp_path / "site", write_model(tmp_path / "own.onnx", ("calm", "高兴"))
    write_web_folder(folder, Bundle.load(own))
    context = browser.new_context()
    context.set_default_timeout(1000 * HANG)
    page = context.new_page()
    with serving(folder, Kept) as address:
        page.goto(address)
        wait_for(lambda: page.evaluate("Boolean(navigator.serviceWorker.controller)"))
        (before,) = page.evaluate("caches.keys()")
        write_web_folder(folder, Bundle.load("mien_s", threads=1))
        page.reload()
        wait_for(lambda: before not in page.evaluate("caches.keys()"))
        page.reload()
        page.wait_for_selector(f"{READY}:has-text('mien_s')")
    context.close()


FORBIDDEN = """for (const name of ["localStorage", "sessionStorage"]) {
  Object.defineProperty(window, name, { get() { throw new DOMException("denied", "SecurityError"); } });
}
ServiceWorkerContainer.prototype.register = () => Promise.reject(new DOMException("denied", "SecurityError"));
"""


def test_it_works_where_the_browser_may_keep_nothing(browser, visit):
    context = browser.new_context(locale="en-GB")
    context.set_default_timeout(1000 * HANG)
    context.add_init_script(FORBIDDEN)
    page = context.new_page()
    page.goto(visit[0])
    page.wait_for_selector("#about:has-text('keeps no copy')")
    page.click("#sample")
    page.wait_for_selector(".card")
    page.select_option("#language", "zh")
    assert page.inner_text(".verdict").startswith("高兴")
    context.close()


def test_a_model_of_ones_own_is_taken_and_a_broken_one_is_refused(page, photo, tmp_path):
    own = write_model(tmp_path / "own.onnx", ("calm", "高兴"))
    page.set_input_files("#file", own)
    page.wait_for_selector("#status:has-text('own')")
    assert page.inner_text("#about").startswith("Model own ")
    page.set_input_files("#file", photo)
    page.wait_for_selector(".card")
    assert page.locator(".card dt").all_text_contents() == ["calm", "高兴"]
    expected = Bundle.load(own)
    document = json.loads(downloaded(page, "#save-json"))
    assert document["model"]["sha256"] == expected.sha256
    page.set_input_files("#file", {"name": "b.onnx", "mimeType": "", "buffer": b"no model"})
    page.wait_for_selector("#alert:has-text('not an ONNX file')")
    page.set_input_files("#file", photo)
    page.wait_for_selector(".card")
    assert page.locator(".card dt").all_text_contents() == ["calm", "高兴"]


def test_what_cannot_be_read_is_said_and_other_pictures_are_not_lost(page, photo):
    page.set_input_files("#file", [{"name": "b.jpg", "mimeType": "image/jpeg", "buffer": b"words"}, photo])
    page.wait_for_selector("#status:has-text('2 pictures, 1 not read. 1 face: happy')")
    frames = json.loads(downloaded(page, "#save-json"))["frames"]
    assert ["cannot be read" in (frame["error"] or "") for frame in frames] == [True, False]


def test_a_picture_that_is_too_large_does_not_spoil_the_next_one(page, photo):
    """More across than a canvas may have in Chromium, 65,535."""
    wide = io.BytesIO()
    Image.new("1", (70_000, 4)).save(wide, "png")
    page.set_input_files("#file", {"name": "wide.png", "mimeType": "image/png", "buffer": wide.getvalue()})
    page.wait_for_selector("#alert:has-text('wide.png cannot be read')")
    page.set_input_files("#file", photo)
    page.wait_for_selector("#status:has-text('1 face: happy')")


COUNT_AT_ONCE = """() => {
  const { postMessage } = Worker.prototype;
  let asked = 0;
  window.most = 0;
  Worker.prototype.postMessage = function (message, ...rest) {
    if (message.call === "recognize") {
      window.most = Math.max(window.most, ++asked);
      const answered = ({ data }) => data.id === message.id && (asked--, this.removeEventListener("message", answered));
      this.addEventListener("message", answered);
    }
    postMessage.call(this, message, ...rest);
  };
}"""


def test_many_pictures_are_not_decoded_all_at_once(page, photo):
    """Eight photos of 36 megapixels would take 1.1 GB."""
    page.evaluate(COUNT_AT_ONCE)
    page.set_input_files("#file", [{**photo, "name": f"{number}.jpg"} for number in range(6)])
    page.wait_for_selector("#status:has-text('6 pictures. 6 faces')")
    assert page.evaluate("most") == 2
    frames = json.loads(downloaded(page, "#save-json"))["frames"]
    assert [frame["source"] for frame in frames] == [f"{number}.jpg" for number in range(6)]


OLD_PICTURES = """() => {
  const copy = createImageBitmap;
  const { requestVideoFrameCallback: request } = HTMLVideoElement.prototype;
  const { set, ...rest } = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "currentTime");
  let [last, old] = [null, false];
  const seek = function (time) { old = true; set.call(this, time); };
  Object.defineProperty(HTMLMediaElement.prototype, "currentTime", { ...rest, set: seek });
  HTMLVideoElement.prototype.requestVideoFrameCallback = function (shown) {
    return request.call(this, () => setTimeout(() => { old = false; shown(); }, 50));
  };
  window.createImageBitmap = async (image, ...rest) => {
    if (image instanceof HTMLVideoElement && !(last && old)) last = await copy(image, ...rest);
    return copy(image instanceof HTMLVideoElement ? last : image, ...rest);
  };
}"""


@pytest.mark.parametrize("old", [False, True])
def test_a_video_is_read_every_tenth_of_a_second(page, stage, write_clip, tmp_path, old):
    """On a busy machine, too, where the picture before a seek can be had until the new one is shown."""
    if old:
        page.evaluate(OLD_PICTURES)
    images = [stage((0, 40 + 4 * number, 60)) for number in range(25)]
    page.set_input_files("#file", write_clip(tmp_path / "clip.webm", images, codec="libvpx"))
    page.wait_for_selector("#scrub:visible")
    wait_for(lambda: page.evaluate("canvas.getContext('2d').getImageData(60, 100, 1, 1).data[3] === 255"))
    frames = json.loads(downloaded(page, "#save-json"))["frames"]
    assert [round(frame["time"], 6) for frame in frames] == [number / 10 for number in range(10)]
    places = [frame["faces"][0]["box"][0] for frame in frames]
    assert largest([place - places[0] for place in places], [10 * number for number in range(10)]) <= 4
    assert {face["track"] for frame in frames for face in frame["faces"]} == {1}
    assert page.inner_text("#timeline-title") == "Over the video"


def test_a_video_that_cannot_be_played_is_said(page):
    page.set_input_files("#file", {"name": "c.mp4", "mimeType": "video/mp4", "buffer": b"words"})
    page.wait_for_selector("#alert:has-text('c.mp4 cannot be read')")


HOLD_THE_THIRD_SEEK = """() => {
  const { set, ...rest } = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "currentTime");
  let go;
  const held = new Promise((done) => (go = done));
  Object.assign(window, { seeks: 0, go });
  const seek = function (time) {
    if (++seeks < 3) set.call(this, time);
    else held.then(() => set.call(this, time));
  };
  Object.defineProperty(HTMLMediaElement.prototype, "currentTime", { ...rest, set: seek });
}"""


def test_what_was_being_read_ends_when_something_else_begins(page, stage, write_clip, tmp_path):
    """A video, and while it is read, another model: nothing of the video is shown any more, nor goes on being read."""
    times = [0.4 * number for number in range(25)]
    clip = write_clip(tmp_path / "long.webm", [stage((0, 60, 60))] * len(times), times=times, codec="libvpx")
    page.evaluate(HOLD_THE_THIRD_SEEK)
    page.set_input_files("#file", [clip, clip])
    page.wait_for_selector("#alert:has-text('Only long.webm')")
    page.wait_for_selector("#status:has-text('Reading')")
    wait_for(lambda: page.evaluate("seeks") == 3)
    page.set_input_files("#file", write_model(tmp_path / "own.onnx", ("calm", "高兴")))
    page.wait_for_selector("#status:has-text('read by own')")
    page.evaluate("go()")
    page.click("#sample")
    page.wait_for_selector("#status:has-text('1 face')")
    page.wait_for_timeout(500)
    assert page.evaluate("seeks") == 3
    assert page.locator(".timeline").count() == 0


LATE_PICTURES = """(late) => {
  const copy = createImageBitmap;
  window.asked = 0;
  window.createImageBitmap = async (image, ...rest) => {
    if (image instanceof HTMLVideoElement && asked++ < late) throw new DOMException("not usable", "InvalidStateError");
    return copy(image, ...rest);
  };
}"""


@pytest.mark.parametrize(("late", "read"), [(3, True), (1e9, False)])
def test_a_video_whose_first_picture_comes_late_is_read(page, stage, write_clip, tmp_path, late, read):
    """As a busy Chromium has them; one that never comes is said after some seconds."""
    page.evaluate(LATE_PICTURES, late)
    page.set_input_files("#file", write_clip(tmp_path / "late.webm", [stage((0, 60, 60))] * 5, codec="libvpx"))
    if read:
        page.wait_for_selector("#scrub:visible")
        assert page.inner_text("#alert") == ""
        assert page.evaluate("asked") > late
    else:
        page.wait_for_selector("#alert:has-text('not usable')")
        assert page.evaluate("asked") > 1


def test_the_camera_is_followed(page):
    page.click("#camera")
    page.wait_for_selector(".timeline:visible")
    assert page.inner_text(".card h3").startswith("Person ")
    assert page.inner_text(".verdict").startswith("happy ")
    page.click("#pause")
    assert page.get_attribute("#pause", "aria-pressed") == "true"
    page.wait_for_selector("#status:has-text('Paused.')")
    page.click("#pause")
    before = page.get_attribute("#canvas", "data-results")
    page.wait_for_selector(f"#canvas:not([data-results='{before}'])")
    page.click("#camera")
    frames = json.loads(downloaded(page, "#save-json"))["frames"]
    assert [frame["index"] for frame in frames] == sorted({frame["index"] for frame in frames})
    assert all(face["track"] for frame in frames for face in frame["faces"])


def test_it_is_written_from_right_to_left_and_fits_a_phone(page, photo):
    page.set_input_files("#file", photo)
    page.wait_for_selector(".card")
    page.select_option("#language", "ar")
    assert page.get_attribute("html", "dir") == "rtl"
    assert page.inner_text(".verdict").startswith("سعيد")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    wait_for(lambda: "النموذج" in page.inner_text("#about"))


CANVAS_NOISE = """
const { getImageData } = OffscreenCanvasRenderingContext2D.prototype;
OffscreenCanvasRenderingContext2D.prototype.getImageData = function (...place) {
  const image = getImageData.apply(this, place);
  image.data[4] ^= 1;
  return image;
};
"""
FRAME_NOISE = """
const { copyTo } = VideoFrame.prototype;
VideoFrame.prototype.copyTo = async function (into, options) {
  await copyTo.call(this, into, options);
  into[4] ^= 1;
};
"""


@pytest.mark.parametrize(
    ("noise", "fidelity"),
    [
        pytest.param(CANVAS_NOISE, "copied", id="canvas", marks=pytest.mark.slow),
        pytest.param(CANVAS_NOISE + FRAME_NOISE, "altered", id="both"),
    ],
)
def test_a_browser_that_alters_pixels_is_told_from_others(browser, web_folder, photo, noise, fidelity):
    """The worker gets a canvas that changes one level of a picture, as protection against tracking does."""
    (worker,) = web_folder.glob("assets/worker-*.js")
    context = browser.new_context(service_workers="block", locale="en-GB")
    context.set_default_timeout(1000 * HANG)
    script = {"content_type": "text/javascript", "body": noise + worker.read_text()}
    context.route(f"**/{worker.name}", lambda route: route.fulfill(**script))
    page = context.new_page()
    with serving(web_folder) as address:
        page.goto(address)
        page.wait_for_selector(f"#about[data-ready='{fidelity}']")
        assert page.is_visible("#altered") == (fidelity == "altered")
        page.set_input_files("#file", photo)
        page.wait_for_selector(".card")
    assert page.inner_text(".verdict").startswith("happy ")
    context.close()


@pytest.mark.skipif(not AXE.is_file(), reason="needs axe-core: cd web && npm ci")
def test_axe_finds_nothing_serious(browser, visit):
    """In light and in dark. The script is not the page's: the policy would refuse it."""
    context = browser.new_context(bypass_csp=True)
    context.set_default_timeout(1000 * HANG)
    page = context.new_page()
    page.goto(visit[0])
    page.click("#sample")
    page.wait_for_selector(".card")
    page.click(".card summary")
    page.evaluate(AXE.read_text())
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        violations = page.evaluate("axe.run()")["violations"]
        assert [(one["id"], one["impact"]) for one in violations if one["impact"] in ("serious", "critical")] == []
    context.close()
