"""How the C library keeps freed memory: bodies of requests are large, and what they leave behind must go back."""

import ctypes
from contextlib import suppress
from typing import Final

_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
"""Both of glibc's malloc.h."""
_LARGE: Final = 2**20
_ARENAS: Final = 2


def return_large_blocks() -> None:
    """Give freed blocks of a megabyte and more back to the system at once, process-wide; without effect but on glibc.

    glibc would raise that size with the first large block that is freed, up to 32 MB.
    """
    with suppress(OSError, AttributeError, TypeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE)
        library.mallopt(_M_ARENA_MAX, _ARENAS)
