"""A preview window that shows videos and webcams during recognition.

Keys: q or Esc quits, space pauses, s saves a snapshot.
"""

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final

import numpy as np

from mien.errors import InputError, MissingExtraError, UsageError
from mien.files import writing
from mien.media.decode_picture import Pixels
from mien.output.drawing_options import DrawingOptions
from mien.output.picture_file import write_picture
from mien.output.recognized import Recognized
from mien.output.sink import Sink
from mien.results import Frame

if TYPE_CHECKING:
    import pygame

LARGEST: Final = (1280, 800)
"""Largest initial size of the window, width and height in pixels; it can be resized."""

_KEYS: Final = "space: pause, s: save, q: quit"
_PATIENCE: Final = 30
_WINDOWLESS: Final = ("offscreen", "dummy")
"""Drivers that SDL falls back to where there is no display; nobody would see the window."""
"""Milliseconds between two polls of the keyboard while playback is paused or waits."""

_MOST_LATE: Final = 0.5
"""Longest delay, in seconds, that playback catches up on."""

_MEMORY: Final = 0.9
"""Weight of the previous value in the displayed frame rate (exponential moving average), high so that it is readable.
"""


class FrameRate:
    """Frames per second, smoothed.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._last: float | None = None
        self._interval: float | None = None

    def tick(self) -> float | None:
        """The rate after one more frame; None after the first."""
        now, last = self._clock(), self._last
        self._last = now
        if last is None:
            return None
        passed = max(now - last, 1e-6)
        self._interval = passed if self._interval is None else _MEMORY * self._interval + (1 - _MEMORY) * passed
        return 1 / self._interval


def fitted(picture: tuple[int, int], window: tuple[int, int]) -> tuple[int, int, int, int]:
    """Letterboxing: a picture (width, height) scaled to fit a window and centred: x, y, width, height, each size at
    least 1.
    """
    scale = min(window[0] / picture[0], window[1] / picture[1])
    width, height = (max(1, round(side * scale)) for side in picture)
    return (window[0] - width) // 2, (window[1] - height) // 2, width, height


class Preview:
    """A window for the pictures of a video. ``quit`` is set when the user closes it.

    Args:
        title: of the window.
        folder: where ``s`` saves pictures; it is made when the first one is saved.
        wait: sleeps for a number of milliseconds.

    Raises:
        MissingExtraError: pygame is not installed.
        UsageError: there is no display to open a window on.
    """

    def __init__(self, title: str, folder: Path, wait: Callable[[int], object] | None = None) -> None:
        # pygame prints a banner on standard output, which belongs to results.
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        try:
            import pygame
        except ModuleNotFoundError:
            raise MissingExtraError("the preview window", "gui") from None
        self._pygame, self._title, self._folder = pygame, title, folder
        self.wait = wait or pygame.time.wait
        self._shown: Pixels | None = None
        self.quit = self.paused = False
        try:
            pygame.display.init()
            if pygame.display.get_driver() in _WINDOWLESS and "SDL_VIDEODRIVER" not in os.environ:
                raise pygame.error("no display")
            pygame.font.init()
            self._screen: pygame.Surface | None = None
            self._text = pygame.font.Font(None, 24)
        except pygame.error as error:
            raise UsageError(f"no window can be opened ({error}); leave --show out, or use --out DIR") from None

    def show(self, image: Pixels, note: str) -> None:
        """Show an image, RGB uint8 (H, W, 3) or grayscale (H, W), with a caption in its corner."""
        self._shown = image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)
        self._draw(note)
        self.listen()
        while self.paused and not self.quit:
            self.wait(_PATIENCE)
            self.listen()
            self._draw("paused")

    def listen(self) -> None:
        """Handle the events (keys, resize, close) since the last call."""
        pygame = self._pygame
        for event in pygame.event.get():
            if event.type == pygame.QUIT:
                self.quit = True
            elif event.type == pygame.KEYDOWN:
                self._press(event.key)

    def close(self) -> None:
        """Close the window."""
        self._pygame.display.quit()

    def _press(self, key: int) -> None:
        pygame = self._pygame
        if key in (pygame.K_q, pygame.K_ESCAPE):
            self.quit = True
        elif key == pygame.K_SPACE:
            self.paused = not self.paused
        elif key == pygame.K_s and self._shown is not None:
            self._save(self._shown)

    def _save(self, image: Pixels) -> None:
        target = self._folder / f"mien-{datetime.now().astimezone():%Y-%m-%d-%H-%M-%S-%f}.png"
        with writing(target, InputError):
            self._folder.mkdir(parents=True, exist_ok=True)
        write_picture(target, image)
        self._pygame.display.set_caption(f"{self._title} - saved {target}")

    def _draw(self, note: str) -> None:
        if self._shown is None:
            return
        pygame, screen = self._pygame, self._opened(self._shown)
        height, width = self._shown.shape[:2]
        x, y, shown_width, shown_height = fitted((width, height), screen.get_size())
        picture = pygame.image.frombuffer(np.ascontiguousarray(self._shown).tobytes(), (width, height), "RGB")
        screen.fill((0, 0, 0))
        screen.blit(pygame.transform.smoothscale(picture, (shown_width, shown_height)), (x, y))
        words = self._text.render(f" {note} ", True, (255, 255, 255), (0, 0, 0))
        screen.blit(words, (x, y))
        pygame.display.flip()

    def _opened(self, image: Pixels) -> "pygame.Surface":
        if self._screen is None:
            height, width = image.shape[:2]
            largest = min(width, LARGEST[0]), min(height, LARGEST[1])
            size = fitted((width, height), largest)[2:]
            self._screen = self._pygame.display.set_mode(size, self._pygame.RESIZABLE)
            self._pygame.display.set_caption(f"{self._title} - {_KEYS}")
        return self._pygame.display.get_surface() or self._screen


class Window(Sink):
    """A sink that plays videos in a window, at most at their original speed.

    Delays of more than half a second (a pause, a slow machine) are not caught up on. ``quit`` is set when the user
    closes the window.

    Args:
        window: shows the images.
        clock: wall clock in seconds.
        drawing: what is drawn.
    """

    def __init__(
        self, window: Preview, clock: Callable[[], float] = monotonic, drawing: DrawingOptions | None = None
    ) -> None:
        self._window, self._clock, self._drawing = window, clock, drawing or DrawingOptions()
        self._rate = FrameRate(clock)
        self._started = clock()
        self._last: Frame | None = None

    @property
    def quit(self) -> bool:
        """Whether the user has closed the window, or asked it to close."""
        return self._window.quit

    def add(self, recognized: Recognized) -> None:
        frame = recognized.frame
        if recognized.image is None or frame.time is None:
            return
        if self._last is None or frame.source != self._last.source or frame.time < (self._last.time or 0.0):
            self._rate, self._started = FrameRate(self._clock), self._clock()
        self._last = frame
        self._started = max(self._started, self._clock() - frame.time - _MOST_LATE)
        self._await(self._started + frame.time)
        speed = self._rate.tick()
        self._window.show(recognized.annotated(**self._drawing), "" if speed is None else f"{speed:.0f} frames/s")

    def close(self) -> Sequence[Path]:
        """Close the window."""
        self._window.close()
        return ()

    def _await(self, moment: float) -> None:
        """Wait until a time of the clock, handling the window's events meanwhile."""
        while not self.quit and (left := round(1000 * (moment - self._clock()))) > 0:
            self._window.wait(min(left, _PATIENCE))
            self._window.listen()
