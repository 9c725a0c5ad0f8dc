"""How many threads OpenCV computes with, which is one number for the whole process."""

from collections.abc import Iterator
from contextlib import contextmanager

import cv2

from mien.threads import thread_count


def use_threads(threads: int | None) -> None:
    """Let OpenCV compute with so many threads from now on, in the whole process.

    Args:
        threads: at least 1; None: not more than `mien.threads.thread_count` says.

    Raises:
        UsageError: a number out of range.
    """
    count = thread_count(threads)
    cv2.setNumThreads(count if threads is not None else min(count, cv2.getNumThreads()))


@contextmanager
def threads_for_each(threads: int) -> Iterator[None]:
    """OpenCV computes with so many threads for each thread that asks it, meanwhile and in the whole process.

    For a program that looks for faces on as many threads as there are cores, one: two threads of YuNet find the faces
    of one picture sooner, and need a tenth more of the cores for it.
    """
    before = cv2.getNumThreads()
    cv2.setNumThreads(threads)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
