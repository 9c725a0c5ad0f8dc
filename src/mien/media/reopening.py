"""Live sources that break off and are opened again: an unplugged camera, a stream whose network was gone."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import inf
from threading import Event
from time import monotonic
from typing import Final

from mien.defaults import REOPEN_SECONDS
from mien.errors import InputError
from mien.given import real
from mien.media.video_source import Interruption, VideoImage, VideoSource

FIRST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 30.0
"""Seconds between two attempts: from the first on, doubled each time (exponential back-off)."""


class Reopening:
    """A live source that is opened again when it breaks off; what happened comes as an `Interruption` among its images.

    Args:
        source: the source, open.
        open_source: opens it again.
        patience: seconds after which a source that is not back is given up.
        clock: seconds.
        wait: waits for a number of seconds, or until nobody wants the images any more; then it is true.
    """

    live = True

    def __init__(
        self,
        source: VideoSource,
        open_source: Callable[[], VideoSource],
        patience: float = REOPEN_SECONDS,
        clock: Callable[[], float] = monotonic,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self._stopped = Event()
        self._open, self._patience, self._clock = open_source, patience, clock
        self._wait = wait or self._stopped.wait
        self._source = source
        self.name, self.mirrored = source.name, getattr(source, "mirrored", False)

    def images(self) -> Iterator[VideoImage | Interruption]:
        """Images, numbered on, at times that go on through every interruption.

        Raises:
            InputError: the source is not back in time.
        """
        started, opened, number = self._clock(), 0.0, 0
        while True:
            reason = f"{self.name}: ended"
            try:
                for image in self._source.images():
                    yield replace(image, number=number, time=opened + image.time)
                    number += 1
            except InputError as error:
                reason = str(error)
            self._source.close()
            if self._stopped.is_set():
                return
            lost = self._clock() - started
            yield Interruption(number, lost, f"{reason}; it is opened again")
            if not self._reopened(lost, started):
                return
            opened = self._clock() - started
            yield Interruption(number + 1, opened, f"{self.name}: back after {opened - lost:.1f} s")
            number += 2

    def _reopened(self, lost: float, started: float) -> bool:
        """Open it, sooner or later; False when nobody wants it any more."""
        pause = FIRST_WAIT
        while not self._wait(pause):
            try:
                self._source = self._open()
            except InputError as error:
                if self._clock() - started - lost >= self._patience:
                    raise InputError(f"{self.name}: not back after {self._patience:g} s ({error})") from None
                pause = min(2 * pause, LONGEST_WAIT)
            else:
                return True
        return False

    def stop(self) -> None:
        """End a wait for a source that is away; may be called from another thread."""
        self._stopped.set()

    def close(self) -> None:
        """Release the source."""
        self.stop()
        self._source.close()


def check_patience(seconds: object) -> float:
    """Seconds for which a source that broke off is waited for.

    Raises:
        UsageError: it is negative, or not a number.
    """
    return real("reopen", seconds, "seconds, 0 for not at all", lambda number: 0 <= number < inf)
