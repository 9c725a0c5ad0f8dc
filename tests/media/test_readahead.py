import numpy as np
import pytest

from mien.errors import InputError
from mien.media.readahead import READ_AHEAD, READ_AHEAD_BYTES, Reader
from mien.media.video_source import VideoImage
from waiting import HANG, wait_for


class Counting:
    """A source of empty images that keeps count of what was asked of it."""

    name = "counting"

    def __init__(self, count, *, live=False, error=None, shape=(2, 2)):
        self.live, self._count, self._error, self._shape = live, count, error, shape
        self.given = self.taken = self.ahead = 0
        self.closed = 0

    def images(self):
        for number in range(self._count):
            self.given += 1
            self.ahead = max(self.ahead, self.given - self.taken)
            yield VideoImage(number, number / 25, np.zeros(self._shape, np.uint8))
        if self._error:
            raise self._error

    def close(self):
        self.closed += 1


def test_images_of_a_file_come_in_order_and_few_wait():
    source = Counting(100)
    with Reader(source) as reader:
        wait_for(lambda: source.given == READ_AHEAD)
        for number in range(100):
            source.taken += 1
            assert next(reader).number == number
        assert list(reader) == []
        assert reader.dropped == 0
    assert source.ahead == READ_AHEAD
    assert source.closed == 1


@pytest.mark.parametrize("waiting", [1, 3])
def test_large_images_wait_in_smaller_numbers(waiting):
    source = Counting(10, shape=(READ_AHEAD_BYTES // waiting, 1))
    with Reader(source) as reader:
        wait_for(lambda: source.given == waiting)
        for _ in range(10):
            source.taken += 1
            next(reader)
        assert list(reader) == []
    assert source.ahead == waiting


def test_an_image_that_is_larger_than_all_may_be_together_waits_alone():
    source = Counting(3, shape=(READ_AHEAD_BYTES + 1, 1))
    with Reader(source) as reader:
        assert [image.number for image in reader] == [0, 1, 2]


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
    assert source.given <= READ_AHEAD + 1
