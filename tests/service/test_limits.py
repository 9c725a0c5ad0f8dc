"""What a picture or video may cost: whoever exceeds it is refused, its worker ended and replaced, others are served."""

import io
import json
import os
import signal
import socket
import sys
import time

import numpy as np
import pytest
from attacks import KINDS, VIDEO, attacks
from PIL import Image

import waiting
from held import Held
from mien.recognition.recognizer import Recognizer
from waiting import HANG, wait_for

PNG = {"content-type": "image/png"}
SMALL = 0.002
linux = pytest.mark.skipif(sys.platform != "linux", reason="a limit that Linux has")


class Costly:
    """Does in a picture that is not black what its grey says."""

    def detect(self, image):
        match int(image.max()):
            case 1:
                while True:
                    pass
            case 2:
                time.sleep(HANG)
            case 3:
                np.ones(2**32, np.uint8)
            case 4:
                os.kill(os.getpid(), signal.SIGSEGV)
            case 5:
                os.kill(os.getpid(), signal.SIGKILL)
        return []


class Even:
    """Every face shows everything."""

    def probabilities(self, faces):
        return np.full((len(faces), 7), 1 / 7)


@pytest.fixture(scope="module")
def costly(serve):
    with serve(Recognizer(Even(), Costly()), limits={"picture_cpu_seconds": 0.3}) as address:
        yield f"http://{address}"


@pytest.fixture(scope="module")
def grey():
    """Encodes a picture of one grey."""

    def make(value):
        file = io.BytesIO()
        Image.fromarray(np.full((48, 64, 3), value, np.uint8)).save(file, "PNG")
        return file.getvalue()

    return make


@pytest.mark.parametrize(
    ("value", "status", "says", "reason"),
    [
        pytest.param(1, 413, "0.3 s of processor time", "processor time", marks=linux),
        pytest.param(3, 413, "not enough memory", "memory", marks=linux),
        (4, 422, "its decoder crashed", "crash"),
        (5, 503, "try again", "killed"),
    ],
)
def test_who_costs_too_much_is_refused_and_the_next_is_served(costly, grey, value, status, says, reason):
    answer = waiting.post(f"{costly}/v1/predict", content=grey(value), headers=PNG)
    assert (answer.status_code, says in answer.json()["error"]) == (status, True), answer.text
    assert f'mien_workers_ended_total{{reason="{reason}"}} 1.0' in waiting.get(f"{costly}/metrics").text
    for _ in range(3):
        assert waiting.post(f"{costly}/v1/predict", content=grey(0), headers=PNG).status_code == 200


def test_who_takes_too_long_is_refused_and_the_next_is_served(serve, grey):
    limits = {"picture_seconds": 0.4, "starved_seconds": 0.1}  # who sleeps gets no core either
    with serve(Recognizer(Even(), Costly()), limits=limits) as address:
        url = f"http://{address}/v1/predict"
        answer = waiting.post(url, content=grey(2), headers=PNG)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "took longer than 0.4 s" in answer.json()["error"]
        wait_for(lambda: _ok(waiting.post(url, content=grey(0), headers=PNG)))


@pytest.mark.parametrize("ahead", [b"", b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"])
def test_who_leaves_is_not_worked_for(serve, grey, tmp_path, children, ahead):
    detector = Held(tmp_path)
    with serve(Recognizer(Even(), detector), limits={"videos": 0}) as address:
        before = set(children())
        content = grey(9)
        host, port = address.split(":")
        with socket.create_connection((host, int(port)), timeout=HANG) as client:
            head = f"POST /v1/predict HTTP/1.1\r\nhost: {host}\r\ncontent-type: image/png\r\n"
            client.sendall(f"{head}content-length: {len(content)}\r\n\r\n".encode() + content + ahead)
            wait_for(lambda: detector.widths)
        wait_for(lambda: before - set(children()))  # its worker is gone
        assert waiting.post(f"http://{address}/v1/predict", content=grey(0), headers=PNG).json()


def test_nor_is_who_leaves_before_the_first_frame_of_a_video(serve, write_clip, stage, tmp_path, children):
    detector = Held(tmp_path)
    content = write_clip(tmp_path / "clip.mp4", [stage((0, 40, 60))] * 3).read_bytes()
    with serve(Recognizer(Even(), detector), limits={"videos": 1}) as address:
        before = set(children())
        host, port = address.split(":")
        with socket.create_connection((host, int(port)), timeout=HANG) as client:
            head = f"POST {VIDEO} HTTP/1.1\r\nhost: {host}\r\ncontent-type: video/mp4\r\n"
            client.sendall(f"{head}content-length: {len(content)}\r\n\r\n".encode() + content)
            wait_for(lambda: detector.widths)
        wait_for(lambda: before - set(children()))
        broke_off = f'mien_requests_total{{path="{VIDEO}",status="400"}} 1.0'
        wait_for(lambda: broke_off in waiting.get(f"http://{address}/metrics").text)
        detector.let_go()
        headers = {"content-type": "video/mp4"}
        answer = wait_for(lambda: _ok(waiting.post(f"http://{address}{VIDEO}", content=content, headers=headers)))
        assert len(answer.text.splitlines()) == 3


def _ok(answer):
    return answer if answer.status_code == 200 else None


@pytest.fixture(scope="module")
def small():
    return {attack.kind: attack for attack in attacks(7, SMALL)}


@pytest.mark.parametrize("kind", KINDS)
def test_small_attacks_of_every_kind_are_answered(client, small, picture, kind):
    attack = small[kind]
    answer = client.post(attack.path, content=attack.content, headers=attack.headers)
    assert answer.status_code in {200, 400, 413, 415, 422}, answer.text
    if answer.status_code == 200 and attack.path == VIDEO:
        assert all(json.loads(line)["source"] == "video" for line in answer.text.splitlines())
    assert client.post("/v1/predict", content=picture("PNG"), headers=PNG).status_code == 200
