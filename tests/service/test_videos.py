import json

import httpx
import numpy as np
import pytest
from attacks import encoded

import waiting
from held import Held
from mien.recognition.recognizer import Recognizer
from mien.service import video_lines
from waiting import HANG

MP4 = {"content-type": "video/mp4"}


@pytest.fixture(scope="module")
def clip(stage, write_clip, tmp_path_factory):
    """Eileen Collins crosses the picture, a second of it."""
    images = [stage((0, 40 + 4 * number, 60)) for number in range(25)]
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", images)


@pytest.fixture
def client_of_even(serve):
    """Of a service that takes every frame for a face."""
    with serve(Recognizer(Even(), "none")) as address, httpx.Client(base_url=f"http://{address}") as client:
        client.timeout = HANG
        yield client


def lines_of(answer):
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def test_a_video_gives_what_the_recogniser_gives(client, recognizer, clip):
    answer = client.post("/v1/predict/video?name=clip.mp4", content=clip.read_bytes(), headers=MP4)
    expected = [json.loads(frame.to_json()) | {"source": "clip.mp4"} for frame in recognizer.stream(clip)]
    assert lines_of(answer) == expected
    header = json.loads(answer.headers["mien-results"])
    assert header["model"] == recognizer.header.to_dict()["model"]
    assert header["options"]["smooth"] == "auto"
    assert {face["track"] for frame in expected for face in frame["faces"]} == {1}


def test_the_status_comes_with_the_first_image_whatever_follows(serve, write_clip, tmp_path):
    """Smoothing looks ahead, and the second image may take long."""
    detector = Held(tmp_path)  # which waits for nothing where it is black
    images = [np.full((48, 64, 3), value, np.uint8) for value in (0, 200, 200, 200)]
    content = write_clip(tmp_path / "clip.mp4", images).read_bytes()
    with serve(Recognizer(Even(), detector)) as address:
        url = f"http://{address}/v1/predict/video"
        with httpx.stream("POST", url, content=content, headers=MP4, timeout=HANG) as answer:
            assert answer.status_code == 200
            detector.let_go()
            assert len(list(answer.iter_lines())) == 4


def test_a_video_says_what_is_certain(client, clip):
    answer = client.post("/v1/predict/video?min_probability=1", content=clip.read_bytes(), headers=MP4)
    assert json.loads(answer.headers["mien-results"])["options"]["min_probability"] == 1
    assert {face["certain"] for frame in lines_of(answer) for face in frame["faces"]} == {False}


def test_a_video_that_breaks_off_keeps_its_frames(client, stage, write_clip, tmp_path):
    images = [stage((0, 40, 60))] * 30
    whole = write_clip(tmp_path / "a.avi", images, codec="mjpeg", pixels="yuvj420p").read_bytes()
    kind = {"content-type": "video/x-msvideo"}
    frames = lines_of(client.post("/v1/predict/video", content=whole[: len(whole) * 2 // 3], headers=kind))
    assert len(frames) > 10
    assert all(frame["error"] is None for frame in frames[:-1])
    assert frames[-1]["error"]


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"", "video/mp4", 415),
        (b"words", "video/mp4", 415),
        (b"\x1aE\xdf\xa3" + bytes(100), "video/webm", 422),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "video/mp4", 415),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "video/x-matroska", 415),
        (b"#EXTM3U\n", "application/vnd.apple.mpegurl", 415),
        (b"words", "text/plain", 415),
    ],
)
def test_what_is_no_video_is_refused(client, content, kind, status):
    answer = client.post("/v1/predict/video", content=content, headers={"content-type": kind})
    assert answer.status_code == status
    assert answer.json().keys() == {"error"}


def test_an_empty_video_is_called_so_as_an_empty_picture_is(client):
    answer = client.post("/v1/predict/video?name=a.mp4", content=b"", headers=MP4)
    assert (answer.status_code, answer.json()["error"]) == (415, "a.mp4: an empty file, not a video")


@pytest.mark.parametrize(
    ("suffix", "declared", "found"),
    [
        ("webm", "video/mp4", "video/webm"),
        ("mkv", "video/x-msvideo", "video/x-matroska"),
        ("mp4", "video/webm", "video/mp4"),
        ("mov", "video/x-matroska", "video/quicktime"),
        ("avi", "video/quicktime", "video/x-msvideo"),
    ],
)
def test_a_video_of_another_type_than_declared_says_which_it_is(
    client, write_clip, stage, tmp_path, suffix, declared, found
):
    encoding = {"webm": {"codec": "libvpx-vp9"}, "avi": {"codec": "mjpeg", "pixels": "yuvj420p"}}.get(suffix, {})
    content = write_clip(tmp_path / f"a.{suffix}", [stage((0, 40, 60))] * 3, **encoding).read_bytes()
    answer = client.post("/v1/predict/video", content=content, headers={"content-type": declared})
    said = f"video: its content is {found}, not {declared}: send it with that content type"
    assert (answer.status_code, answer.json()["error"]) == (415, said)
    assert len(lines_of(client.post("/v1/predict/video", content=content, headers={"content-type": found}))) == 3


@pytest.mark.parametrize(("declared", "suffix"), [("video/quicktime", "mp4"), ("video/webm", "mkv")])
def test_kindred_types_are_read_as_each_other(client, write_clip, stage, tmp_path, declared, suffix):
    content = write_clip(tmp_path / f"a.{suffix}", [stage((0, 40, 60))] * 3).read_bytes()
    assert len(lines_of(client.post("/v1/predict/video", content=content, headers={"content-type": declared}))) == 3


@pytest.mark.parametrize(
    ("name", "kind", "size", "says"),
    [
        ("a.mp4", "video/mp4", 0.7, "its index (moov) is missing"),
        ("a.mkv", "video/webm", 0.01, "damaged or truncated"),
    ],
)
def test_a_truncated_video_is_called_so(client, write_clip, tmp_path, name, kind, size, says):
    noise = np.random.default_rng(0).integers(0, 256, (10, 48, 64, 3), np.uint8)
    whole = write_clip(tmp_path / name, list(noise)).read_bytes()
    answer = client.post("/v1/predict/video", content=whole[: int(size * len(whole))], headers={"content-type": kind})
    assert (answer.status_code, says in answer.json()["error"]) == (422, True), answer.text


def test_parameters_are_checked(client):
    for query in ("every=0", "every=x", "smooth=no", f"name={'x' * 300}"):
        answer = client.post(f"/v1/predict/video?{query}", content=b"", headers=MP4)
        assert answer.status_code == 422
        assert query.partition("=")[0] in answer.json()["error"]


def test_limits_of_length_and_size(serve, clip):
    content = clip.read_bytes()
    for limits, status in (
        ({"video_body": len(content) - 1}, 413),
        ({"video_seconds": 0.5}, 413),
        ({"video_frames": 10}, 413),
        ({"pixels": 426 * 240 - 1}, 413),
        ({"pixels": 426 * 240}, 200),
    ):
        with serve(Recognizer(Even(), "none"), limits=limits) as address:
            answer = waiting.post(f"http://{address}/v1/predict/video", content=content, headers=MP4)
            assert answer.status_code == status, answer.text


def test_frames_of_as_many_pixels_as_are_allowed_fit_the_memory_of_a_video(client):
    content = encoded("avi", "mjpeg", (4096, 2304), 4, pix_fmt="yuvj420p")
    answer = client.post("/v1/predict/video", content=content, headers={"content-type": "video/x-msvideo"})
    assert [(frame["width"], frame["error"]) for frame in lines_of(answer)] == [(4096, None)] * 4


def test_a_video_that_does_not_say_how_long_it_is_ends_at_the_limit(serve, write_clip, stage, tmp_path):
    content = write_clip(tmp_path / "clip.mkv", [stage((0, 40, 60))] * 12).read_bytes()
    with serve(Recognizer(Even(), "none"), limits={"video_frames": 10}) as address:
        headers = {"content-type": "video/x-matroska"}
        frames = lines_of(waiting.post(f"http://{address}/v1/predict/video", content=content, headers=headers))
        assert len(frames) == 11
        assert "longer than" in frames[-1]["error"]


@pytest.mark.parametrize(("smooth", "lines"), [("auto", 11), ("ema", 25)])
def test_faces_that_wait_for_smoothing_are_bounded(client_of_even, clip, monkeypatch, smooth, lines):
    """A second has any number of frames, and smoothing waits for a second."""
    monkeypatch.setattr(video_lines, "_HELD", 10)
    answer = client_of_even.post(f"/v1/predict/video?smooth={smooth}", content=clip.read_bytes(), headers=MP4)
    frames = lines_of(answer)
    assert len(frames) == lines
    assert ("more than 10 faces" in (frames[-1]["error"] or "")) == (smooth == "auto")


class Even:
    """Every face shows everything."""

    def probabilities(self, faces):
        return np.full((len(faces), 7), 1 / 7)
