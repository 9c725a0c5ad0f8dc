"""What keeps freed memory, Python and the C library: bodies of requests are large, and what they leave must go back."""

import ctypes
import gc
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
"""Both of glibc's malloc.h."""
_LARGE: Final = 2**20
_ARENAS: Final = 2
_MUCH: Final = 32 * _LARGE
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


def settle() -> None:
    """Leave what there is now, which stays, out of later collections of garbage: they then take milliseconds."""
    gc.collect()
    gc.freeze()


class Heap:
    """Gives what large bodies and pictures leave behind in small blocks back to the system; only on glibc.

    Args:
        clock: monotonic seconds.
        trim: gives it back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, trim: Callable[[], None] | None = None) -> None:
        self._clock, self._trim = clock, trim or _trim
        self._next = 0.0

    def give_back(self) -> None:
        """Give back what is free, if that was not done just now."""
        now = self._clock()
        if now >= self._next:
            self._next = now + _PAUSE
            self._trim()


class Leavings:
    """What the requests of a server leave behind: a request and its answer name each other, so Python frees their
    bodies only when it collects garbage, and that goes by objects, not by bytes.

    Args:
        collect: frees them, and gives them back to the system.
    """

    def __init__(self, collect: Callable[[], None] | None = None) -> None:
        self._collect_now = collect or _collect
        self._bytes, self._waits = 0, False

    def add(self, size: int, later: Callable[[float, Callable[[], None]], object]) -> None:
        """So many bytes of a request are not needed any more: collected soon, or at once where they are many.

        Args:
            size: of body and answer.
            later: runs a function after so many seconds, such as `asyncio.AbstractEventLoop.call_later`.
        """
        self._bytes += size
        if self._bytes >= _MUCH:
            self._collect()
        elif self._bytes >= _LARGE and not self._waits:
            self._waits = True
            later(_PAUSE, self._collect)

    def _collect(self) -> None:
        self._bytes, self._waits = 0, False
        self._collect_now()


def _collect() -> None:
    gc.collect()
    _trim()


def _trim() -> None:
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
