"""The page in a real browser, with a camera that shows a clip of a public-domain face."""

import base64
import csv
import io
import json

import pytest

from mien.labels import EMOTIONS
from mien.model.embedded import versioned_name
from mien.model.onnx_model import Bundle
from mien.output.table_rows import table_columns
from mien.recognition.recognizer import Recognizer
from own_model import write_model
from waiting import HANG, wait_for


@pytest.fixture
def page(browser, address):
    """The page; afterwards it must have said no error and asked no other host."""
    context = browser.new_context(locale="en-GB", viewport={"width": 390, "height": 844})
    context.set_default_timeout(1000 * HANG)
    page = context.new_page()
    troubles, hosts = [], set()
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda message: troubles.append(message.text) if is_trouble(message) else None)
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    page.goto(f"http://{address}/")
    yield page
    context.close()
    assert troubles == []
    assert hosts - {""} == {address}


def is_trouble(message):
    """Whether a message of the console is an error, answers of the service left aside."""
    return message.type == "error" and not message.text.startswith("Failed to load resource")


@pytest.fixture
def photo(astronaut_jpeg):
    return {"name": "a, b.jpg", "mimeType": "image/jpeg", "buffer": astronaut_jpeg}


def downloaded(page, button):
    with page.expect_download() as download:
        page.click(button)
    with open(download.value.path(), "rb") as file:  # noqa: PTH123 - a path of the browser
        return download.value.suggested_filename, file.read()


def test_a_picture_is_read_and_its_results_come_down(page, photo, client, astronaut_jpeg):
    page.set_input_files("#file", photo)
    page.wait_for_selector(".card")
    assert page.inner_text(".verdict").startswith("happy ")
    (expected,) = client.post("/v1/predict", files=[("picture", ("a, b.jpg", astronaut_jpeg, "image/jpeg"))]).json()
    name, content = downloaded(page, "#save-json")
    document = json.loads(content)
    assert document["model"] == {"name": versioned_name("mien_s"), "sha256": Bundle.load("mien_s").sha256}
    (frame,) = document["frames"]
    assert name == "mien.json"
    assert frame["source"] == "a, b.jpg"
    assert frame["faces"][0]["box"] == expected["faces"][0]["box"]
    _, content = downloaded(page, "#save-csv")
    (row,) = csv.DictReader(io.StringIO(content.decode()))
    assert tuple(row) == table_columns(EMOTIONS)
    assert row["source"] == "a, b.jpg"
    assert float(row["happy"]) == frame["faces"][0]["probabilities"]["happy"]
    _, content = downloaded(page, "#save-picture")
    assert content.startswith(b"\x89PNG")


def test_what_cannot_be_read_is_said(page):
    page.set_input_files("#file", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"words"})
    page.wait_for_selector("#alert:has-text('a.jpg cannot be read')")
    page.select_option("#language", "zh")
    assert "无法读取 a.jpg" in page.inner_text("#alert")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.pdf", b"%PDF", "a.pdf is neither a picture nor a video"),
        ("a.png", bytes(21 * 2**20), "a.png has 21 MB; at most 20 MB"),
    ],
    ids=["kind", "size"],
)
def test_what_cannot_be_sent_is_said_before_it_is_sent(page, tmp_path, name, content, says):
    file = tmp_path / name
    file.write_bytes(content)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_input_files("#file", file)
    page.wait_for_selector(f"#alert:has-text('{says}')")
    assert [url for url in asked if "/v1/" in url] == []


def test_a_file_that_cannot_be_read_leaves_nothing_of_the_one_before(page, photo):
    page.set_input_files("#file", photo)
    page.wait_for_selector(".card")
    assert page.inner_text("#status").startswith("1 face: happy, 9")
    page.set_input_files("#file", {"name": "b.jpg", "mimeType": "image/jpeg", "buffer": b"words"})
    page.wait_for_selector("#alert:has-text('b.jpg')")
    wait_for(lambda: page.inner_text("#status") == "")
    assert page.locator(".card").count() == 0
    assert page.is_visible("#invitation")
    assert page.is_disabled("#save-picture")
    (row,) = csv.DictReader(io.StringIO(downloaded(page, "#save-csv")[1].decode()))
    assert (row["source"], row["emotion"]) == ("b.jpg", "")


def test_no_cell_of_the_table_is_a_formula(page, photo):
    page.set_input_files("#file", {**photo, "name": "=cmd|'calc'.jpg"})
    page.wait_for_selector(".card")
    (row,) = csv.DictReader(io.StringIO(downloaded(page, "#save-csv")[1].decode()))
    assert row["source"] == "'=cmd|'calc'.jpg"
    assert float(row["happy"]) > 0.5


def test_the_sample_picture_is_looked_at_and_its_card_is_marked(page):
    page.click("#sample")
    page.wait_for_selector(".card")
    assert page.inner_text(".card h3") == "Face 0"
    page.focus(".card summary")
    assert "marked" in page.get_attribute(".card", "class")
    page.keyboard.press("Enter")
    assert page.is_visible(".bars")


def test_a_video_is_read_and_its_timeline_scrubs(page, stage, write_clip, tmp_path):
    images = [stage((0, 40 + 2 * number, 60)) for number in range(25)]
    path = write_clip(tmp_path / "clip.webm", images, codec="libvpx")
    page.set_input_files("#file", path)
    page.wait_for_selector("#scrub:visible")
    before = page.evaluate("document.querySelector('#canvas').toDataURL()")
    page.fill("#scrub", "0.8")
    wait_for(lambda: page.evaluate("document.querySelector('#canvas').toDataURL()") != before)
    assert len(json.loads(downloaded(page, "#save-json")[1])["frames"]) == 25


def test_a_video_that_cannot_be_read_is_named(page):
    page.set_input_files("#file", {"name": "b.webm", "mimeType": "video/webm", "buffer": b"words"})
    page.wait_for_selector("#alert:has-text('b.webm cannot be read')")
    assert page.is_hidden("#scrub")


def test_a_link_that_is_dropped_is_no_file(page):
    page.evaluate("""() => {
      const dataTransfer = new DataTransfer();
      dataTransfer.setData("text/uri-list", "https://example.org/a.jpg");
      document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer }));
    }""")
    page.wait_for_selector("#alert:has-text('a link or text')")


def test_labels_do_not_overlap(page):
    """Sixteen faces side by side: what is written about them stands apart."""
    overlaps = page.evaluate("""async () => {
      const { drawPicture } = await import("/draw.js");
      const { EMOTIONS } = await import("/i18n.js");
      const placed = [];
      const fill = CanvasRenderingContext2D.prototype.fillRect;
      CanvasRenderingContext2D.prototype.fillRect = function (...box) {
        if (this.fillStyle.startsWith("rgba(0, 0, 0")) placed.push(box);
        fill.apply(this, box);
      };
      const probabilities = Object.fromEntries(EMOTIONS.map((name) => [name, 1 / 7]));
      const faces = [...Array(16).keys()].map((number) => ({
        box: [20 + 36 * (number % 8), 40 + 50 * Math.floor(number / 8), 40, 50],
        emotion: "surprise", track: null, probabilities,
      }));
      const canvas = document.createElement("canvas");
      drawPicture(canvas, document.createElement("canvas"), 640, 480, faces);
      CanvasRenderingContext2D.prototype.fillRect = fill;
      const hit = ([x, y, w, h], [a, b, c, d]) => x < a + c && a < x + w && y < b + d && b < y + h;
      return [placed.length, placed.flatMap((one, i) => placed.slice(i + 1).filter((other) => hit(one, other))).length];
    }""")
    assert overlaps[0] >= 8
    assert overlaps[1] == 0


CHOOSE_MANY = """photo => {
  const bytes = Uint8Array.from(atob(photo), letter => letter.charCodeAt());
  const files = new DataTransfer();
  for (let i = 0; i < 9; i++) files.items.add(new File(["words"], "broken.jpg", { type: "image/jpeg" }));
  const heavy = [bytes, new Uint8Array(9 * 2 ** 20)];
  for (let i = 0; i < 3; i++) files.items.add(new File(heavy, "a.jpg", { type: "image/jpeg" }));
  const input = document.getElementById("file");
  input.files = files.files;
  input.dispatchEvent(new Event("change"));
}"""


def test_pictures_beside_those_that_are_refused_are_not_lost(page, astronaut_jpeg):
    """More bytes than a request may hold, and nine broken pictures, of which eight are refused together."""
    page.evaluate(CHOOSE_MANY, base64.b64encode(astronaut_jpeg).decode())
    page.wait_for_selector("#status:has-text('12 pictures, 9 not read. 3 faces: happy')")
    frames = json.loads(downloaded(page, "#save-json")[1])["frames"]
    assert [len(frame["faces"]) for frame in frames] == [0] * 9 + [1] * 3
    assert ["not a picture" in (frame["error"] or "") for frame in frames] == [True] * 9 + [False] * 3


def test_a_camera_that_is_asked_for_twice_opens_once(page):
    page.evaluate("camera.click(); camera.click()")
    page.wait_for_selector(".card h3:has-text('Person')")
    page.click("#camera")
    before = page.get_attribute("#canvas", "data-results")
    page.wait_for_timeout(500)
    assert page.get_attribute("#canvas", "data-results") == before


COUNT = """() => {
  const { send } = WebSocket.prototype;
  window.sent = window.answered = 0;
  const note = ({ data }) => { window.answered = JSON.parse(data).index + 1; };
  WebSocket.prototype.send = function (picture) {
    if (!window.sent) this.addEventListener("message", note);
    window.sent += 1;
    send.call(this, picture);
  };
}"""


def wait_for_answers(page, sent=0):
    """Wait until more pictures than so many have been sent, and all of them are answered or left out."""
    wait_for(lambda: page.evaluate(f"sent > {sent} && answered === sent"))


def test_a_stream_that_is_paused_stays_open(page):
    page.evaluate(COUNT)
    page.clock.install()
    page.click("#camera")
    page.wait_for_selector(".card h3:has-text('Person')")
    page.click("#pause")
    wait_for_answers(page)
    before, results = page.evaluate("sent"), page.get_attribute("#canvas", "data-results")
    page.clock.fast_forward(11_000)
    wait_for_answers(page, before)
    assert page.get_attribute("#canvas", "data-results") == results


def test_the_camera_is_followed(page):
    page.evaluate(COUNT)
    page.click("#camera")
    page.wait_for_selector(".timeline:visible")
    assert page.inner_text(".card h3").startswith("Person ")
    assert page.inner_text(".verdict").startswith("happy ")
    page.click("#pause")
    assert page.get_attribute("#pause", "aria-pressed") == "true"
    wait_for_answers(page)
    before = page.get_attribute("#canvas", "data-results")
    page.wait_for_timeout(500)
    assert page.get_attribute("#canvas", "data-results") == before
    page.click("#pause")
    page.wait_for_selector(f"#canvas:not([data-results='{before}'])")
    page.click("#mirror")
    assert page.get_attribute("#mirror", "aria-pressed") == "false"
    name, content = downloaded(page, "#snapshot")
    assert (name, content[:4]) == ("mien.png", b"\x89PNG")
    page.click("#camera")
    frames = json.loads(downloaded(page, "#save-json")[1])["frames"]
    assert len(frames) >= int(before)
    assert page.is_hidden("#pause")


def test_everything_is_reached_by_the_keyboard(page, photo):
    page.set_input_files("#file", photo)
    page.wait_for_selector(".card")
    reached = []
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
    assert reached[:6] == ["language", "choose", "camera", "save-picture", "save-csv", "save-json"]


def test_it_speaks_chinese_and_remembers(page, photo):
    page.set_input_files("#file", photo)
    page.wait_for_selector(".card")
    page.select_option("#language", "zh")
    assert page.inner_text(".verdict").startswith("高兴")
    page.reload()
    assert page.inner_text("#choose") == "选择文件"
    assert page.get_attribute("html", "lang") == "zh"
    words = page.evaluate("import('/i18n.js').then(words => words.EMOTIONS)")
    assert tuple(words) == EMOTIONS


def test_it_shows_the_classes_of_its_model(browser, serve, photo, tmp_path):
    names = ["calm", "高兴", "error", "p_error", "a, b", "constructor", "مبتسم", "W" * 60]
    own = write_model(tmp_path / "own.onnx", tuple(names))
    with serve(Recognizer(own, threads=1)) as address:
        page = browser.new_page()
        page.set_default_timeout(1000 * HANG)
        page.goto(f"http://{address}/")
        page.set_input_files("#file", photo)
        page.wait_for_selector(".card")
        for place in ("#legend li", ".card dt"):
            shown = page.locator(place).all_text_contents()
            assert [name.strip("\u2068\u2069") for name in shown] == names
        page.click(".card summary")
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert page.locator(".card dd").first.evaluate("bar => bar.clientWidth") > 50
        _, content = downloaded(page, "#save-csv")
        (row,) = csv.DictReader(io.StringIO(content.decode()))
        assert tuple(row) == table_columns(names)
        columns = [{"error": "p_p_error"}.get(name, name) for name in names]
        assert sum(float(row[column]) for column in columns) == pytest.approx(1, abs=1e-4)
        page.close()


def test_nothing_is_wider_than_a_phone(page, photo):
    page.set_input_files("#file", photo)
    page.wait_for_selector(".card")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_page_asks_for_the_token(browser, serve, photo):
    token = "a-token-of-enough-length"
    with serve(access={"token": token}) as address:
        page = browser.new_context(locale="en-GB").new_page()
        page.set_default_timeout(1000 * HANG)
        page.goto(f"http://{address}/")
        page.set_input_files("#file", photo)
        page.fill("#token", "another-token-of-some-length")
        page.click("#token-dialog button[type=submit]")
        page.wait_for_selector("#token-wrong:visible")
        page.click("#token-cancel")
        page.wait_for_selector("#alert:has-text('Without a token')")
        page.set_input_files("#file", photo)
        page.fill("#token", token)
        page.click("#token-dialog button[type=submit]")
        page.wait_for_selector(".card")
        page.click("#camera")
        page.wait_for_selector(".card h3:has-text('Person')")
        page.context.close()
