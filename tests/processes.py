"""Processes of tests: whether one still runs, and what it says of itself. Any may end at any moment."""

from contextlib import suppress

import psutil


def is_alive(process):
    """Whether a process of psutil's runs; a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def told(processes, question):
    """What each process of psutil's answers; those that are gone answer nothing."""
    for process in processes:
        with suppress(psutil.Error):
            yield process, question(process)
