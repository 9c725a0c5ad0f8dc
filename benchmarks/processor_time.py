"""Processor seconds of a command and of every process below it, however that ended. Linux.

A process's time counts where somebody waits for its end. Nobody waits for the server that forks mien's workers: when
mien ends, it is an orphan, and with it the time of all workers. So a benchmark adopts orphans and waits for them.
"""

import ctypes
import os
import sys
import time

ADOPT = 36
"""PR_SET_CHILD_SUBREAPER of Linux's prctl."""

PATIENCE = 10.0


def adopt_orphans():
    """Become the parent of orphans among the processes below this one."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(ADOPT, 1, 0, 0, 0)


def seconds_below():
    """Processor seconds of all processes below this one, which have ended or are about to."""
    last = time.monotonic() + PATIENCE
    while time.monotonic() < last:
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.01)
        except ChildProcessError:
            break
    used = os.times()
    return used.children_user + used.children_system
