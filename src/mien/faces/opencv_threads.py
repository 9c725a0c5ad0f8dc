"""Number of OpenCV's threads, a process-wide setting."""

from collections.abc import Iterator
from contextlib import contextmanager

from mien.opencv import cv2
from mien.threads import thread_count


def use_threads(threads: int | None) -> None:
    """Set the number of OpenCV's threads, process-wide.

    Args:
        threads: at least 1; None: not more than `mien.threads.thread_count` says.

    Raises:
        UsageError: a number out of range.
    """
    count = thread_count(threads)
    cv2.setNumThreads(count if threads is not None else min(count, cv2.getNumThreads()))


@contextmanager
def threads_for_each(threads: int) -> Iterator[None]:
    """Set the number of threads of each OpenCV call, process-wide, inside this block.

    A program that detects faces on as many threads as there are cores should run OpenCV single-threaded: a second
    thread lowers the latency of one picture, and takes more processor time in all.
    """
    before = cv2.getNumThreads()
    cv2.setNumThreads(threads)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
