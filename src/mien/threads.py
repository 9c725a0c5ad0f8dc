"""Number of threads: affinity, control groups, ``OMP_NUM_THREADS``.

This is read before torch and onnxruntime are loaded, so it imports nothing that is heavy.
"""

import os
from collections.abc import Iterator, MutableMapping
from math import ceil
from pathlib import Path
from typing import Final

from mien.control_groups import control_groups, memory_at_hand, read_text
from mien.given import whole

MOST_THREADS: Final = 1024
"""More is a slip of the hand, and libgomp ends the process where the system refuses it one of them."""

_MEMORY_EACH: Final = 256 * 2**20
"""Bytes for each process: on many cores a small container would else be ended for its memory."""

_WAIT_POLICY: Final = "OMP_WAIT_POLICY"
_OMP_THREADS: Final = "OMP_NUM_THREADS"


def stop_spinning(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let threads of OpenMP that wait sleep instead of spinning, unless the user decided about it.

    torch's threads wait for each other after every operator. One that spins beside another program's busy core takes
    the time that the thread it waits for needs. OpenMP reads the variable when it is loaded, and processes inherit it.
    """
    environment.setdefault(_WAIT_POLICY, "passive")


def thread_count(threads: int | None = None, environment: MutableMapping[str, str] = os.environ) -> int:
    """Threads to compute with: as many as asked; or as ``OMP_NUM_THREADS`` says; or one for each usable core.

    Raises:
        UsageError: asked are fewer than 1 or more than `MOST_THREADS`.
    """
    if threads is None:
        return _omp_threads(environment) or usable_cores()
    return whole("threads", threads, f"1..{MOST_THREADS}", 1, MOST_THREADS)


def threads_each(threads: int | None, processes: int, environment: MutableMapping[str, str] = os.environ) -> int:
    """Threads of each of several processes that share the cores, at least 1.

    ``OMP_NUM_THREADS`` is a number for each process already.

    Raises:
        UsageError: see `thread_count`.
    """
    shares = 1 if threads is None and _omp_threads(environment) else processes
    return max(1, thread_count(threads, environment) // shares)


def worker_count(workers: int | None, threads: int | None, root: Path = Path("/")) -> int:
    """Processes that share the work: as many as asked; or one for each usable core, as far as threads and memory go.

    Args:
        workers: asked for, at least 1; None: not asked.
        threads: asked for, all processes together; None: not asked.
        root: below it lie ``proc`` and ``sys``.
    """
    if workers is not None:
        return workers
    memory = memory_at_hand(root)
    room = MOST_THREADS if memory is None else max(1, memory // _MEMORY_EACH - 1)
    return min(usable_cores(root), room, MOST_THREADS if threads is None else threads)


def usable_cores(root: Path = Path("/")) -> int:
    """Cores that this process may use: its affinity, and the quotas of its control groups (version 1 and 2).

    A quota of one and a half cores counts as two: with one thread a third of it would lie idle.

    Args:
        root: below it lie ``proc`` and ``sys``.
    """
    affinity = getattr(os, "sched_getaffinity", None)  # Linux has it
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return min([cores, *(max(1, ceil(quota)) for quota in _quotas(root))])


def _omp_threads(environment: MutableMapping[str, str]) -> int | None:
    """The first number of ``OMP_NUM_THREADS``, which has one for each level of nesting; None without a sound one."""
    first = environment.get(_OMP_THREADS, "").partition(",")[0].strip()
    return int(first) if first.isdecimal() and 1 <= int(first) <= MOST_THREADS else None


def _quotas(root: Path) -> Iterator[float]:
    """Cores that each control group above this process may use, where it is limited."""
    for folder in control_groups("cpu", root):
        yield from _quota(folder)


def _quota(folder: Path) -> Iterator[float]:
    version_1 = read_text(folder / "cpu.cfs_quota_us"), read_text(folder / "cpu.cfs_period_us")
    for pair in (read_text(folder / "cpu.max"), " ".join(version_1)):
        match pair.split():
            case [quota, period] if quota.isdecimal() and period.isdecimal() and int(quota) and int(period):
                yield int(quota) / int(period)
