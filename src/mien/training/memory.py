"""What the C library does with memory that a training frees."""

import ctypes
import sys
from typing import Final

_NEVER_TRIM: Final = (-1, -1)
"""M_TRIM_THRESHOLD, and a size that no heap reaches."""

_NEVER_MAP: Final = (-4, 0)
"""M_MMAP_MAX, and how many blocks may be mapped from the system one by one."""


def keep_freed_memory() -> None:
    """Let this process keep memory that it frees, until it ends; does nothing without the GNU C library.

    By default glibc gives every large block back to the system at once. Each step of a training then gets its
    activations and gradients anew as pages that the system fills with zeros first.
    """
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return
    for parameter, value in (_NEVER_TRIM, _NEVER_MAP):
        library.mallopt(parameter, value)
