import io
import re
import struct
import subprocess
import sys
import threading
from fractions import Fraction
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from mien.errors import InputError, UsageError
from mien.media.open_video import open_video
from mien.media.readahead import Reader
from mien.media.sequence import PictureSequence
from mien.media.video_source import is_video, without_password
from mien.media.video_times import announced_end
from mien.media.webcam import Camera
from waiting import HANG

COUNT = 30


def numbered(number, shape=(48, 64)):
    """An image whose grey level tells its number."""
    return np.full((*shape, 3), 20 + 7 * number, np.uint8)


def number_of(image):
    return round((float(image[8:24, 8:24].mean()) - 20) / 7)


def read(source, **options):
    """Numbers as painted, times, and the error at the end."""
    opened = open_video(source, **options)
    painted, times = [], []
    try:
        for position, image in enumerate(opened.images()):
            assert image.number == position
            painted.append(number_of(image.image))
            times.append(image.time)
    except InputError as error:
        return painted, times, str(error)
    finally:
        opened.close()
    return painted, times, None


@pytest.fixture(scope="module")
def images():
    return [numbered(number) for number in range(COUNT)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_clip, images):
    """Clips whose moov comes first, so that their beginning can be read alone."""
    folder = tmp_path_factory.mktemp("clips")
    noise = np.random.default_rng(0).integers(0, 60, (COUNT, 48, 64, 3)).astype(np.uint8)
    noisy = [image + grain for image, grain in zip(images, noise, strict=True)]
    write_clip(folder / "clip.mp4", noisy, audio="aac", options={"movflags": "faststart"})
    write_clip(folder / "clip.mkv", noisy)
    write_avi(folder / "clip.avi", noisy, range(COUNT), "mjpeg")
    return folder


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.mov", "libx264"), ("a.ts", "libx264"), ("a.webm", "libvpx")],
)
@pytest.mark.parametrize("times", ["steady", "ntsc", "variable"])
def test_every_frame_comes_once_at_its_own_time(tmp_path, write_clip, images, name, codec, times):
    exact = {
        "steady": np.arange(COUNT) / 25,
        "ntsc": np.arange(COUNT) * 1001 / 30_000,
        "variable": np.cumsum([0, *np.random.default_rng(1).uniform(0.01, 0.4, COUNT - 1)]).round(3),
    }[times]
    path = write_clip(tmp_path / name, images, times=exact.tolist(), codec=codec)
    painted, found, error = read(path)
    assert (painted, error) == (list(range(COUNT)), None)
    np.testing.assert_allclose(found, exact, atol=1e-3)


@pytest.mark.parametrize("quarter_turns", [0, 1, 2, 3])
def test_the_rotation_in_the_track_header_is_applied(tmp_path, write_clip, quarter_turns):
    """The matrix is written as ISO 14496-12 defines it: (x, y) of the stored picture is shown at (ax + cy, bx + dy)."""
    stored = np.kron(np.arange(6, dtype=np.uint8).reshape(2, 3) * 40, np.ones((32, 32), np.uint8))
    path = write_clip(tmp_path / "phone.mp4", [np.dstack([stored] * 3)] * 3)
    across, down = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarter_turns]  # where the x axis goes, clockwise
    matrix = [across << 16, down << 16, 0, -down << 16, across << 16, 0, 0, 0, 1 << 30]
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 44
    content[place : place + 36] = struct.pack(">9i", *matrix)
    path.write_bytes(content)
    shown = next(iter(open_video(path).images())).image
    np.testing.assert_allclose(shown[:, :, 0].astype(int), np.rot90(stored, -quarter_turns), atol=6)


@pytest.mark.parametrize("codec", ["libx264", "mjpeg"])
def test_frames_of_avi_are_evenly_spaced_whatever_their_order_in_the_file(tmp_path, write_clip, images, codec):
    painted, times, error = read(write_avi(tmp_path / "a.avi", images, range(COUNT), codec))
    assert (painted, error) == (list(range(COUNT)), None)
    assert times == pytest.approx(np.arange(COUNT) / 25)


def test_places_that_were_left_empty_in_avi_shift_nothing(tmp_path, images):
    places = [number + 5 * (number > 9) for number in range(COUNT)]
    painted, times, error = read(write_avi(tmp_path / "a.avi", images, places, "mjpeg"))
    assert (painted, error) == (list(range(COUNT)), None)
    assert times == pytest.approx(np.array(places) / 25)


def write_avi(path, images, places, codec):
    """AVI at 25 frames a second, a frame in each of the places; the writer fills the others with empty packets."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=25)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for image, place in zip(images, places, strict=True):
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts, frame.time_base = place, Fraction(1, 25)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.avi"])
@pytest.mark.parametrize("share", [0.5, 0.8])
def test_a_truncated_video_gives_its_frames_and_then_an_error(folder, tmp_path, name, share):
    content = (folder / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(content[: int(share * len(content))])
    painted, _, error = read(path)
    whole, _, _ = read(folder / name)
    assert 5 < len(painted) < COUNT
    assert painted == whole[: len(painted)]
    assert error.startswith(f"{path}: ")
    assert f"{len(painted)} frames" in error


def damaged(path, target, number):
    """A video in which a frame's packet begins with other bytes; a damage in its middle may pass for other pixels."""
    with av.open(str(path)) as file:
        packet = [packet for packet in file.demux(video=0) if packet.size][number]
        start, end = packet.pos, packet.pos + min(packet.size, 400)
    content = bytearray(path.read_bytes())
    content[start:end] = bytes(255 - value for value in content[start:end])
    target.write_bytes(content)
    return target


def test_a_damaged_video_gives_the_frames_that_decode_and_then_an_error(folder, tmp_path):
    path = damaged(folder / "clip.mp4", tmp_path / "clip.mp4", COUNT // 2)
    painted, times, error = read(path)
    assert len(painted) > COUNT // 2
    assert times == sorted(times)
    assert "damaged" in error
    assert "\n" not in error


def test_a_codec_that_nobody_knows_is_said(folder, tmp_path):
    content = (folder / "clip.mkv").read_bytes()
    named = re.search(rb"V_[A-Z0-9/]+", content)[0]
    path = tmp_path / "odd.mkv"
    path.write_bytes(content.replace(named, b"V_" + b"Z" * (len(named) - 2)))
    with pytest.raises(InputError, match=r"odd\.mkv: no video in it that can be decoded"):
        open_video(path)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.integers(0, 2**32 - 1))
def test_damage_raises_nothing_but_input_errors(folder, tmp_path, seed):
    random = np.random.default_rng(seed)
    content = bytearray((folder / random.choice(["clip.mp4", "clip.mkv"])).read_bytes())
    for place in random.integers(0, len(content), 20):
        content[place] = random.integers(256)
    path = tmp_path / "damaged"
    path.write_bytes(content[: random.integers(1, len(content) + 1)])
    try:
        opened = open_video(path)
    except InputError:
        return
    read(path)
    opened.close()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.mp4", None, "No such file"),
        ("text.mp4", b"just text", "not a video"),
        ("empty.mp4", b"", "an empty file, not a video"),
        (
            "no index.mp4",
            b"\0\0\0\x10ftypisom\0\0\0\0" + b"\0\0\x01\0mdat" + bytes(90),
            r"its index \(moov\) is missing",
        ),
    ],
)
def test_what_is_no_video_is_named(tmp_path, name, content, words):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        open_video(path)
    assert str(caught.value).startswith(f"{path}: ")
    with pytest.raises(InputError, match="a folder"):
        open_video(str(tmp_path))


def test_sound_alone_is_no_video(tmp_path, write_clip, images):
    whole = av.open(str(write_clip(tmp_path / "a.mp4", images, audio="aac")))
    with whole, av.open(str(tmp_path / "sound.mp4"), "w") as file:
        stream = file.add_stream_from_template(whole.streams.audio[0])
        for packet in whole.demux(whole.streams.audio[0]):
            if packet.size:
                packet.stream = stream
                file.mux(packet)
    with pytest.raises(InputError, match="no video in it"):
        open_video(tmp_path / "sound.mp4")


def test_pictures_are_frames_at_the_rate_asked_for_and_broken_ones_are_told_at_the_end(tmp_path, images):
    paths = [tmp_path / f"{number:03}.png" for number in range(6)]
    for path, image in zip(paths, images, strict=False):
        Image.fromarray(image).save(path)
    painted, times, error = read(paths, fps=10)
    assert (painted, error) == (list(range(6)), None)
    assert times == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])
    paths[2].write_text("text")
    found, error = taken(PictureSequence(paths, 10))
    assert [image.number for image in found] == [0, 1, 3, 4, 5]
    assert "1 of 6 pictures left out, first: " in error
    assert "002.png: not a picture" in error


def taken(source):
    """Images and the error at the end."""
    found, images = [], source.images()
    while True:
        try:
            found.append(next(images))
        except StopIteration:
            return found, None
        except InputError as error:
            return found, str(error)


def test_raw_jpegs_on_standard_input_are_frames(images):
    content = io.BytesIO()
    for image in images:
        Image.fromarray(image).save(content, "JPEG", quality=95)
    code = (
        "from mien.media.open_video import open_video\n"
        "for image in open_video('-', fps=10).images(): print(image.number, image.time, image.image.mean())"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], input=content.getvalue(), capture_output=True, timeout=HANG, check=True
    )
    rows = np.array([line.split() for line in result.stdout.decode().splitlines()], float)
    np.testing.assert_allclose(rows[:, 0], np.arange(COUNT))
    np.testing.assert_allclose(rows[:, 1], np.arange(COUNT) / 10, atol=1e-3)
    np.testing.assert_allclose(rows[:, 2], [image.mean() for image in images], atol=2)


@pytest.fixture
def serve():
    """Starts web servers on free local ports; their addresses."""
    servers = []

    def start(handler):
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_a_file_behind_an_address_is_read_whole(folder, serve):
    address = serve(partial(Quiet, directory=folder))
    opened = open_video(f"{address}/clip.mp4")
    assert not opened.live
    opened.close()
    assert read(f"{address}/clip.mp4") == read(folder / "clip.mp4")
    with pytest.raises(InputError, match="not a video that can be read"):
        open_video(f"{address}/missing.mp4")


def test_a_camera_behind_an_address_is_live_and_old_frames_are_dropped(serve):
    class Jpegs(Quiet):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            for number in range(COUNT):
                content = io.BytesIO()
                Image.fromarray(numbered(number)).save(content, "JPEG", quality=95)
                part = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(content.getvalue())
                self.wfile.write(part + content.getvalue() + b"\r\n")

    source = open_video(serve(Jpegs))
    assert source.live
    with Reader(source) as reader:
        first = next(reader)
        reader._thread.join(HANG)
        rest = []
        with pytest.raises(InputError, match="breaks off at"):  # the server hangs up
            rest.extend(image.number for image in reader)
    assert first.number == 0 or reader.dropped > 0
    assert rest[-1] == COUNT - 1
    assert 1 + len(rest) + reader.dropped == COUNT


class FakeCapture:
    """A webcam that gives three blue images."""

    def __init__(self, number):
        self.left = 3 if number == 0 else None
        self.released = False

    def isOpened(self):  # noqa: N802 - OpenCV's name
        return self.left is not None

    def read(self):
        self.left -= 1
        return self.left >= 0, np.full((4, 5, 3), (255, 0, 0), np.uint8)

    def release(self):
        self.released = True


def test_a_webcam_gives_rgb_at_the_times_of_arrival():
    camera = Camera(0, FakeCapture, iter([10.0, 10.5, 11.0, 12.25]).__next__)
    images, error = taken(camera)
    assert error == "camera 0: gives no more images after 3"
    assert [image.time for image in images] == [0.5, 1.0, 2.25]
    assert images[0].image[0, 0].tolist() == [0, 0, 255]
    camera.close()
    assert camera._capture.released


def test_a_missing_webcam_is_named():
    with pytest.raises(InputError, match="camera 7: cannot be opened"):
        Camera(7, FakeCapture)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a.mp4", True), ("A.MOV", True), ("a.h264", True), ("a.VOB", True), ("a.3g2", True),
        ("0", True), ("12", True), ("rtsp://x/y", True), ("http://x/a.jpg", True),
        ("-", True), ("a.jpg", False), ("folder", False), ("C:/a.png", False), ("a1", False), ("²", False),
    ],
)  # fmt: skip
def test_videos_are_told_from_pictures_by_name(source, expected):
    assert is_video(source) is expected


def test_a_file_named_like_a_webcam_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "0").touch()
    assert not is_video("0")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://me:secret@host:554/a", "rtsp://host:554/a"),
        ("rtsp://me:p@ss@host/a", "rtsp://host/a"),
        ("http://host/a@b", "http://host/a@b"),
        ("http://host?a@b", "http://host?a@b"),
        ("me@host.mp4", "me@host.mp4"),
    ],
)
def test_passwords_in_addresses_are_not_shown(address, shown):
    assert without_password(address) == shown


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_a_rate_out_of_range_is_refused(fps):
    with pytest.raises(UsageError, match="fps"):
        open_video("a.mp4", fps=fps)


def test_no_pictures_are_no_video():
    with pytest.raises(InputError, match="no pictures"):
        open_video([])


@pytest.mark.parametrize(("said", "seconds"), [("01:00:02.5", 3602.5), ("9" * 400 + ":00:00", None), ("soon", None)])
def test_when_a_matroska_ends_is_read_from_its_tag_unless_no_number_holds_it(said, seconds):
    container = SimpleNamespace(format=SimpleNamespace(name="matroska,webm"))
    stream = SimpleNamespace(metadata={"DURATION": said}, container=container, duration=None)
    assert announced_end(stream) == seconds
