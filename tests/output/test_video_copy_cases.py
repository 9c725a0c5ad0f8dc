"""Annotated copies of videos whose clocks, orientations, sounds and places differ, judged by FFmpeg."""

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.media.mp4 import VideoWriter
from mien.media.open_video import open_video
from video_cases import CLOCKS, COUNT, RATE, RATES, Case, cases, drawn, ffmpeg, shown, times, written

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
    case = Case("mkv", "libx264", sound="raw", rate=rate)
    check(case, written(case, tmp_path), tmp_path / "copy.mp4")
    heard, last = times(tmp_path / "copy.mp4", "a")
    assert heard[-1] + last == pytest.approx(LENGTH, abs=0.1)
    said = [record.getMessage() for record in caplog.records]
    assert ["resampled" in line for line in said] == [True] * (rate in (4000, 11_024, 176_400, 192_000))


@pytest.mark.parametrize("container", ["mkv", "mov"])
def test_sound_of_a_codec_that_nobody_knows_is_left_out_in_a_line(tmp_path, caplog, container):
    case = Case(container, "mjpeg", sound="unknown")
    path = written(case, tmp_path)
    check(case, path, tmp_path / "copy.mp4")
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == f"{path}: its sound cannot be taken along and is left out of the copy (unknown codec)"


def test_packets_shorter_than_a_tick_of_the_clock_keep_their_place(tmp_path):
    """TrueHD: 40 samples a packet, 0.83 ms, in Matroska, which counts in milliseconds."""
    plain = written(Case("mkv", "libx264", sound="raw"), tmp_path)
    path = tmp_path / "truehd.mkv"
    ffmpeg("-i", plain, "-c:v", "copy", "-c:a", "truehd", "-strict", "-2", path)
    check(Case("mkv", "libx264"), path, tmp_path / "copy.mp4")
    heard, last = times(tmp_path / "copy.mp4", "a")
    assert heard[-1] + last == pytest.approx(LENGTH, abs=0.1)
    assert np.diff(heard).max() == pytest.approx(1024 / 48_000, abs=2e-3)  # no gap was filled


@pytest.mark.parametrize("kinds", [((44_100, 1), (48_000, 2), (22_050, 1)), ((48_000, 1),) * 3])
def test_aac_of_joined_parts_follows_the_images(tmp_path, kinds):
    """AAC in MPEG-TS says its rate and channels in each packet, MP4 once for all."""
    plain = written(Case("ts", "libx264"), tmp_path)
    parts = []
    for rate, channels in kinds:
        tone = ("-f", "lavfi", "-i", f"sine=d={LENGTH}:r={rate}", "-ac", channels)
        parts.append(tmp_path / f"{len(parts)}.ts")
        ffmpeg("-i", plain, *tone, "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac", parts[-1])
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert copied(path, tmp_path / "copy.mp4") == 3 * COUNT
    heard, last = times(tmp_path / "copy.mp4", "a")
    assert heard[-1] + last == pytest.approx(3 * LENGTH, abs=0.15)
    assert [pitch(tmp_path / "copy.mp4", part * LENGTH + 0.5) for part in range(3)] == pytest.approx([440] * 3, abs=15)


def pitch(path, start):
    """The frequency of a tone half a second after a moment, Hz."""
    raw = ffmpeg("-ss", start, "-i", path, "-t", 0.4, "-map", "0:a", "-ac", 1, "-ar", 16_000, "-f", "s16le", "-")
    wave = np.frombuffer(raw, np.int16).astype(float)
    return np.abs(np.fft.rfft(wave)).argmax() * 16_000 / len(wave)
