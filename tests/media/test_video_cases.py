"""Videos whose clocks, first stamps and orientations differ, read as FFmpeg shows them."""

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.media.open_video import open_video
from video_cases import CLOCKS, COUNT, ORIENTATIONS, RATE, Case, cases, drawn, ffmpeg, joined, shown, written


@pytest.fixture
def warnings(caplog):
    caplog.set_level(logging.WARNING, logger="mien")
    logger = logging.getLogger("mien")
    logger.propagate = True
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


@pytest.mark.parametrize("container", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize(("turn", "mirror"), ORIENTATIONS)
def test_all_eight_orientations_are_ffmpegs_own_to_the_pixel(tmp_path, container, turn, mirror):
    path = written(Case(container, "libx264rgb", turn=turn, mirror=mirror), tmp_path)
    _, images = read(path)
    np.testing.assert_array_equal(images, shown(path))


def test_each_orientation_is_another_one(tmp_path):
    seen = {
        read(written(Case("mp4", "libx264rgb", turn=turn, mirror=mirror), tmp_path))[1].tobytes()
        for turn, mirror in ORIENTATIONS
    }
    assert len(seen) == len(ORIENTATIONS)


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
