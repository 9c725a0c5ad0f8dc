"""Files whose decoding would cost far more than their size: refused at once, and the service goes on."""

import io
import struct
from random import Random

import pytest
from attacks import matroska_broken, matroska_compressed
from PIL import Image

import waiting
from mien.errors import InputError, TooLargeError
from mien.recognition.recognizer import Recognizer
from mien.service.limits import Limits
from mien.service.uploaded_video import UploadedVideo


def segment(marker, content):
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def jpeg(more):
    file = io.BytesIO()
    Image.new("RGB", (64, 64)).save(file, "JPEG")
    return file.getvalue()[:20] + more + file.getvalue()[20:]


def bmp():
    info = struct.pack("<IiiHHIIiiII", 40, 25_000_000, 1, 1, 8, 1, 4, 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 1082, 0, 0, 1078) + info + bytes(1024) + b"\x01\x01\0\0"


def scans(count):
    head = b"\xff\xd8" + segment(0xC2, struct.pack(">BHHB", 8, 5000, 5000, 1) + bytes([1, 0x11, 0]))
    return head + (segment(0xDA, bytes([1, 1, 0, 1, 63, 0x10])) + b"\0") * count + b"\xff\xd9"


PICTURES = {
    "scans": scans(1000),
    "EXIF": jpeg(segment(0xE1, b"Exif\0\0MM") * 100_000),
    "fill": jpeg(b"\xff" * 5_000_000),
    "RLE": bmp(),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_a_costly_picture_is_refused(client, picture, kind):
    any_kind = {"content-type": "application/octet-stream"}
    answer = client.post("/v1/predict", content=PICTURES[kind], headers=any_kind)
    assert answer.status_code == 413
    assert "too costly to decode" in answer.json()["error"]
    assert client.post("/v1/predict", content=picture("JPEG"), headers=any_kind).status_code == 200


def test_an_index_of_80_million_samples_is_refused(client):
    def box(kind, content):
        return struct.pack(">I", len(content) + 8) + kind + content

    content = box(b"stsz", struct.pack(">III", 0, 1, 80_000_000))
    for kind in (b"stbl", b"minf", b"mdia", b"trak", b"moov"):
        content = box(kind, content)
    video = box(b"ftyp", b"isom\0\0\2\0isom") + content
    answer = client.post("/v1/predict/video", content=video, headers={"content-type": "video/mp4"})
    assert answer.status_code == 413
    assert "250,000 samples" in answer.json()["error"]


def test_a_video_that_holds_more_than_its_file_is_refused(client):
    """Blocks of zeros that Matroska has compressed: what no index says is counted while it is read."""
    content = matroska_compressed(Random(1), 0.02)
    answer = client.post("/v1/predict/video", content=content, headers={"content-type": "video/x-matroska"})
    assert answer.status_code == 413
    assert "again and again" in answer.json()["error"]


@pytest.mark.parametrize(
    ("limits", "says"),
    [({"video_total_pixels": 426 * 240 * 8 - 1}, "gigapixels in all"), ({"video_frames": 7}, "or 7 frames")],
)
def test_frames_that_the_index_claims_are_counted_before_they_are_decoded(write_clip, stage, tmp_path, limits, says):
    content = write_clip(tmp_path / "clip.mp4", [stage((0, 40, 60))] * 8).read_bytes()
    with pytest.raises(TooLargeError, match=says):
        UploadedVideo(content, "clip", "video/mp4", Limits(**limits))


@pytest.mark.parametrize(("frames", "says"), [(400, "or 400 frames"), (1000, "of 1,000 packets in a row")])
def test_broken_packets_are_not_tried_for_ever(frames, says):
    content = matroska_broken(Random(1), 0.01)  # 2,000 of them
    video = UploadedVideo(content, "clip", "video/x-matroska", Limits(video_frames=frames))
    with pytest.raises(InputError, match=says):
        list(video.images())


@pytest.mark.parametrize(("codec", "pixels"), [("png", "rgb24"), ("qtrle", "rgb24")])
def test_other_codecs_are_not_decoded(client, write_clip, stage, tmp_path, codec, pixels):
    path = write_clip(tmp_path / "clip.mov", [stage((0, 40, 60))] * 3, codec=codec, pixels=pixels)
    answer = client.post("/v1/predict/video", content=path.read_bytes(), headers={"content-type": "video/quicktime"})
    assert answer.status_code == 415
    assert f"the codec {codec} is not read" in answer.json()["error"]


@pytest.mark.parametrize(
    ("limits", "status", "error"),
    [
        ({"video_pixels": 426 * 240 - 1}, 413, "megapixels"),
        ({"video_total_pixels": 426 * 240 * 3}, 200, "gigapixels in all"),
        ({"video_work_seconds": 0.0}, 413, "took longer than 0 s"),
    ],
)
def test_the_budgets_of_a_video(serve, write_clip, stage, tmp_path, limits, status, error):
    """Matroska does not say how many frames it holds."""
    content = write_clip(tmp_path / "clip.mkv", [stage((0, 40, 60))] * 8).read_bytes()
    with serve(Recognizer(detector="none"), limits=limits) as address:
        headers = {"content-type": "video/x-matroska"}
        answer = waiting.post(f"http://{address}/v1/predict/video", content=content, headers=headers)
    assert answer.status_code == status
    assert error in answer.text.splitlines()[-1]
