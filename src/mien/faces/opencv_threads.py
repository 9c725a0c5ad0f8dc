"""Number of OpenCV's threads, a process-wide setting."""

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
