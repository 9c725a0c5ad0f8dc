"""Annotated copies of videos whose clocks, orientations, sounds and places differ, judged by FFmpeg."""

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.media.mp4 import VideoWriter
from mien.media.open_video import open_video
from video_cases import CLOCKS, COUNT, RATE, RATES, Case, cases, drawn, shown, times, written

LENGTH = COUNT / RATE


def copied(path, target):
    """A copy of a video; how many images it has."""
    target.parent.mkdir(parents=True, exist_ok=True)
    opened, writer = open_video(path), VideoWriter(target, path)
    count = 0
    for image in opened.images():
        writer.write(image.image, image.time)
        count += 1
    opened.close()
    assert writer.close() == target
    return count


def check(case, path, target):
    count = copied(path, target)
    found, last = times(target)
    np.testing.assert_allclose(found, np.arange(count) / RATE, atol=2e-3)
    assert found[-1] + last == pytest.approx(count / RATE, abs=5e-3)
    assert shown(target).shape == shown(path).shape
    assert [entry.name for entry in target.parent.iterdir() if "partial" in entry.name] == []
    return count


@pytest.mark.parametrize("clock", CLOCKS)
@drawn(3)
@given(st.data())
def test_a_copy_is_as_long_as_all_parts(tmp_path, clock, data):
    case = data.draw(cases(clock))
    path = written(case, tmp_path)
    count = check(case, path, tmp_path / case.place)
    if case.sound in ("coded", "raw") and case.first >= 0:
        heard, last = times(tmp_path / case.place, "a")
        assert heard[-1] + last == pytest.approx(count / RATE, abs=0.1)


@pytest.mark.parametrize("rate", RATES)
def test_sound_of_every_rate_is_taken_along(tmp_path, caplog, rate):
    caplog.set_level(logging.INFO, logger="mien")
    logging.getLogger("mien").propagate = True
    case = Case("mkv", "libx264", sound="raw", rate=rate)
    check(case, written(case, tmp_path), tmp_path / "copy.mp4")
    heard, last = times(tmp_path / "copy.mp4", "a")
    assert heard[-1] + last == pytest.approx(LENGTH, abs=0.1)
    said = [record.getMessage() for record in caplog.records]
    assert ["resampled" in line for line in said] == [True] * (rate in (4000, 11_024, 176_400, 192_000))


@pytest.mark.parametrize("container", ["mkv", "mov"])
def test_sound_of_a_codec_that_nobody_knows_is_left_out_in_a_line(tmp_path, caplog, container):
    logging.getLogger("mien").propagate = True
    case = Case(container, "mjpeg", sound="unknown")
    path = written(case, tmp_path)
    check(case, path, tmp_path / "copy.mp4")
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == f"{path}: its sound cannot be taken along and is left out of the copy (unknown codec)"
