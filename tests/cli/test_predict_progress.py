"""What `mien predict` shows while it works."""

import io
import sys
from functools import partial

from rich.console import Console

from mien.cli.predict_progress import Bars, span_of
from mien.media.excerpt import WHOLE, Excerpt
from mien.results import Frame


def shown(frames, pictures=0, span=None, together=()):
    """What a terminal shows after the last of some frames, and the task of the last bar."""
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    bars = Bars(pictures, lambda _: span, together, console)
    for frame in frames:
        bars.end_unless_of(frame)
        bars.show(frame)
    task = bars._bar.tasks[0] if bars._bar else None
    bars.stop()
    return console.file.getvalue(), task


def test_a_video_of_known_length_shows_its_share_the_time_left_and_the_rate():
    text, task = shown([Frame("a.mp4", number, 10 + number / 25) for number in range(51)], span=(10.0, 14.0))
    assert task.percentage == 50
    assert task.fields["frames"] == 51
    assert "50%" in text
    assert "left" in text
    assert "frames/s" in text


def test_a_source_without_an_end_shows_how_many_frames_are_done():
    _, task = shown([Frame("0", number, number / 25) for number in range(7)])
    assert (task.completed, task.total) == (7, None)


def test_pictures_show_their_number_when_they_are_many():
    assert shown([Frame(f"{number}.jpg") for number in range(3)], pictures=3)[1] is None
    _, task = shown([Frame(f"{number}.jpg") for number in range(9)], pictures=20)
    assert (task.completed, task.total) == (9, 20)


def test_rows_on_standard_output_pass_a_bar_by():
    before = sys.stdout
    bars = Bars(0, lambda _: None, (), Console(file=io.StringIO(), force_terminal=True, width=120))
    bars.show(Frame("a.mp4", 0, 0.0))
    assert sys.stdout is before  # rich would wrap it, and a wrapper has no encoding
    bars.stop()


def test_live_sources_that_are_read_together_share_a_bar():
    frames = [Frame(str(number % 2), number // 2, number / 25) for number in range(20)]
    _, task = shown(frames, together=("0", "1"))
    assert (task.description, task.completed) == ("2 live sources", 20)


def test_every_video_has_a_bar_of_its_own():
    frames = [Frame("a.mp4", number, number / 25) for number in range(9)]
    _, task = shown([*frames, Frame("b.mp4", 0, 0.0), Frame("b.mp4", 1, 0.04)], span=(0.0, 1.0))
    assert task.description == "b.mp4"
    assert task.percentage == 4


def test_the_span_of_a_video_is_what_is_read_of_it(tmp_path, write_clip, stage):
    path = write_clip(tmp_path / "a.mp4", [stage()] * 50)
    spans = [WHOLE, Excerpt(start=0.5), Excerpt(end=1.0), Excerpt(start=1.5, end=9.0)]
    expected = [(0.0, 2.0), (0.5, 2.0), (0.0, 1.0), (1.5, 2.0)]
    assert list(map(partial(span_of, str(path)), spans)) == expected
    assert span_of(str(path), Excerpt(start=5.0)) is None
    (tmp_path / "b.mp4").write_text("text")
    assert [span_of(source, WHOLE) for source in ("0", "rtsp://a/b", str(tmp_path / "b.mp4"))] == [None] * 3
