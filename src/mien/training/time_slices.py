"""Short time slices of Linux's scheduler, for threads that wait for each other."""

import ctypes
import os
import platform
import struct
from pathlib import Path
from typing import Final

SHORT: Final = 100_000
"""Nanoseconds: the shortest slice that Linux gives; by default it is some 3 ms."""

_SCHED_SETATTR: Final = {"x86_64": 314, "aarch64": 274}
"""Numbers of the system call, by `platform.machine`: the C library has no function for it."""

_ATTRIBUTES: Final = struct.Struct("IIQiIQQQ")
"""``struct sched_attr``: its size, the policy, flags, the nice value, a priority, then the slice and two more times."""


def take_short_slices(tasks: Path = Path("/proc/self/task")) -> None:
    """Let the threads of this process, and those that they start, run as soon as they are woken on a busy core.

    torch's threads meet after every operator. Where another program keeps a core busy, a thread that is woken there
    waits until that program's slice is over. Threads with short slices come earlier and run for no longer in all:
    Linux 6.12 and newer share time so (earliest eligible virtual deadline first). Older ones ignore it, as do other
    systems.

    Args:
        tasks: folder whose entries are named after this process's threads.
    """
    number = _SCHED_SETATTR.get(platform.machine())
    if number is None or not tasks.is_dir() or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    attributes = _ATTRIBUTES.pack(_ATTRIBUTES.size, os.SCHED_OTHER, 0, nice, 0, SHORT, 0, 0)
    for task in tasks.iterdir():
        ctypes.CDLL(None).syscall(number, int(task.name), attributes, 0)  # one that is refused goes on as it was
