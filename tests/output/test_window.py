"""The preview on SDL's driver without a screen: what is drawn, and what keys do."""

import os
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mien.errors import InputError, MissingExtraError, UsageError
from mien.output.recognized import Recognized
from mien.output.window import FrameRate, Preview, Window, fitted
from mien.results import Box, Face, Frame

pygame = pytest.importorskip("pygame")

sides = st.tuples(st.integers(1, 4000), st.integers(1, 4000))


@pytest.fixture
def window(monkeypatch, tmp_path):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    window = Preview("test", tmp_path / "saved")
    yield window
    window.close()


def recognized(number, image=None):
    image = np.full((120, 160, 3), 40, np.uint8) if image is None else image
    face = Face(Box(40, 30, 60, 60), 0.9, (0, 0, 0, 1, 0, 0, 0), ())
    return Recognized(Frame("camera", number, number / 25, 160, 120, (face,)), image)


def previewed(images, window, clock=time.monotonic):
    """The images as they are shown, until the window's user quits."""
    with Window(window, clock) as sink:
        for image in images:
            sink.add(image)
            yield image
            if sink.quit:
                return


def press(key):
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key))


@given(sides, sides)
def test_a_picture_is_fitted_whole_undistorted_and_centred(picture, size):
    x, y, width, height = fitted(picture, size)
    assert x >= 0
    assert y >= 0
    assert width <= size[0] or width == 1
    assert height <= size[1] or height == 1
    assert width in range(size[0] - 1, size[0] + 2) or height in range(size[1] - 1, size[1] + 2)
    assert abs(width * picture[1] - height * picture[0]) <= max(picture)
    assert abs(size[0] - width - 2 * x) <= 1
    assert abs(size[1] - height - 2 * y) <= 1


def test_the_rate_is_that_of_a_steady_clock():
    times = iter(np.arange(0, 10, 0.04))
    rate = FrameRate(lambda: next(times))
    found = [rate.tick() for _ in range(20)]
    assert found[0] is None
    assert found[1:] == pytest.approx([25.0] * 19)


def test_the_window_shows_the_annotated_picture(window):
    images = [recognized(number) for number in range(3)]
    assert [shown.frame.index for shown in previewed(images, window)] == [0, 1, 2]
    assert not pygame.display.get_init()


def test_what_is_drawn_is_the_picture_in_its_colours(window):
    image = np.zeros((100, 200, 3), np.uint8)
    image[:, 100:] = (10, 200, 90)
    window.show(image, "")
    surface = pygame.display.get_surface()
    assert surface.get_size() == (200, 100)
    assert surface.get_at((150, 80))[:3] == (10, 200, 90)
    assert surface.get_at((20, 80))[:3] == (0, 0, 0)


def test_a_gray_picture_is_shown_gray(window):
    window.show(np.full((60, 80), 77, np.uint8), "")
    assert pygame.display.get_surface().get_at((70, 50))[:3] == (77, 77, 77)


def test_a_large_picture_opens_a_window_that_fits_a_screen(window):
    window.show(np.zeros((3000, 4000, 3), np.uint8), "12 frames/s")
    assert pygame.display.get_surface().get_size() == (1067, 800)


def test_a_file_is_shown_no_faster_than_it_was_filmed(monkeypatch, tmp_path):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    now, waits = [100.0], []

    def wait(milliseconds):
        waits.append(milliseconds)
        now[0] += milliseconds / 1000

    window = Preview("test", tmp_path, wait=wait)
    assert len(list(previewed(map(recognized, range(5)), window, clock=lambda: now[0]))) == 5
    assert sum(waits) == 4 * 40
    window.close()


def test_after_a_pause_a_file_goes_on_at_its_own_speed(monkeypatch, tmp_path):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    now, shown = [100.0], []

    def wait(milliseconds):
        now[0] += milliseconds / 1000
        if window.paused and now[0] > 120:
            press(pygame.K_SPACE)

    window = Preview("test", tmp_path, wait=wait)
    for number, _ in enumerate(previewed(map(recognized, range(60)), window, clock=lambda: now[0])):
        shown.append(now[0])
        if number == 9:
            press(pygame.K_SPACE)
    late = 13  # frames of half a second: so many are shown at once
    assert shown[10] > 120
    assert np.diff(shown[11 + late :]) == pytest.approx([0.04] * (48 - late), abs=2e-3)


def test_quitting_needs_no_next_picture(window):
    """The second picture is due in an hour."""
    distant = replace(recognized(1), frame=replace(recognized(1).frame, time=3600.0))
    shown = previewed([recognized(0), distant, recognized(2)], window)
    next(shown)
    press(pygame.K_q)
    assert len(list(shown)) == 1


@pytest.mark.parametrize("key", [pygame.K_q, pygame.K_ESCAPE])
def test_quitting_ends_the_images_and_releases_their_source(window, key):
    released = []

    def source():
        try:
            yield from map(recognized, range(100))
        finally:
            released.append(True)

    images = source()
    shown = previewed(images, window)
    next(shown)
    press(key)
    assert len(list(shown)) == 1
    images.close()
    assert released == [True]


def test_closing_the_window_quits(window):
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    assert len(list(previewed(map(recognized, range(100)), window))) == 1


def test_space_pauses_until_it_is_pressed_again(monkeypatch, tmp_path):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    waits = []

    def press_after_a_while(milliseconds):
        waits.append(milliseconds)
        if len(waits) == 3:
            press(pygame.K_SPACE)

    window = Preview("test", tmp_path, wait=press_after_a_while)
    press(pygame.K_SPACE)
    window.show(recognized(0).image, "")
    assert len(waits) == 3
    assert not window.paused
    window.close()


def test_s_saves_what_is_shown(window, tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    press(pygame.K_s)
    window.show(image, "")
    (saved,) = (tmp_path / "saved").iterdir()
    assert np.array_equal(np.asarray(Image.open(saved)), image)


def test_a_picture_that_cannot_be_saved_is_named(window, tmp_path):
    (tmp_path / "saved").write_text("a file where the folder should be")
    press(pygame.K_s)
    with pytest.raises(InputError, match=r"saved.*cannot be written"):
        window.show(recognized(0).image, "")


def test_without_a_display_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("SDL_VIDEODRIVER", "no-such-driver")
    with pytest.raises(UsageError, match="no window can be opened"):
        Preview("test", tmp_path)


def test_a_display_that_nobody_sees_is_none_unless_it_was_asked_for(monkeypatch, tmp_path):
    """SDL falls back to one in memory where there is no other."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "offscreen")
    Preview("test", tmp_path).close()
    monkeypatch.delenv("SDL_VIDEODRIVER")
    monkeypatch.setattr("pygame.display.get_driver", lambda: "offscreen")
    monkeypatch.setattr("pygame.display.init", lambda: None)
    with pytest.raises(UsageError, match=r"no window can be opened \(no display\); leave --show out"):
        Preview("test", tmp_path)


def test_nothing_is_printed(tmp_path):
    program = "from pathlib import Path; from mien.output.window import Preview; Preview('test', Path('.')).close()"
    environment = {**os.environ, "SDL_VIDEODRIVER": "dummy"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == ""


def test_without_pygame_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(MissingExtraError, match=r"mien\[gui\]"):
        Preview("test", tmp_path)


def test_pictures_and_what_could_not_be_read_are_not_shown(window):
    sink = Window(window)
    sink.add(Recognized(Frame("a.mp4", error="a.mp4: no such file"), None))
    sink.add(replace(recognized(0), frame=replace(recognized(0).frame, time=None)))
    assert pygame.display.get_surface() is None


def test_a_second_video_begins_at_once(monkeypatch, tmp_path):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    now, waits = [100.0], []

    def wait(milliseconds):
        waits.append(milliseconds)
        now[0] += milliseconds / 1000

    images = [recognized(number) for number in range(3)]
    videos = [replace(image, frame=replace(image.frame, source=name)) for name in "ab" for image in images]
    assert len(list(previewed(videos, Preview("test", tmp_path, wait=wait), clock=lambda: now[0]))) == 6
    assert sum(waits) == 4 * 40
