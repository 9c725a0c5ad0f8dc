"""How the C library keeps freed memory: bodies of requests are large, and what they leave behind must go back."""

import ctypes
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
"""Both of glibc's malloc.h."""
_LARGE: Final = 2**20
_ARENAS: Final = 2
_PAUSE: Final = 1.0
"""Seconds between two looks for memory to give back, which take some milliseconds."""


def return_large_blocks() -> None:
    """Give freed blocks of a megabyte and more back to the system at once, process-wide; without effect but on glibc.

    glibc would raise that size with the first large block that is freed, up to 32 MB.
    """
    with suppress(OSError, AttributeError, TypeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE)
        library.mallopt(_M_ARENA_MAX, _ARENAS)


class Heap:
    """Gives what large bodies and pictures leave behind in small blocks back to the system; only on glibc.

    Args:
        clock: monotonic seconds.
        trim: gives it back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, trim: Callable[[], None] | None = None) -> None:
        self._clock, self._trim = clock, trim or _trim
        self._next = 0.0

    def freed(self, size: int) -> None:
        """So many bytes of a request are not needed any more."""
        if size >= _LARGE:
            self.give_back()

    def give_back(self) -> None:
        """Give back what is free, if that was not done just now."""
        now = self._clock()
        if now >= self._next:
            self._next = now + _PAUSE
            self._trim()


def _trim() -> None:
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
