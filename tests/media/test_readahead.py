import numpy as np
import pytest

from mien.errors import InputError
from mien.media.readahead import READ_AHEAD, Reader
from mien.media.video_source import VideoImage
from waiting import HANG, wait_for


class Counting:
    """A source of empty images that keeps count of what was asked of it."""

    name = "counting"

    def __init__(self, count, *, live=False, error=None):
        self.live, self._count, self._error = live, count, error
        self.given = self.taken = self.ahead = 0
        self.closed = 0

    def images(self):
        for number in range(self._count):
            self.given += 1
            self.ahead = max(self.ahead, self.given - self.taken)
            yield VideoImage(number, number / 25, np.zeros((2, 2), np.uint8))
        if self._error:
            raise self._error

    def close(self):
        self.closed += 1


def test_images_of_a_file_come_in_order_and_few_wait():
    source = Counting(100)
    with Reader(source) as reader:
        wait_for(lambda: source.given == READ_AHEAD + 1)
        for number in range(100):
            source.taken += 1
            assert next(reader).number == number
        assert list(reader) == []
        assert reader.dropped == 0
    assert source.ahead == READ_AHEAD + 1
    assert source.closed == 1


def test_of_a_live_source_only_the_newest_image_waits_and_the_dropped_are_counted():
    with Reader(Counting(100, live=True)) as reader:
        reader._thread.join(HANG)
        assert [image.number for image in reader] == [99]
        assert reader.dropped == 99


@pytest.mark.parametrize("live", [False, True])
def test_an_error_comes_after_the_last_image_and_once(live):
    with Reader(Counting(3, live=live, error=InputError("broken"))) as reader:
        assert any(image.number == 2 for image in reader)
        with pytest.raises(InputError, match="broken"):
            next(reader)
        assert list(reader) == []


@pytest.mark.parametrize("count", [0, 1000])
def test_closing_early_ends_the_thread_and_releases_the_source(count):
    source = Counting(count)
    reader = Reader(source)
    reader.close()
    assert not reader._thread.is_alive()
    assert source.closed == 1
    assert source.given <= READ_AHEAD + 2
