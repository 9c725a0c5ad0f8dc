"""Live sources that break off and come back: fake cameras, and a camera on the network that is this test's own."""

from itertools import chain, repeat

import numpy as np
import pytest

from mien.errors import InputError, UsageError
from mien.media.open_video import open_video
from mien.media.readahead import Reader
from mien.media.reopening import FIRST_WAIT, LONGEST_WAIT, Reopening, check_patience
from mien.media.video_source import Interruption, VideoImage
from mien.media.webcam import Camera
from network_camera import jpeg, serving
from waiting import HANG, wait_for


class Device:
    """What OpenCV opens: it gives some images, a second apart, then it is unplugged; None: it is not there."""

    def __init__(self, clock, images):
        self._clock, self._left, self.released = clock, images, False

    def isOpened(self):  # noqa: N802 - OpenCV's name
        return self._left is not None

    def read(self):
        self._clock.now += 1.0
        self._left -= 1
        return self._left >= 0, np.zeros((4, 4, 3), np.uint8)

    def release(self):
        self.released = True


class Clock:
    """A clock that runs while somebody waits; it keeps the waits."""

    def __init__(self):
        self.now, self.waits = 0.0, []

    def __call__(self):
        return self.now

    def wait(self, seconds):
        self.waits.append(seconds)
        self.now += seconds
        return False


def camera(lengths, patience=600.0):
    """A camera that gives so many images each time it is opened, and in the end is gone for good."""
    clock, devices, left = Clock(), [], chain(lengths, repeat(None))

    def capture(_number):
        devices.append(Device(clock, next(left)))
        return devices[-1]

    def opened():
        return Camera(0, capture, clock)

    return Reopening(opened(), opened, patience, clock, clock.wait), clock, devices


def test_a_camera_that_is_unplugged_and_back_goes_on_with_its_numbers_and_times():
    source, clock, devices = camera([3, None, None, 2])
    images = source.images()
    found = [next(images) for _ in range(8)]
    assert [type(image) for image in found] == [VideoImage] * 3 + [Interruption] * 2 + [VideoImage] * 2 + [Interruption]
    assert [image.number for image in found] == list(range(8))
    assert [image.time for image in found] == [1, 2, 3, 4, 7.5, 8.5, 9.5, 10.5]  # 0.5 + 1 + 2 s away
    assert found[3].reason == "camera 0: gives no more images after 3; it is opened again"
    assert found[4].reason == "0: back after 3.5 s"
    assert all(device.released for device in devices if device.isOpened())
    with pytest.raises(InputError, match=r"^0: not back after 600 s \(camera 0: cannot be opened; is it connected"):
        next(images)
    assert clock.waits[:7] == [FIRST_WAIT, 1, 2, FIRST_WAIT, 1, 2, 4]
    assert max(clock.waits) == LONGEST_WAIT
    assert 600 <= sum(clock.waits[3:]) <= 600 + LONGEST_WAIT


def test_a_reader_drops_images_and_no_interruption_and_ends_a_wait():
    clock = Clock()
    lengths = iter([5, 5, 5])

    def opened():
        return Camera(0, lambda _: Device(clock, next(lengths)), clock)

    source = Reopening(opened(), opened, 600.0, clock)
    waits = []
    source._wait = lambda seconds: waits.append(seconds) or (len(waits) > 2 and source._stopped.wait(HANG))
    reader = Reader(source)
    wait_for(lambda: len(waits) == 3)
    assert reader.dropped == 14
    reader.close()  # it waits for no camera
    assert not reader._thread.is_alive()
    reader = Reader(Played([VideoImage(0, 0.0, None), Interruption(1, 0.1, "lost"), VideoImage(2, 0.2, None)]))
    reader._thread.join(HANG)
    assert [image.number for image in reader] == [1, 2]


class Played:
    """Images as a live source."""

    name, live = "played", True

    def __init__(self, images):
        self._images = images

    def images(self):
        yield from self._images

    def close(self):
        pass


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_a_patience_that_is_none_is_refused(seconds):
    with pytest.raises(UsageError, match="reopen is"):
        check_patience(seconds)


def test_a_camera_on_the_network_that_is_cut_off_is_opened_again():
    pictures = [jpeg(np.full((48, 64, 3), 30 * number, np.uint8)) for number in range(6)]
    with serving(pictures, refuses=lambda call: call % 2 == 1) as address:
        source = open_video(address, reopen=60.0)
        assert isinstance(source, Reopening)
        assert source.live
        images, found = source.images(), []
        while sum(isinstance(image, VideoImage) for image in found) < 8:
            found.append(next(images))
        source.close()
        images.close()
    assert [image.number for image in found] == list(range(len(found)))
    lost, back = (image for image in found if isinstance(image, Interruption))
    assert lost.reason.startswith(address)
    assert "it is opened again" in lost.reason
    assert "back after" in back.reason
