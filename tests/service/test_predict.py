import asyncio
import base64
import contextlib
import json
import socket
import subprocess
import sys
import threading
import tracemalloc

import httpx
import numpy as np
import pytest
from starlette.datastructures import Headers

import waiting
from held import Held
from mien.errors import RequestError
from mien.model.embedded import versioned_name
from mien.recognition.recognizer import Recognizer
from mien.service.metrics import Metrics
from mien.service.request_pictures import read_pictures
from mien.service.schemas import FaceResult, FrameResult
from waiting import HANG, wait_for

FILE_IN_A_FORM = b'--x\r\ncontent-disposition: form-data; name="picture"; filename="a"\r\n\r\na'
WORD_IN_A_FORM = b'--x\r\ncontent-disposition: form-data; name="word"\r\n\r\nhello\r\n--x--\r\n'


def test_a_body_a_form_and_json_give_what_the_command_line_gives(client, astronaut_jpeg, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(astronaut_jpeg)
    command = [sys.executable, "-m", "mien", "predict", str(path), "--format", "json"]
    expected = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["frames"][0]

    body = client.post("/v1/predict", content=astronaut_jpeg, headers={"content-type": "image/jpeg"})
    form = client.post("/v1/predict", files=[("picture", ("a.jpg", astronaut_jpeg, "image/jpeg"))])
    data = base64.b64encode(astronaut_jpeg).decode()
    document = client.post("/v1/predict", json={"pictures": [{"name": "a.jpg", "data": data}]})

    assert body.json()[0]["source"] == "picture"
    for answer in (body, form, document):
        assert answer.status_code == 200
        (found,) = answer.json()
        assert found.keys() == expected.keys()
        (face,), (wanted,) = found["faces"], expected["faces"]
        assert face["box"] == wanted["box"]
        assert face["emotion"] == wanted["emotion"]
        assert list(face["probabilities"].values()) == pytest.approx(list(wanted["probabilities"].values()), abs=1e-5)
    assert form.json()[0]["source"] == document.json()[0]["source"] == "a.jpg"


def test_a_broken_picture_among_good_ones_loses_nothing(client, astronaut_jpeg):
    files = [("picture", ("a.jpg", astronaut_jpeg, "image/jpeg")), ("picture", ("b.txt", b"words", "text/plain"))]
    answer = client.post("/v1/predict", files=files)
    assert answer.status_code == 200
    good, broken = answer.json()
    assert len(good["faces"]) == 1
    assert good["error"] is None
    assert broken["faces"] == []
    assert broken["error"].startswith("b.txt: not a picture that is read")


def test_all_broken_pictures_are_named(client, picture):
    files = [("picture", (name, b"", "image/png")) for name in ("a.png", "b.png")]
    answer = client.post("/v1/predict", files=files)
    assert answer.status_code == 415
    assert "a.png" in answer.json()["error"]
    assert "b.png" in answer.json()["error"]


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ("JPEG", "image/jpeg"),
        ("PNG", "image/png"),
        ("WEBP", "image/webp"),
        ("GIF", "image/gif"),
        ("BMP", "image/bmp"),
        ("AVIF", "image/avif"),
    ],
)
def test_every_format_is_taken_by_its_type_and_without(client, picture, form, kind):
    for declared in (kind, "application/octet-stream"):
        answer = client.post("/v1/predict", content=picture(form), headers={"content-type": declared})
        assert answer.status_code == 200, answer.text
        assert (answer.json()[0]["width"], answer.json()[0]["height"]) == (64, 48)


@pytest.mark.parametrize("unit", ["AA ", "A\\n\\t", "\\u0041", "A\N{GRINNING FACE}", "data:;,"])
def test_base64_in_json_costs_a_few_times_its_size(unit):
    content = f'{{"pictures": [{{"data": "{unit * (300_000 // len(unit))}"}}]}}'.encode()

    async def body():
        yield content

    tracemalloc.start()
    with contextlib.suppress(RequestError):
        asyncio.run(read_pictures(Headers({"content-type": "application/json"}), body(), 1))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * len(content)


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"", "image/jpeg", 415),
        (b"GIF89a", "image/gif", 422),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", 415),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/png", 415),
        (b"%PDF-1.7", "application/octet-stream", 415),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "application/octet-stream", 415),
        (b"{}", "application/json", 400),
        (b"[" * 9000, "application/json", 400),
        (b'{"pictures": [{"data": "*"}]}', "application/json", 400),
        (b'{"pictures": [], "more": 1}', "application/json", 400),
        (b"--x\r\n", "multipart/form-data; boundary=x", 400),
        (b"anything", "multipart/form-data", 400),
        (WORD_IN_A_FORM, "multipart/form-data; boundary=x", 400),
        (FILE_IN_A_FORM + b"\r\n--xa" * 2000 + b"\r\n--x--\r\n", "multipart/form-data; boundary=x", 400),
        (FILE_IN_A_FORM + b"\r\n--x" + b" " * 70_000 + b"\r\n--x--\r\n", "multipart/form-data; boundary=x", 400),
        (b'{"pictures": [' + b"{}," * 100_000 + b"{}]}", "application/json", 413),
        (b"x", "multipart/form-data; boundary=x; charset=undefined", 415),
        (b"x", "multipart/form-data; boundary=x; charset=unicode_escape", 415),
        (b"words", "text/plain", 415),
        (b"words", "", 415),
    ],
)
def test_what_is_no_picture_is_refused_in_one_line(client, content, kind, status):
    answer = client.post("/v1/predict", content=content, headers={"content-type": kind})
    assert answer.status_code == status, answer.text
    assert answer.json().keys() == {"error"}
    assert "\n" not in answer.json()["error"]


@pytest.mark.parametrize("kind", ["image/png", "image/heic", "text/plain", None])
def test_content_decides_the_type(client, picture, kind):
    for name, form in (("a.png", "JPEG"), ("a.jpg", "WEBP"), ("a", "PNG")):
        answer = client.post("/v1/predict", files=[("picture", (name, picture(form), kind))])
        assert (answer.status_code, answer.json()[0]["width"]) == (200, 64), answer.text
        if kind and kind.startswith("image/"):
            answer = client.post("/v1/predict", content=picture(form), headers={"content-type": kind})
            assert (answer.status_code, answer.json()[0]["width"]) == (200, 64), answer.text


@pytest.mark.parametrize(
    "form",
    [
        lambda data: base64.encodebytes(data).decode(),
        lambda data: base64.encodebytes(data).decode().replace("\n", "\r\n"),
        lambda data: base64.b64encode(data).decode().rstrip("="),
        lambda data: base64.urlsafe_b64encode(data).decode(),
        lambda data: f"data:image/jpeg;base64,{base64.b64encode(data).decode()}",
        lambda data: f"data:image/jpeg;name=a.jpg; base64 ,\n{base64.encodebytes(data).decode()}",
        lambda data: f" data:;base64,{base64.b64encode(data).decode()} ",
    ],
)
def test_base64_is_read_as_browsers_read_it(client, picture, form):
    text = form(picture("PNG", (63, 47)))
    document = json.dumps({"pictures": [{"data": text}]})
    for body in (document, document.replace("\\r", "\r").replace("\\n", "\n")):  # as a shell puts it together
        answer = client.post("/v1/predict", content=body, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()[0]["width"]) == (200, 63), answer.text


@pytest.mark.parametrize(("last", "status"), [("", 200), ("*", 400)])
def test_a_large_document_is_read_like_a_small_one(client, picture, last, status):
    text = base64.b64encode(picture("PNG", (63, 47)) + bytes(2_000_000)).decode() + last
    answer = client.post("/v1/predict", json={"pictures": [{"data": text, "name": "a"}]})
    assert answer.status_code == status
    assert (answer.json()[0]["width"] == 63) if status == 200 else ("base64" in answer.json()["error"])


@pytest.mark.parametrize(
    "data", ["data:image/png,%89PNG", "data:image/svg+xml;utf8,<svg/>", "a,b", "abc*", "abcde", "ä"]
)
def test_other_text_is_not_base64(client, data):
    answer = client.post("/v1/predict", json={"pictures": [{"data": data}]})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("picture 1: its data is not base64")


ONE_FORM = {"content-type": "multipart/form-data; boundary=x"}
TEXT_IN_A_FORM = WORD_IN_A_FORM.replace(b"word", b"picture")
"""What `curl -F picture=hello` sends."""


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (TEXT_IN_A_FORM, "field 'picture' is text: send a file, as in curl -F picture=@FILE"),
        (WORD_IN_A_FORM, "field 'word' is text: send a file, as in curl -F picture=@FILE"),
        (FILE_IN_A_FORM, "the form breaks off: the boundary at its end is not there"),
        (FILE_IN_A_FORM + b"\r\n--x\r\n", "the form breaks off: the boundary at its end is not there"),
        (b"--x--\r\n", "no picture in the form; send files in the field 'picture'"),
    ],
)
def test_what_is_wrong_with_a_form_is_said(client, content, says):
    answer = client.post("/v1/predict", content=content, headers=ONE_FORM)
    assert (answer.status_code, answer.json()["error"]) == (400, says)


@pytest.mark.parametrize("end", [b"\r\n--x--", b"\r\n--x--\r\n", b"\r\n--x--\r\nepilogue"])
def test_a_form_ends_with_its_last_boundary(client, picture, end):
    content = FILE_IN_A_FORM[:-1] + picture("PNG") + end
    answer = client.post("/v1/predict", content=content, headers=ONE_FORM)
    assert (answer.status_code, answer.json()[0]["width"]) == (200, 64), answer.text


DOCUMENT = '{"pictures": [{"data": "BASE64"}]}'


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"pictures": ["aGk="]}, 'pictures[0]: expected {"data": "BASE64"}'),
        ({"pictures": [{"data": "aGk="}, {"name": "a"}]}, 'pictures[1]: expected {"data": "BASE64"}'),
        ({"pictures": [{"data": 1}]}, 'pictures[0]: expected {"data": "BASE64"}'),
        *((wrong, f"expected {DOCUMENT}") for wrong in ({}, [], {"pictures": []}, {"a": 1})),
        ({"pictures": [{"data": "", "a\nb": 1}]}, "pictures[0]: unknown key 'a\\nb'"),
        ({"pictures": [{"data": ""}], "more": 1}, "document: unknown key 'more'"),
        ({"pictures": [{"data": "", "name": 1}]}, "pictures[0].name: Input should be a valid string"),
    ],
)
def test_what_is_wrong_with_json_is_said(client, document, says):
    answer = client.post("/v1/predict", json=document)
    assert (answer.status_code, answer.json()["error"]) == (400, f"the JSON is malformed: {says}")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"pictures": %s}' % (b"1" * 5000), "a whole number of more than 4300 digits"),
        (b'{"pictures": NaN}', "NaN is not a JSON value"),
        (b'{"pictures": [{"data": -Infinity}]}', "-Infinity is not a JSON value"),
        (b'{"pictures": [], "pictures": [{"data": "aGk="}]}', "the key 'pictures' comes twice"),
        (b'{"pictures": [{"data": "", "data": "aGk="}]}', "the key 'data' comes twice"),
        (b'{"pictures": [{"data": "aGk=", "name": "\\ud800"}]}', "half of a surrogate pair, which is no character"),
        (b'{"pictures": [{"data": "aGk=", "name": "\xff"}]}', "not UTF-8, at byte 40"),
        (b" ", "it is empty"),
        *((deep, f"nested too deeply: expected {DOCUMENT}") for deep in (b"[" * 5000, b"[" * 40_000)),
        (b'{"a":' * 40_000, f"nested too deeply: expected {DOCUMENT}"),
    ],
)
def test_what_is_no_plain_json_is_said(client, content, says):
    answer = client.post("/v1/predict", content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]) == (400, f"the JSON is malformed: {says}")


def test_an_empty_file_is_said_to_be_empty(client):
    answer = client.post("/v1/predict", files=[("picture", ("a.png", b"", "image/png"))])
    assert (answer.status_code, answer.json()["error"]) == (415, "a.png: an empty file, not a picture")


def test_compressed_bodies_are_refused(client, picture):
    headers = {"content-type": "image/png", "content-encoding": "gzip"}
    assert client.post("/v1/predict", content=picture("PNG"), headers=headers).status_code == 415


def test_limits_of_size(serve, picture):
    with serve(limits={"body": 20_000, "pixels": 5000, "pictures": 2}) as address:
        url = f"http://{address}/v1/predict"
        kind = {"content-type": "application/octet-stream"}
        assert waiting.post(url, content=picture("PNG", (50, 100)), headers=kind).status_code == 200
        assert waiting.post(url, content=picture("PNG", (51, 100)), headers=kind).status_code == 413
        assert waiting.post(url, content=bytes(20_001), headers=kind).status_code == 413
        assert waiting.post(url, content=iter([bytes(15_000)] * 2), headers=kind).status_code == 413
        files = [("picture", ("a.png", picture("PNG"), "image/png"))]
        assert waiting.post(url, files=files * 2).status_code == 200
        for many in (3, 40):
            refused = waiting.post(url, files=files * many)
            assert (refused.status_code, refused.json()["error"]) == (
                413,
                f"{many} pictures in one request; send at most 2",
            )


class SlowClassifier:
    """Answers evenly, after being let go; notes how many faces came at once."""

    def __init__(self):
        self.sizes = []
        self.let_go = threading.Event()

    def probabilities(self, faces):
        self.sizes.append(len(faces))
        if len(faces) and faces.any():
            self.let_go.wait(HANG)
        return np.full((len(faces), 7), 1 / 7)


def post_many(url, count, content):
    answers = [None] * count

    def post(number):
        answers[number] = waiting.post(url, content=content, headers={"content-type": "image/png"})

    threads = [threading.Thread(target=post, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    return threads, answers


def wait_in_flight(address, count):
    """Wait until so many requests, besides the one that asks, are being answered."""
    wait_for(lambda: f"mien_requests_in_flight {count + 1}.0" in waiting.get(f"http://{address}/metrics").text)


def test_faces_of_concurrent_requests_are_all_classified(serve, picture):
    classifier = SlowClassifier()
    with serve(Recognizer(classifier, "none")) as address:
        threads, answers = post_many(f"http://{address}/v1/predict", 9, picture("PNG"))
        wait_in_flight(address, 9)
        classifier.let_go.set()
        for thread in threads:
            thread.join(HANG)
    assert [answer.status_code for answer in answers] == [200] * 9
    assert sum(classifier.sizes[1:]) == 9  # without the warming up


@pytest.mark.parametrize(("limit", "status"), [("requests", 503), ("requests_per_client", 429)])
def test_too_many_requests_get_429_and_503(serve, picture, tmp_path, limit, status):
    gate = Held(tmp_path)
    with serve(Recognizer(SlowClassifier(), gate), limits={limit: 2}) as address:
        url = f"http://{address}/v1/predict"
        threads, answers = post_many(url, 2, picture("PNG"))
        wait_for(lambda: len(gate.widths) == 2)  # by now both have a place
        refused = waiting.post(url, content=picture("PNG"), headers={"content-type": "image/png"})
        assert (refused.status_code, refused.headers["retry-after"]) == (status, "1")
        gate.let_go()
        for thread in threads:
            thread.join(HANG)
        assert [answer.status_code for answer in answers] == [200, 200]
        assert waiting.post(url, content=picture("PNG"), headers={"content-type": "image/png"}).status_code == 200


def files(picture, count):
    return [("picture", ("a.png", picture("PNG"), "image/png"))] * count


def test_one_picture_is_not_held_up_by_many(serve, picture, tmp_path):
    gate = Held(tmp_path)
    with serve(Recognizer(SlowClassifier(), gate)) as address:
        url = f"http://{address}/v1/predict"
        many = threading.Thread(target=lambda: waiting.post(url, files=files(picture, 30)))
        many.start()
        wait_in_flight(address, 1)
        wait_for(lambda: len(gate.widths) == 2)  # as many as there are workers
        kind = {"content-type": "image/png"}
        with socket.create_connection(address.split(":"), HANG) as one:
            one.sendall(written(httpx.Request("POST", url, content=picture("PNG", (32, 48)), headers=kind)))
            wait_in_flight(address, 2)
            waiting.get(f"http://{address}/healthz")  # by now it waits for a worker
            gate.let_go()
            assert one.recv(65536).startswith(b"HTTP/1.1 200 ")
        many.join(HANG)
    assert len(gate.widths) == 31
    assert gate.widths.index(32) < 10


def test_pictures_of_a_client_that_left_are_not_looked_at(serve, picture, tmp_path):
    gate = Held(tmp_path)
    with serve(Recognizer(SlowClassifier(), gate)) as address:
        url = f"http://{address}/v1/predict"
        with socket.create_connection(address.split(":"), HANG) as client:
            client.sendall(written(httpx.Request("POST", url, files=files(picture, 30))))
            wait_for(lambda: len(gate.widths) == 2)  # as many as there are workers
        wait_in_flight(address, 0)
        gate.let_go()
        answer = waiting.post(url, content=picture("PNG", (32, 48)), headers={"content-type": "image/png"})
        assert answer.status_code == 200
    assert gate.widths.count(64) <= 2


def written(request):
    """A request as its bytes."""
    lines = [f"POST {request.url.path} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + request.read()


def test_the_card_of_the_model_is_told(client, recognizer):
    (model,) = client.get("/v1/models").json()
    assert model["name"] == versioned_name("mien_s")
    assert model["sha256"] == recognizer.classifier.sha256
    assert model["public_test"]["n"] > 0


def test_state_and_metrics(client, picture):
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ok"}
    assert client.get("/nowhere").json() == {"error": "nothing is at '/nowhere'; /openapi.json lists the addresses"}
    before = client.get("/metrics").text
    client.post("/v1/predict", content=picture("PNG"), headers={"content-type": "image/png"})
    after = client.get("/metrics").text
    name = 'mien_requests_total{path="/v1/predict",status="200"} '
    assert value_of(after, name) == value_of(before, name) + 1


def value_of(metrics, name):
    return next((float(line.removeprefix(name)) for line in metrics.splitlines() if line.startswith(name)), 0.0)


def test_metrics_tell_nothing_of_faces():
    metrics = Metrics()
    metrics.batch(2, 3)
    metrics.picture("recognized")
    assert not any(emotion in metrics.text().decode() for emotion in ("happy", "angry", "source"))


def test_answers_say_what_they_come_from(client, recognizer, astronaut_jpeg):
    answers = [
        client.post("/v1/predict", content=astronaut_jpeg, headers={"content-type": "image/jpeg"}),
        client.get("/v1/models"),
    ]
    for answer in answers:
        assert json.loads(answer.headers["mien-results"]) == recognizer.header.to_dict()


def test_the_schema_of_the_document_is_that_of_the_results(recognizer, astronaut_jpeg):
    frame = recognizer.recognize(astronaut_jpeg).to_dict()
    FrameResult.model_validate(frame)
    assert list(frame) == [field.alias or name for name, field in FrameResult.model_fields.items()]
    assert list(frame["faces"][0]) == list(FaceResult.model_fields)
