"""Videos whose clocks, first stamps and orientations differ, read as FFmpeg shows them."""

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mien.errors import InputError
from mien.media.open_video import open_video
from video_cases import CLOCKS, COUNT, ORIENTATIONS, RATE, Case, cases, drawn, ffmpeg, joined, shown, written


@pytest.fixture
def warnings(caplog):
    caplog.set_level(logging.WARNING, logger="mien")
    return caplog


def read(path):
    opened = open_video(path)
    images = list(opened.images())
    opened.close()
    return [image.time for image in images], np.stack([image.image for image in images])


@pytest.mark.parametrize("clock", CLOCKS)
@drawn(4)
@given(st.data())
def test_every_case_is_read_as_ffmpeg_shows_it_at_times_that_never_fall(tmp_path, warnings, clock, data):
    case = data.draw(cases(clock))
    warnings.clear()
    path = written(case, tmp_path)
    found, images = read(path)
    expected = shown(path)
    assert images.shape == expected.shape
    assert np.abs(images.astype(int) - expected).mean() < 2
    np.testing.assert_allclose(found, np.arange(len(expected)) / RATE, atol=2e-3)
    said = [record.getMessage() for record in warnings.records]
    if clock in ("plain", "wrap"):
        assert not said
        assert len(found) == COUNT or case.first < 0  # an edit list drops what comes before 0
    else:
        assert said[0].startswith(f"{path}: its clock ")
        assert len(found) == COUNT * (1 + joined(case))


@pytest.mark.parametrize(
    ("container", "orientations"), [("mp4", ORIENTATIONS), ("mov", [(90, True)]), ("mkv", [(90, True), (180, False)])]
)
def test_orientations_are_ffmpegs_own_to_the_pixel_and_differ(tmp_path, container, orientations):
    seen = set()
    for turn, mirror in orientations:
        path = written(Case(container, "libx264rgb", turn=turn, mirror=mirror), tmp_path)
        _, images = read(path)
        np.testing.assert_array_equal(images, shown(path))
        seen.add(images.tobytes())
    assert len(seen) == len(orientations)


@pytest.mark.parametrize("container", ["mp4", "mkv", "mov"])
def test_parts_that_ffmpeg_cuts_are_whole(tmp_path, container):
    path = written(Case(container, "libx264"), tmp_path)
    ffmpeg("-i", path, "-c", "copy", "-f", "segment", "-segment_time", 0.4, tmp_path / f"part%d.{container}")
    parts = sorted(tmp_path.glob("part*"))
    assert len(parts) > 1
    counts = [len(found) for found, _ in map(read, parts)]
    assert counts == [len(shown(part)) for part in parts]
    assert sum(counts) == COUNT
    assert [read(part)[0][0] for part in parts] == [0.0] * len(parts)


def test_many_jumps_are_summed_up(tmp_path, warnings):
    path = written(Case("ts", "mpeg2video"), tmp_path)
    path.write_bytes(path.read_bytes() * 9)
    found, _ = read(path)
    assert len(found) == 9 * COUNT
    said = [record.getMessage() for record in warnings.records]
    assert said[-1] == f"{path}: its clock jumps 8 times in all"
    assert len(said) == 6


@pytest.mark.parametrize(("suffix", "codec"), [("h264", "libx264"), ("m2v", "mpeg2video"), ("hevc", "libx265")])
def test_raw_streams_are_read_at_the_rate_asked_for(tmp_path, suffix, codec):
    path = tmp_path / f"raw.{suffix}"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.4", "-c:v", codec, path)
    opened = open_video(path)
    found = [image.time for image in opened.images()]
    assert found == pytest.approx(np.arange(10) / 25, abs=1e-6)


def test_a_fragment_alone_is_whole(tmp_path):
    path = written(Case("mp4", "libx264"), tmp_path)
    listed = ("-f", "hls", "-hls_time", 0.4, "-hls_segment_type", "fmp4", "-hls_list_size", 0)
    ffmpeg("-i", path, "-c", "copy", *listed, "-hls_segment_filename", tmp_path / "part%d.m4s", tmp_path / "all.m3u8")
    fragments = sorted(tmp_path.glob("part*.m4s"))
    assert len(fragments) > 1
    for number, fragment in enumerate(fragments):
        alone = tmp_path / f"alone{number}.mp4"
        alone.write_bytes((tmp_path / "init.mp4").read_bytes() + fragment.read_bytes())
        found, _ = read(alone)
        np.testing.assert_allclose(found, np.arange(len(shown(alone))) / RATE, atol=2e-3)


@pytest.mark.parametrize("container", ["mp4", "mov"])
def test_a_truncated_video_gives_every_frame_that_ffmpeg_gives(tmp_path, container):
    whole = written(Case(container, "libx264"), tmp_path)
    path = tmp_path / f"cut.{container}"
    ffmpeg("-i", whole, "-c", "copy", "-movflags", "faststart", path)
    content = path.read_bytes()
    start = content.index(b"mdat")
    for share in (0.5, 0.6, 0.7, 0.8, 0.9):
        path.write_bytes(content[: start + int(share * (len(content) - start))])
        images = open_video(path).images()
        count = 0
        with pytest.raises(InputError, match=f"cut.{container}: "):
            for count, _ in enumerate(images, 1):  # noqa: B007 - counts
                pass
        listed = ffmpeg(
            "-max_error_rate", 1, "-i", path, "-map", "0:v", "-fps_mode", "passthrough", "-f", "framecrc", "-"
        )
        assert count == sum(not line.startswith(b"#") for line in listed.splitlines())


ORIENTED = {
    "rotate=90": lambda images: np.rot90(images, 1, (1, 2)),
    "rotate=180": lambda images: images[:, ::-1, ::-1],
    "flip=horizontal": lambda images: images[:, :, ::-1],
    "flip=vertical": lambda images: images[:, ::-1],
}


@pytest.mark.parametrize("order", [("rotate=90",), tuple(ORIENTED)[1:], tuple(ORIENTED)[:0:-1]])
def test_an_orientation_that_h264_states_holds_until_the_next_key_frame(tmp_path, order):
    plain = tmp_path / "plain.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.4", "-c:v", "libx264", "-bf", 0, "-g", 20, plain)
    _, upright = read(plain)
    parts = []
    for number, orientation in enumerate(order):
        parts.append(tmp_path / f"{number}.h264")
        stated = f"h264_metadata=display_orientation=insert:{orientation}"
        ffmpeg("-i", plain, "-c", "copy", "-bsf:v", f"h264_mp4toannexb,{stated}", parts[-1])
    path = tmp_path / "joined.h264"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    _, images = read(path)
    np.testing.assert_array_equal(images, np.concatenate([ORIENTED[name](upright) for name in order]))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_jpegs_with_exif_as_a_video_are_upright(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    gradient = np.add.outer(np.arange(48) * 2, np.arange(64)).astype(np.uint8)
    Image.fromarray(gradient).save(tmp_path / "one.jpg", exif=exif, quality=95)
    path = tmp_path / "all.mjpeg"
    path.write_bytes((tmp_path / "one.jpg").read_bytes() * 4)
    _, images = read(path)
    expected = shown(path)
    assert images.shape == expected.shape
    assert np.abs(images.astype(int) - expected).mean() < 2
