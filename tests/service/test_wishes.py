"""What a request asks for: fewer faces, certainty, an annotated picture. Readiness and shutdown."""

import contextlib
import io
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from websockets.exceptions import InvalidStatus

import held
import waiting
from held import Held
from mien.faces.detection import Detection
from mien.output.drawing import annotate
from mien.recognition.recognizer import Recognizer
from waiting import HANG, wait_for

PNG = {"content-type": "image/png"}


class Found:
    """Three faces, of falling size and rising confidence."""

    def detect(self, image):
        return [
            Detection((5.0, 5.0, 40.0 - 10 * number, 40.0 - 10 * number), 0.7 + 0.1 * number) for number in range(3)
        ]


class Likely:
    """Happy to 60 %."""

    def probabilities(self, faces):
        return np.tile([0.1, 0.05, 0.05, 0.6, 0.1, 0.05, 0.05], (len(faces), 1))


@pytest.fixture(scope="module")
def three(serve):
    with serve(Recognizer(Likely(), Found())) as address:
        yield f"http://{address}/v1/predict"


@pytest.mark.parametrize(
    ("query", "confidences", "certain"),
    [
        ("", [0.7, 0.8, 0.9], True),
        ("min_confidence=0.75", [0.8, 0.9], True),
        ("max_faces=1", [0.7], True),
        ("min_confidence=0.75&max_faces=1", [0.8], True),
        ("min_face=30", [0.7, 0.8], True),
        ("max_yaw=0.0", [0.7, 0.8, 0.9], True),
        ("min_probability=0.59", [0.7, 0.8, 0.9], True),
        ("min_probability=0.61", [0.7, 0.8, 0.9], False),
    ],
)
def test_a_request_asks_for_fewer_faces_or_for_certainty(three, picture, query, confidences, certain):
    answer = waiting.post(f"{three}?{query}", content=picture("PNG"), headers=PNG)
    faces = answer.json()[0]["faces"]
    assert [face["confidence"] for face in faces] == pytest.approx(confidences)
    assert {face["certain"] for face in faces} == {certain}
    options = json.loads(answer.headers["mien-results"])["options"]
    asked = dict(part.split("=") for part in query.split("&") if part)
    assert {name: str(options[name]) for name in asked} == asked


@pytest.mark.parametrize("query", ["min_confidence=2", "min_probability=-1", "max_faces=0", "max_faces=x"])
def test_what_cannot_be_asked_for_is_refused(three, picture, query):
    answer = waiting.post(f"{three}?{query}", content=picture("PNG"), headers=PNG)
    assert answer.status_code == 422
    assert query.partition("=")[0] in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/v1/predict?max_face=1", "did you mean 'max_faces'?"),
        ("/v1/predict/video?x=1", "there are name, every, smooth, min_probability"),
        ("/v1/models?x=1", "there is none"),
    ],
)
def test_unknown_parameters_are_refused(address, path, says):
    ask = waiting.get if "models" in path else waiting.post
    answer = ask(f"http://{address}{path}")
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("unknown parameter '")
    assert says in answer.json()["error"]


def test_a_parameter_that_comes_twice_is_refused(address):
    answer = waiting.post(f"http://{address}/v1/predict?max_faces=1&min_face=20&max_faces=2")
    assert (answer.status_code, answer.json()["error"]) == (422, "the parameter 'max_faces' comes twice: send it once")


def test_unknown_parameters_of_a_stream_are_refused(address):
    with pytest.raises(InvalidStatus) as refused:
        waiting.connect(f"ws://{address}/v1/stream?x=1")
    assert json.loads(refused.value.response.body)["error"].startswith("unknown parameter 'x'")


def test_an_annotated_picture(client, recognizer, astronaut_jpeg):
    options = {"content": astronaut_jpeg, "headers": {"content-type": "image/jpeg", "accept": "image/png"}}
    answer = client.post("/v1/predict", **options)
    assert answer.headers["content-type"] == "image/png"
    found = np.asarray(Image.open(io.BytesIO(answer.content)))
    image = np.asarray(Image.open(io.BytesIO(astronaut_jpeg)))
    assert (found == annotate(image, recognizer.predict(astronaut_jpeg))).all()
    files = [("picture", ("a.jpg", astronaut_jpeg, "image/jpeg"))] * 2
    answer = client.post("/v1/predict", files=files, headers={"accept": "image/png"})
    assert answer.status_code == 400
    assert "made of one" in answer.json()["error"]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/json"),
        ("", "application/json"),
        ("application/json, text/plain, */*", "application/json"),
        ("image/png, application/json", "application/json"),
        ("image/png;q=0.5, application/json;q=0.4", "image/png"),
        ("image/png, */*", "image/png"),
        ("image/*", "image/png"),
        ("IMAGE/PNG; q=1.000", "image/png"),
        ("image/png;q=0, */*", "application/json"),
        ("text/html, image/jpeg, */*;q=0.8", "application/json"),
        ("application/*;q=0.1", "application/json"),
        ("image/jpeg", None),
        ("text/csv", None),
        ("image/png;q=0", None),
        ("*/*;q=0.0", None),
    ],
)
def test_what_is_taken_is_given_or_refused(client, picture, accept, kind):
    answer = client.post("/v1/predict", content=picture("PNG"), headers={**PNG, "accept": accept})
    if kind is None:
        assert (answer.status_code, answer.headers["content-type"]) == (406, "application/json")
        assert answer.json()["error"].startswith("the answer is application/json or image/png")
    else:
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind)


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("labels=false", {"labels": False}),
        ("bars=false", {"bars": False}),
        ("blur=true", {"blur": True}),
        ("blur=true&labels=false&bars=false", {"blur": True, "labels": False, "bars": False}),
        ("min_confidence=1&say_no_face=true", {"say_no_face": True}),
    ],
)
def test_what_is_drawn_can_be_asked_for(client, recognizer, astronaut_jpeg, query, options):
    headers = {"content-type": "image/jpeg", "accept": "image/png"}
    answer = client.post(f"/v1/predict?{query}", content=astronaut_jpeg, headers=headers)
    image = np.asarray(Image.open(io.BytesIO(astronaut_jpeg)))
    faces = [] if "min_confidence" in query else recognizer.predict(astronaut_jpeg)
    drawn = annotate(image, faces, **options)
    assert (np.asarray(Image.open(io.BytesIO(answer.content))) == drawn).all()
    assert not (drawn == annotate(image, faces)).all()
    said = json.loads(answer.headers["mien-results"])["options"]
    assert {name: said[name] for name in options} == options


@pytest.mark.parametrize(
    ("query", "accept", "says"),
    [
        ("blur=true", "*/*", "blur change annotated pictures only: add the header Accept: image/png"),
        ("labels=false&bars=0", "application/json", "labels and bars change annotated pictures only"),
        ("blur=true&max_faces=1", "image/png", "would leave clear the faces that max_faces leaves out"),
        ("blur=true&min_confidence=0.9&min_face=9", "image/png", "that min_confidence and min_face leaves out"),
        ("blur=perhaps", "image/png", "blur: "),
    ],
)
def test_drawing_that_nobody_would_expect_is_refused(client, astronaut_jpeg, query, accept, says):
    headers = {"content-type": "image/jpeg", "accept": accept}
    answer = client.post(f"/v1/predict?{query}", content=astronaut_jpeg, headers=headers)
    assert answer.status_code == 422
    assert says in answer.json()["error"]


def test_an_annotated_picture_counts_like_a_body(serve, astronaut_jpeg):
    options = {"content": astronaut_jpeg, "headers": {"content-type": "image/jpeg", "accept": "image/png"}}
    with serve(limits={"buffered": 2 * len(astronaut_jpeg) + 2}) as address:
        answer = waiting.post(f"http://{address}/v1/predict", **options)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        plain = {**options, "headers": {"content-type": "image/jpeg"}}
        assert waiting.post(f"http://{address}/v1/predict", **plain).status_code == 200


def test_more_faces_than_are_allowed_are_refused(serve, picture):
    with serve(Recognizer(Likely(), Found()), limits={"faces": 2}) as address:
        answer = waiting.post(f"http://{address}/v1/predict", content=picture("PNG"), headers=PNG)
        assert answer.status_code == 413
        assert "more than 2 faces" in answer.json()["error"]
        few = waiting.post(f"http://{address}/v1/predict?max_faces=2", content=picture("PNG"), headers=PNG)
        assert len(few.json()[0]["faces"]) == 2


def test_a_service_that_finishes_nothing_is_not_ready(serve, picture, tmp_path):
    detector = Held(tmp_path)
    options = {"content": picture("PNG"), "headers": PNG}
    with serve(Recognizer(Likely(), detector), limits={"stuck_seconds": 0.1}) as address:
        asking = threading.Thread(target=lambda: waiting.post(f"http://{address}/v1/predict", **options))
        asking.start()
        answer = wait_for(lambda: not_ready(address))
        assert answer.json() == {"status": "stuck"}
        assert waiting.get(f"http://{address}/healthz").status_code == 200
        detector.let_go()
        asking.join(HANG)
        wait_for(lambda: waiting.get(f"http://{address}/readyz").status_code == 200)


def not_ready(address):
    answer = waiting.get(f"http://{address}/readyz")
    return answer if answer.status_code == 503 else None


STARTED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import held
from held import Held
from mien.recognition.recognizer import Recognizer
from mien.service.app import create_app
from mien.service.limits import Limits
from mien.service.server import run_server, server_config
from mien.service.settings import Settings

settings = Settings(limits=Limits(shutdown_seconds=1, picture_seconds=600))
app = create_app(Recognizer(detector=Held(Path(sys.argv[3]))), settings)
config = server_config(app, "127.0.0.1", 0, settings.limits)
run_server(config, lambda address: print(address, flush=True), float(sys.argv[1]))
"""


@pytest.fixture
def never(tmp_path):
    """Starts a service whose detector never comes back: process and address."""
    processes = []

    def start(drain_seconds):
        command = [sys.executable, "-c", STARTED, str(drain_seconds), str(Path(held.__file__).parent), str(tmp_path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        return process, process.stdout.readline().strip().rstrip("/")

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_the_process_is_gone_whatever_decoders_do(never, picture, sign, tmp_path):
    process, address = never(0)

    def ask():
        with contextlib.suppress(httpx.TransportError):  # it is cut off
            waiting.post(f"{address}/v1/predict", content=picture("PNG"), headers=PNG)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    wait_for(lambda: Held(tmp_path).widths)  # its picture is with the detector
    process.send_signal(sign)
    process.wait(HANG)


def test_while_draining_requests_are_answered_and_nobody_is_sent_there(never):
    process, address = never(3600)
    assert waiting.get(f"{address}/readyz").status_code == 200
    process.send_signal(signal.SIGTERM)
    wait_for(lambda: waiting.get(f"{address}/readyz").json() == {"status": "draining"})
    assert waiting.get(f"{address}/v1/models").status_code == 200
    process.send_signal(signal.SIGTERM)  # a second one ends it
    process.wait(HANG)
