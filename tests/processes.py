"""Processes of tests: those that one has started, and whether one still runs. Any may end at any moment."""

from contextlib import suppress

import psutil


def below(process):
    """All processes that a process started, and that these started; none when it is gone."""
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


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
