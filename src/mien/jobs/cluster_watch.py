"""What is seen of a Ray cluster while it works: what it prints, which of its processes die, whether parts come."""

import io
import logging
import signal
from threading import Event, Thread, current_thread, main_thread
from typing import Final, Self, TextIO

from mien.errors import WorkerError

_DEATH: Final = "A worker died or was killed"
"""Begins what Ray prints when that happens."""

_SILENCE: Final = 120.0
"""Seconds without a part after which something may be wrong with the cluster."""

_DEATHS: Final = 5
"""So many deaths in as many seconds, and no part: the processes would go on dying, since Ray restarts them for ever."""

_WAKE: Final[int] = getattr(signal, "SIGUSR1", 0)
"""Wakes the main thread; 0 where the system has none."""

log: Final = logging.getLogger("mien")


class Prints(io.TextIOBase):
    """Standard output while Ray runs, which prints to it from any thread.

    Args:
        stdout: for what the thread that made this prints while it is `lent`.

    `deaths` counts processes of the cluster that died.
    """

    def __init__(self, stdout: TextIO) -> None:
        self._stdout, self._owner, self.lent = stdout, current_thread(), False
        self.deaths = 0

    def write(self, text: str) -> int:
        """Pass on what is not Ray's, and say of Ray's that a worker died."""
        if self.lent and current_thread() is self._owner:
            return self._stdout.write(text)
        if _DEATH in text:
            self.deaths += 1
            log.warning("a process of the cluster died; its part is done again")
        return len(text)

    def flush(self) -> None:
        """Bring out what was passed on."""
        self._stdout.flush()

    def fileno(self) -> int:
        """That of standard output."""
        return self._stdout.fileno()


class Watch:
    """Says that a cluster does nothing, and ends one whose processes only die. A context manager.

    Args:
        prints: counts the deaths.

    Raises:
        WorkerError: of the block, if it is in the main thread and processes only die.
    """

    def __init__(self, prints: Prints) -> None:
        self._prints, self.parts = prints, 0
        self._fault: str | None = None
        self._ended, self._thread = Event(), Thread(target=self._look, daemon=True)
        self._wakes = _WAKE > 0 and current_thread() is main_thread()

    def __enter__(self) -> Self:
        if self._wakes:
            self._before = signal.signal(_WAKE, self._interrupt)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        if self._wakes:
            signal.signal(_WAKE, self._before)
        if kind is KeyboardInterrupt and self._fault is not None:
            raise WorkerError(self._fault) from None

    def _interrupt(self, *_: object) -> None:
        if not self._ended.is_set():
            raise KeyboardInterrupt

    def _look(self) -> None:
        before = 0
        while not self._ended.wait(_SILENCE):
            silent, before = self.parts == before, self.parts
            deaths, self._prints.deaths = self._prints.deaths, 0
            if self._wakes and silent and deaths >= _DEATHS:
                self._fault = f"processes of the cluster died {deaths} times in {_SILENCE:g} s and did no part"
                self._fault += ": have its machines enough memory, and the packages that this one has?"
                signal.pthread_kill(main_thread().ident or 0, _WAKE)  # it waits for Ray, which Ctrl-C ends too
            elif not self.parts:
                log.warning("no part is done after %g s: has the cluster a free core?", _SILENCE)
