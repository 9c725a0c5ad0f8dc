"""Excerpts of videos: the frames of the whole one, their times and numbers, and no decoding before the key frame."""

import tempfile
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mien.errors import InputError, UsageError
from mien.media.excerpt import Excerpt, Excerpted, seconds_of
from mien.media.files_and_streams import Container
from mien.media.open_video import open_video
from mien.media.video_source import VideoImage
from video_cases import CLOCKS, cases, drawn, ffmpeg, written


def read(path, excerpt=None):
    """(number, time, pixels) of every image, and the error at the end."""
    opened = open_video(path, excerpt=excerpt) if excerpt else open_video(path)
    found = []
    try:
        found.extend((image.number, image.time, image.image) for image in opened.images())
    except InputError as error:
        return found, str(error)
    finally:
        opened.close()
    return found, None


def assert_same(found, expected):
    assert [image[:2] for image in found] == [image[:2] for image in expected]
    for (_, _, image), (_, _, other) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(image, other)


@pytest.mark.parametrize("clock", CLOCKS)
def test_an_excerpt_holds_the_frames_of_the_whole_video(clock):
    @drawn(6)
    @given(cases(clock), st.floats(0.02, 1.1), st.floats(0.05, 1.0))
    def check(case, start, length):
        with tempfile.TemporaryDirectory() as folder:
            path = written(case, folder)
            whole, error = read(path)
            excerpt = Excerpt(start=start, end=start + length)
            found, failure = read(path, excerpt)
            expected = [image for image in whole if start - 1e-6 <= image[1] < start + length - 1e-6]
            assert_same(found, expected)
            assert error is None
            assert failure is None

    check()


KEYS = 10
"""Frames from one key frame to the next."""


@pytest.fixture(scope="module")
def long_clips(tmp_path_factory):
    """Clips of 100 frames, 25 a second, with frames that are shown in another order than decoded."""
    folder = tmp_path_factory.mktemp("long")
    picture = ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=4"]
    coding = {
        "a.mp4": ["-c:v", "libx264", "-bf", "2", "-g", KEYS],
        "open.ts": ["-c:v", "libx264", "-bf", "2", "-g", KEYS, "-x264-params", "open-gop=1"],
        "b.ts": ["-c:v", "mpeg2video", "-bf", "2", "-g", KEYS],
        "c.mkv": ["-c:v", "libx264", "-bf", "2", "-g", KEYS],
        "d.webm": ["-c:v", "libvpx", "-g", KEYS, "-auto-alt-ref", "1", "-lag-in-frames", "16", "-b:v", "200k"],
        "e.avi": ["-c:v", "mpeg4", "-bf", "2", "-g", KEYS],
        "f.mp4": ["-c:v", "libx264", "-g", KEYS, "-movflags", "frag_keyframe+empty_moov"],
    }
    for name, options in coding.items():
        ffmpeg(*picture, *options, folder / name)
    return [folder / name for name in coding]


def test_decoding_begins_at_the_key_frame_before_the_start(long_clips, monkeypatch):
    decoded = []
    frames = Container._frames
    monkeypatch.setattr(Container, "_frames", lambda *given: map(counted(decoded), frames(*given)))
    for path in long_clips:
        whole, _ = read(path)
        decoded.clear()
        found, _ = read(path, Excerpt(start=3.0, end=3.2))
        assert_same(found, whole[75:80])
        # AVI does not say which frame a packet becomes, so that all are decoded.
        assert len(decoded) == 81 if path.suffix == ".avi" else len(decoded) <= 2 * KEYS + 6, path


def counted(seen):
    def note(frame):
        seen.append(0)
        return frame

    return note


@pytest.mark.parametrize(
    ("excerpt", "numbers"),
    [
        (Excerpt(), range(100)),
        (Excerpt(step=7), range(0, 100, 7)),
        (Excerpt(start=1.0, step=4), range(25, 100, 4)),
        (Excerpt(start=1.0, end=2.0), range(25, 50)),
        (Excerpt(end=0.04), range(1)),
        (Excerpt(rate=25), range(100)),
        (Excerpt(rate=100), range(100)),
        (Excerpt(rate=5), range(0, 100, 5)),
        (Excerpt(start=0.5, rate=5), range(13, 100, 5)),
        (Excerpt(rate=0.5), range(0, 100, 50)),
    ],
)
def test_the_frames_that_are_asked_for_come_with_their_numbers_and_times(long_clips, excerpt, numbers):
    found, error = read(long_clips[0], excerpt)
    assert error is None
    assert [number for number, _, _ in found] == list(numbers)
    assert [time for _, time, _ in found] == pytest.approx([number / 25 for number in numbers], abs=1e-6)


def test_a_rate_that_does_not_divide_the_videos_takes_the_first_frame_of_each_stretch(long_clips):
    found, _ = read(long_clips[0], Excerpt(rate=7))
    stretches = [int(time * 7 + 1e-6) for _, time, _ in found]
    assert stretches == list(range(28))
    whole = [number / 25 for number in range(100)]
    assert [time for _, time, _ in found] == [next(t for t in whole if t * 7 >= k - 1e-6) for k in stretches]


def test_consecutive_excerpts_share_no_frame_and_miss_none(long_clips):
    bounds = [0.0, 0.32, 1.0, 2.013, 9.0]
    parts = [read(long_clips[3], Excerpt(start=start, end=end))[0] for start, end in pairwise(bounds)]
    assert [number for part in parts for number, _, _ in part] == list(range(100))


def test_a_start_behind_the_end_is_said(long_clips):
    for path in long_clips:
        found, error = read(path, Excerpt(start=4.5))
        assert found == []
        assert error == f"{path}: its last frame is at 3.960 s, before the start asked for, 4.5 s"


def test_a_part_between_two_frames_is_said(long_clips):
    for path in long_clips:
        found, error = read(path, Excerpt(start=1.005, end=1.015))
        assert found == []
        assert error == f"{path}: no frame from 1.005 to 1.015 s, the next one is at 1.040 s"


def test_a_start_beyond_what_stamps_can_say_is_a_late_one(long_clips):
    assert "before the start asked for" in read(long_clips[0], Excerpt(start=1e15))[1]


def test_what_is_damaged_behind_the_end_of_an_excerpt_is_not_said(long_clips, tmp_path):
    content = long_clips[3].read_bytes()
    path = tmp_path / "cut.mkv"
    path.write_bytes(content[: int(0.7 * len(content))])
    assert read(path, Excerpt(end=1.0))[1] is None
    assert "ends at" in read(path, Excerpt(start=1.0))[1]


def test_numbered_and_animated_pictures_have_excerpts_too(tmp_path):
    images = [Image.new("RGB", (8, 8), (20 * number, 0, 0)) for number in range(10)]
    paths = [tmp_path / f"{number}.png" for number in range(10)]
    for image, path in zip(images, paths, strict=True):
        image.save(path)
    images[0].save(tmp_path / "a.gif", save_all=True, append_images=images[1:], duration=100)
    for source in (paths, tmp_path / "a.gif"):
        opened = open_video(source, 10.0, Excerpt(start=0.3, end=0.8, step=2))
        found = [(image.number, image.time) for image in opened.images()]
        opened.close()
        assert found == [(3, pytest.approx(0.3)), (5, pytest.approx(0.5)), (7, pytest.approx(0.7))]


class Endless:
    """A source that has no end."""

    name = "endless"

    def __init__(self, *, live):
        self.live, self.closed = live, 0

    def images(self):
        number = 0
        while True:
            yield VideoImage(number, number / 10, np.zeros((2, 2), np.uint8))
            number += 1

    def close(self):
        self.closed += 1


def test_behind_the_end_nothing_is_read():
    source = Excerpted(Endless(live=False), Excerpt(start=1.0, end=2.0, step=5))
    assert [image.number for image in source.images()] == [10, 15]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90), (90, 90), (90.5, 90.5), ("90.25", 90.25), ("1:30", 90), ("01:30.5", 90.5), ("75:10", 4510),
        ("1:02:03.125", 3723.125), ("00:00:00", 0), (0, 0), (".5", 0.5),
    ],
)  # fmt: skip
def test_moments_are_written_as_seconds_or_as_a_clock_shows_them(text, seconds):
    assert seconds_of(text, "start") == seconds


@pytest.mark.parametrize(
    "text", ["", "soon", "-1", -1, "1:60", "1:60:00", "1:2:3:4", "1:", "nan", float("nan"), float("inf"), "1,5", True]
)
def test_what_is_no_moment_is_refused_in_a_line(text):
    with pytest.raises(UsageError, match=r"^end is .*: expected seconds \(90, 90.5\), mm:ss or hh:mm:ss.mmm$"):
        seconds_of(text, "end")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"step": 0}, "step is 0"),
        ({"step": 1.5}, "step is 1.5"),
        ({"rate": 0.0}, "fps_out is 0"),
        ({"rate": float("nan")}, "fps_out is nan"),
        ({"rate": 5.0, "step": 2}, "contradict"),
        ({"start": 5.0, "end": 5.0}, "the end, 5 s, is not behind the start, 5 s"),
    ],
)
def test_an_excerpt_out_of_range_is_refused(options, words):
    with pytest.raises(UsageError, match=words):
        Excerpt(**options)
