"""Sinks that fail at every moment, and what the others get."""

import logging

import numpy as np
import pytest

from mien.errors import InputError, SinkError
from mien.output.recognized import Recognized
from mien.output.sink import PerVideo, Sink, Sinks, finished
from mien.results import Frame

IMAGE = np.zeros((4, 4), np.uint8)


class Kept(Sink):
    """Keeps what it gets; may fail at the n-th result, or when it is closed."""

    def __init__(self, path=None, *, fails_at=None, error=None, fails_at_end=False):
        self.path, self.fails_at, self.error, self.fails_at_end = path, fails_at, error, fails_at_end
        self.frames, self.closed = [], 0

    def add(self, recognized):
        if len(self.frames) == self.fails_at:
            raise self.error
        self.frames.append(recognized.frame)

    def close(self):
        self.closed += 1
        if self.fails_at_end:
            raise self.error
        return [self.path] if self.path else []


def video(source, count):
    return [Recognized(Frame(source, number, number / 25), IMAGE) for number in range(count)]


@pytest.mark.parametrize("error", [InputError("a.mp4: cannot be written"), ValueError("odd"), OSError(28, "No space")])
@pytest.mark.parametrize("when", [{"fails_at": 0}, {"fails_at": 3}, {"fails_at_end": True}])
def test_a_failing_sink_ends_neither_recognition_nor_the_other_sinks(error, when, tmp_path, caplog):
    first, failing, last = Kept(tmp_path / "a"), Kept(tmp_path / "b", error=error, **when), Kept(tmp_path / "c")
    sinks = Sinks([first, failing, last])
    for recognized in video("a", 10):
        sinks.add(recognized)
    with pytest.raises(SinkError, match=str(error.args[-1])) as caught:
        sinks.close()
    whole = [name for name in "abc" if name != "b" or not failing.fails_at_end]  # up to its failure b is whole
    assert sorted(path.name for path in caught.value.paths) == whole
    assert len(first.frames) == len(last.frames) == 10
    assert len(failing.frames) == when.get("fails_at", 10)
    assert [first.closed, failing.closed, last.closed] == [1, 1, 1]
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1


def test_a_reader_that_has_gone_ends_everything():
    sinks = Sinks([Kept(fails_at=0, error=BrokenPipeError())])
    with pytest.raises(BrokenPipeError):
        sinks.add(video("a", 1)[0])


def test_sinks_of_sinks_name_every_failure_once():
    failing = Kept(fails_at=1, error=InputError("x: cannot be written"))
    sinks = Sinks([Sinks([failing, Kept("a")]), Kept("b")])
    for recognized in video("a", 3):
        sinks.add(recognized)
    with pytest.raises(SinkError) as caught:
        sinks.close()
    assert caught.value.failures == ("x: cannot be written",)
    assert caught.value.paths == ("a", "b")


def test_the_error_that_ends_a_block_is_not_hidden_by_a_failing_sink(caplog):
    def run():
        with Sinks([Kept(fails_at_end=True, error=InputError("x: cannot be written"))]):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert "x: cannot be written" in caplog.text


def test_every_video_has_a_sink_of_its_own():
    begun = []

    def begin(frame):
        begun.append(Kept(frame.source))
        return begun[-1]

    images = [*video("a", 3), *video("b", 2), *video("b", 2)]  # the same one twice begins anew
    picture, broken = Recognized(Frame("p.png"), IMAGE), Recognized(Frame("c", error="c: no such file"), None)
    with PerVideo(begin) as sink:
        for recognized in [picture, *images, broken]:
            sink.add(recognized)
        paths = sink.close()
    assert paths == ["a", "b", "b"]
    assert [[frame.index for frame in kept.frames] for kept in begun] == [[0, 1, 2], [0, 1], [0, 1]]
    assert [kept.closed for kept in begun] == [1, 1, 1]


def test_a_video_that_cannot_be_saved_keeps_no_other_from_being_saved():
    def begin(frame):
        if frame.source == "a":
            return Kept("a", fails_at=1, error=InputError("a: cannot be written"))
        return Kept(frame.source)

    sink = PerVideo(begin)
    for recognized in [*video("a", 3), *video("b", 2)]:
        sink.add(recognized)
    with pytest.raises(SinkError, match="a: cannot be written") as caught:
        sink.close()
    assert caught.value.paths == ("a", "b")  # a is whole up to its failure


def test_a_sink_that_cannot_be_made_fails_like_one_that_fails_later():
    def begin(frame):
        if frame.source == "a":
            raise InputError("a: cannot be written")
        return Kept(frame.source)

    sink = PerVideo(begin)
    for recognized in [*video("a", 3), *video("b", 2)]:
        sink.add(recognized)
    with pytest.raises(SinkError, match="a: cannot be written") as caught:
        sink.close()
    assert caught.value.paths == ("b",)


def test_one_file_that_cannot_be_written_keeps_no_other_from_being_written(tmp_path):
    def fail():
        raise InputError("x: cannot be written")

    with pytest.raises(SinkError) as caught:
        finished([lambda: tmp_path / "a", fail, lambda: tmp_path / "b"])
    assert caught.value.paths == (tmp_path / "a", tmp_path / "b")


def test_a_reader_that_has_gone_ends_only_what_it_read():
    copies = Kept()
    sinks = Sinks([Kept(fails_at=1, error=BrokenPipeError()), copies])
    for recognized in video("a.mp4", 4):
        sinks.add(recognized)
    assert len(copies.frames) == 4
    with pytest.raises(SinkError, match="its reader has gone"):
        sinks.close()
