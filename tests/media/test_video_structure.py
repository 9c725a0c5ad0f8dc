"""Videos of every kind that FFmpeg writes pass; indexes that claim more than they hold do not."""

import contextlib
import io
import struct
import subprocess

import av
import imageio_ffmpeg
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mien.errors import TooLargeError
from mien.media.boxes import Boxes
from mien.media.mp4_samples import Fragments, named_by_tables
from mien.media.video_structure import MOST_SAMPLES, check_video

REAL = {
    "mp4": ("mp4", "libx264 -bf 3", "aac"),
    "fast start": ("mp4", "libx264 -movflags faststart", "aac"),
    "fragments": ("mp4", "libx264 -g 5 -movflags frag_keyframe+empty_moov", "aac"),
    "hevc": ("mp4", "libx265", "aac"),
    "mov": ("mov", "mjpeg -pix_fmt yuvj420p", "pcm_s16le"),
    "mov with one clock": ("mov", "mpeg4 -timecode 01:00:00:00", "pcm_s24le"),
    "webm": ("webm", "libvpx", "libopus"),
    "live webm": ("webm", "libvpx -live 1", "libvorbis"),
    "mkv": ("mkv", "libx264", "flac"),
    "avi": ("avi", "mpeg4", "libmp3lame"),
    "avi with sound": ("avi", "mjpeg -pix_fmt yuvj420p", "pcm_s16le"),
}


@pytest.fixture(scope="module", params=REAL)
def real(request, tmp_path_factory):
    form, video, sound = REAL[request.param]
    path = tmp_path_factory.mktemp("video") / f"real.{form}"
    inputs = "-f lavfi -i testsrc=s=64x48:r=25:d=4 -f lavfi -i sine=d=4"
    command = f"-v error {inputs} -c:v {video} -c:a {sound} -strict -2 {path}"
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), *command.split()], check=True)
    return path.read_bytes()


def test_what_ffmpeg_writes_passes(real):
    check_video(real, "real", 1000)


def test_it_passes_cut_off_at_any_place(real):
    for length in np.linspace(0, len(real), 30).astype(int):
        check_video(real[:length], "cut", MOST_SAMPLES)


def test_too_many_samples_are_seen_in_the_index(real):
    if b"moof" in real or real[:4] in (b"\x1aE\xdf\xa3", b"RIFF"):
        pytest.skip("which bounds the samples of all tracks together")
    with pytest.raises(TooLargeError, match="more than 99 samples"):
        check_video(real, "real", 99)


def test_the_bytes_that_an_index_names_are_those_of_the_packets(real):
    if real[4:8] != b"ftyp":
        pytest.skip("whose index names no more than its blocks hold")
    with av.open(io.BytesIO(real)) as container:
        packets = sum(packet.size for packet in container.demux())
    boxes = Boxes(real, "real")
    fragments, named = Fragments(boxes), 0
    for found in boxes.deep(boxes.all(), frozenset({b"moov", b"mvex", b"moof", b"traf"})):
        fragments.note(found)
        if found.kind == b"trak":
            named += named_by_tables(boxes, list(boxes.deep(found, frozenset({b"mdia", b"minf", b"stbl"}))))
    assert named + fragments.named == packets


def box(kind, content):
    return struct.pack(">I", len(content) + 8) + kind + content


def full(kind, *numbers):
    return box(kind, struct.pack(f">I{len(numbers)}I", 0, *numbers))


def movie(*tables, handler=b"vide", outside=b""):
    head = box(b"ftyp", b"isom\0\0\2\0isom")
    media = full(b"hdlr", 0, int.from_bytes(handler, "big"), 0, 0, 0) + box(b"minf", box(b"stbl", b"".join(tables)))
    return head + box(b"moov", box(b"trak", box(b"mdia", media) + outside) + outside)


def element(number, content):
    return bytes.fromhex(number) + (0x08000000_00000000 >> 3 | len(content)).to_bytes(8, "big") + content


def matroska(blocks):
    return element("1a45dfa3", b"") + element("18538067", element("1f43b675", blocks))


def avi(*chunks):
    lists = b"".join(kind + struct.pack("<I", len(content)) + content for kind, content in chunks)
    return b"RIFF" + struct.pack("<I", len(lists) + 4) + b"AVI " + lists


ONE_EACH = full(b"stsc", 1, 1, 1, 1)
LONG = struct.pack(">II", 0, 1000) + struct.pack(">Q", 40) * 1000
SMALL = struct.pack(">III", 0, 8, 1000) + bytes([200]) * 1000
HEAD_OF_RUNS = box(b"tfhd", struct.pack(">III", 0x20010, 1, 900))
RUN = box(b"trun", struct.pack(">IIi", 1, 1, 8))
SIZED_RUN = box(b"trun", struct.pack(">IIiI", 0x201, 1, 8, 900))
BLOCK = element("a3", b"\x81\0\0\x80a")
LACED = element("a3", b"\x81\0\0\x84\xffa")
SUPER = struct.pack("<HBBI", 4, 0, 0, 1000) + bytes(16) + struct.pack("<QII", 0, 8, 0) * 1000
MILLIONS = 80_000_000
ATTACKS = {
    "one size": movie(full(b"stsz", 1, MILLIONS)),
    "one size of nothing": movie(full(b"stsz", 0, MILLIONS)),
    "small sizes": movie(full(b"stz2", 4, MILLIONS)),
    "times": movie(full(b"stts", 1, MILLIONS, 1)),
    "offsets of times": movie(full(b"ctts", 2, 1, 1, MILLIONS, 1)),
    "chunks": movie(full(b"stco", MILLIONS)),
    "long chunks": movie(full(b"co64", MILLIONS)),
    "key frames": movie(full(b"stss", MILLIONS)),
    "a second table": movie(full(b"stsz", 1, 10), full(b"stsz", 1, MILLIONS)),
    "sound": movie(full(b"stsz", 1, MILLIONS), full(b"stts", 1, MILLIONS, 2), handler=b"soun"),
    "uncompressed sound": movie(full(b"stsz", 1, MILLIONS), full(b"stts", 1, MILLIONS, 1), handler=b"soun"),
    "text": movie(full(b"stsz", 1, MILLIONS), handler=b"text"),
    "no handler": movie(full(b"stsz", 1, MILLIONS), handler=b"\0\0\0\0"),
    "edits": movie(full(b"stsz", 1, 200_000), box(b"edts", full(b"elst", 8))),
    "a table outside": movie(outside=full(b"stsz", 1, MILLIONS)),
    "a table in user data": movie(box(b"udta", full(b"stsz", 1, MILLIONS))),
    "a compressed index": box(b"ftyp", b"qt  ") + box(b"moov", box(b"cmov", bytes(20))),
    "offsets of one frame": movie(full(b"stsz", 50, 1000), ONE_EACH, full(b"stco", 1000, *[40] * 1000)),
    "long offsets of one frame": movie(full(b"stsz", 50, 1000), ONE_EACH, box(b"co64", LONG)),
    "different sizes": movie(full(b"stsz", 0, 1000, *[50] * 1000), ONE_EACH, full(b"stco", 1000, *[40] * 1000)),
    "compact sizes": movie(box(b"stz2", SMALL), ONE_EACH, full(b"stco", 1000, *[40] * 1000)),
    "runs of one frame": box(b"ftyp", b"isom") + box(b"moof", box(b"traf", HEAD_OF_RUNS + RUN * 1000)),
    "runs of sizes": box(b"ftyp", b"isom") + box(b"moof", box(b"traf", HEAD_OF_RUNS + SIZED_RUN * 1000)),
    "an AVI index of one image": avi((b"idx1", (b"00dc" + struct.pack("<III", 16, 4, 999)) * 1000)),
    "fragments": box(b"ftyp", b"isom") + box(b"moof", box(b"traf", full(b"trun", MILLIONS))),
    "many fragments": box(b"ftyp", b"isom") + box(b"moof", box(b"traf", full(b"trun", 100_000))) * 3,
    "boxes": box(b"ftyp", b"isom") + box(b"free", b"") * 100_001,
    "blocks": matroska(BLOCK * 251_000),
    "tiny blocks": matroska(b"\xa3\x85\x81\0\0\0x" * 30_000),
    "laced blocks": matroska(LACED * 4000),
    "blocks after damage": matroska(b"\0" + b"\x1f\x43\xb6\x75\x84\0\0\0\0" * 251_000),
    "an index of indexes": avi((b"indx", SUPER), (b"ix00", struct.pack("<HBBI", 2, 0, 1, 1000) + bytes(8016))),
    "an index": avi((b"idx1", bytes(16 * 251_000))),
}  # fmt: skip


@pytest.mark.parametrize("what", ATTACKS)
def test_an_index_that_claims_too_much_is_refused(what):
    with pytest.raises(TooLargeError, match="too costly"):
        check_video(ATTACKS[what], "attack", MOST_SAMPLES)


@given(st.sampled_from((b"\x1aE\xdf\xa3", b"RIFF\0\0\0\0AVI ", b"\0\0\0\x0cftypisom", b"")), st.binary(max_size=2000))
@example(b"\x1aE\xdf\xa3", b"")
@example(b"\x1aE\xdf\xa3", b"\x81\xa3")
def test_any_bytes_raise_nothing_else(start, content):
    with contextlib.suppress(TooLargeError):
        check_video(start + content, "any", 10)


NAMING = ("different sizes", "compact sizes", "long offsets of one frame", "runs of sizes", "an AVI index of one image")


@given(
    st.sampled_from(("an index of indexes", "uncompressed sound", "fragments", "edits", *NAMING)),
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 255)), max_size=8),
)
def test_a_mutated_video_raises_nothing_else(which, changes):
    content = bytearray(ATTACKS[which])
    for place, value in changes:
        content[place % len(content)] = value
    with contextlib.suppress(TooLargeError):
        check_video(bytes(content), "mutated", MOST_SAMPLES)
