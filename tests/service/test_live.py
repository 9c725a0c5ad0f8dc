import json
import threading

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed

import waiting
from mien.model.embedded import versioned_name
from mien.recognition.recognizer import Recognizer
from mien.service.live import Newest
from waiting import HANG, connect, wait_for


def received(stream):
    return json.loads(stream.recv(timeout=HANG))


def test_a_person_keeps_the_number(address, astronaut_jpeg):
    with connect(f"ws://{address}/v1/stream") as stream:
        header = json.loads(stream.response.headers["mien-results"])
        assert (header["schema"], header["options"]["smooth"]) == (2, "auto")
        assert header["model"]["name"] == versioned_name("mien_s")
        frames = []
        for _ in range(4):
            stream.send(astronaut_jpeg)
            frames.append(received(stream))
    assert [frame["index"] for frame in frames] == [0, 1, 2, 3]
    assert [[face["track"] for face in frame["faces"]] for frame in frames] == [[1]] * 4
    assert {face["emotion"] for frame in frames for face in frame["faces"]} == {"happy"}
    times = [frame["time"] for frame in frames]
    assert times == sorted(times)
    assert times[0] == 0


def test_a_stream_says_what_is_certain(address, astronaut_jpeg):
    for least, certain in ((0.5, True), (0.999, False)):
        with connect(f"ws://{address}/v1/stream?min_probability={least}") as stream:
            assert json.loads(stream.response.headers["mien-results"])["options"]["min_probability"] == least
            stream.send(astronaut_jpeg)
            assert [face["certain"] for face in received(stream)["faces"]] == [certain]


class HeldBack:
    """Answers one batch each time it is let go."""

    def __init__(self):
        self.let_go = threading.Semaphore(0)
        self.begun = threading.Semaphore(0)

    def probabilities(self, faces):
        if faces.any():
            self.begun.release()
            self.let_go.acquire(timeout=HANG)
        return np.full((len(faces), 7), 1 / 7)


def test_only_the_newest_picture_waits(serve, picture):
    classifier = HeldBack()
    with serve(Recognizer(classifier, "none")) as address:
        with connect(f"ws://{address}/v1/stream") as stream:
            stream.send(picture("PNG"))
            classifier.begun.acquire(timeout=HANG)
            for _ in range(9):
                stream.send(picture("PNG"))
            stream.ping().wait(HANG)  # it has been answered, so the pictures before it have come
            classifier.let_go.release(10)
            assert [received(stream)["index"], received(stream)["index"]] == [0, 9]
        assert 'mien_pictures_total{outcome="recognized"} 2.0' in metrics_when(address, "mien_streams 0.0")
        assert 'mien_pictures_total{outcome="dropped"} 8.0' in metrics_when(address, "dropped")


def metrics_when(address, text):
    wait_for(lambda: text in waiting.get(f"http://{address}/metrics").text)
    return waiting.get(f"http://{address}/metrics").text


def test_a_broken_picture_is_answered_and_the_stream_goes_on(address, picture):
    with connect(f"ws://{address}/v1/stream") as stream:
        stream.send(b"no picture")
        broken = received(stream)
        assert broken["error"].startswith("stream: not a picture")
        assert broken["faces"] == []
        stream.send(picture("PNG"))
        assert received(stream)["error"] is None


def closed(stream):
    with pytest.raises(ConnectionClosed) as ended:
        stream.recv(timeout=HANG)
    return ended.value.rcvd.code


def test_streams_are_closed_with_a_reason(serve, picture):
    with serve(limits={"frame_body": 1000, "idle_seconds": HANG, "pixels": 10_000}) as address:
        url = f"ws://{address}/v1/stream"
        with connect(url) as stream:
            stream.send("text")
            assert closed(stream) == 1003
        with connect(url) as stream:
            stream.send(bytes(1001))
            assert closed(stream) == 1009
        with connect(url) as stream:
            stream.send(bytes(5000))
            assert closed(stream) == 1009
        with connect(url) as stream:
            for _ in range(10):
                stream.send(b"no picture")
                received(stream)
            assert closed(stream) == 1007


def test_a_stream_without_pictures_is_closed(serve):
    with serve(limits={"idle_seconds": 0.3}) as address, connect(f"ws://{address}/v1/stream") as stream:
        assert closed(stream) == 1001


def test_a_stream_lasts_so_long_and_no_longer(serve):
    with serve(limits={"stream_seconds": 0.3}) as address, connect(f"ws://{address}/v1/stream") as stream:
        assert closed(stream) == 1000


@pytest.mark.parametrize("smooth", ["no", "symmetric"])  # which looks ahead
def test_an_unknown_smoothing_is_refused(address, smooth):
    with pytest.raises(Exception, match="422"):
        connect(f"ws://{address}/v1/stream?smooth={smooth}")


def test_newest_forgets_what_was_not_taken():
    import asyncio

    async def run():
        newest = Newest()
        for number in range(5):
            newest.put(bytes([number]), float(number))
        return await newest.take(), newest.count, newest.dropped

    assert asyncio.run(run()) == ((4, 4.0, b"\x04"), 5, 4)
