"""The processes that the queue starts, and how they are ended."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from training_queue.home import QueueError

_POLL_SECONDS: Final = 0.2
_PATIENCE_SECONDS: Final = 10.0


class StopAskedError(QueueError):
    """The queue was asked to stop."""


class StopSignal:
    """Becomes true with the first SIGTERM, SIGINT or SIGHUP."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._ask)

    def _ask(self, _number: int, _frame: object) -> None:
        self.asked = True


def run_process(
    words: Sequence[str],
    *,
    folder: Path,
    environ: Mapping[str, str],
    log: Path,
    lock: IO[str],
    stop: StopSignal,
    beat: Callable[[int], None],
) -> int:
    """Run a command to its end.

    Args:
        words: the command; no shell reads it.
        folder: to run it in.
        environ: its environment variables.
        log: file that its output is appended to.
        lock: open file that it inherits, so that the queue's lock is held as long as it lives.
        stop: ends it once asked.
        beat: called with the number of its process, soon and again and again.

    Returns:
        Its exit status; minus the number of the signal that ended it.

    Raises:
        StopAskedError: after the process has ended.
    """
    if stop.asked:
        raise StopAskedError("stopped")
    with log.open("ab") as output:
        process = subprocess.Popen(
            words,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(lock.fileno(),),
        )
    be_nice_as_a_group(process.pid, os.getpriority(os.PRIO_PROCESS, 0))
    while process.poll() is None and not stop.asked:
        beat(process.pid)
        time.sleep(_POLL_SECONDS)
    if stop.asked and process.poll() is None:
        end_group(process.pid, lambda: process.poll() is None)
        raise StopAskedError("stopped")
    return process.wait()


def be_nice_as_a_group(process: int, niceness: int, proc: Path = Path("/proc")) -> None:
    """Let a session of processes give way to others, as Linux counts it.

    With sched_autogroup_enabled the kernel shares the processor among sessions and weighs niceness within each alone: a
    niced training in a session of its own gets as much as everything else together. The group has a niceness of its own
    (man 7 sched). Systems without it weigh each process, which has been niced already.

    Args:
        process: any of the session.
        niceness: 0..19.
        proc: where the kernel's files of processes are.
    """
    group = proc / str(process) / "autogroup"
    with suppress(OSError):  # no such file, or changed too often for an unprivileged user
        if group.exists():
            group.write_text(str(niceness), encoding="ascii")


def end_group(group: int, alive: Callable[[], bool]) -> None:
    """End a group of processes: asked first, killed when that does not help. A checkpoint is never half written."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(group, number)
        if waited(lambda: not alive(), _PATIENCE_SECONDS):
            return


def waited(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until a condition holds; False when it does not within so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS / 4)
    return True
