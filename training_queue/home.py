"""The folder in which the queue works, and what it remembers there.

::

    lock            held by the queue and by the training that it started
    running.json    what runs now; its beat is renewed every few seconds
    hours.jsonl     see `training_queue.hours`
    outcomes/       one JSON file for each training that ended
    logs/           what each training printed
    runs/ data/     run folders and imported data sets
    worktrees/ environments/   the pinned code, and Python with its dependencies
"""

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Literal

from mien.errors import MienError
from mien.files import made_folder, write_text
from mien.locks import try_lock
from mien.runs import LOG_FILE


class QueueError(MienError):
    """The queue cannot do what it is asked; the message says how to mend it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a training.

    Args:
        result: how it ended.
        fingerprint: of the training as the list had it.
        message: last lines of a training that failed.
    """

    result: Literal["done", "failed"]
    fingerprint: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Running:
    """What a queue does now; times in seconds since 1970.

    Args:
        queue: process of the queue.
        up_since: when the queue began.
        beat: when the queue last said that it lives.
        taken: name of the training that the queue prepares, trains or follows up, "" for none.
        process: that the queue started, and its process group; 0 for none.
        training: name of the training that ``process`` is, "" when it is none.
        began: when this training was started or resumed.
        epochs: whole epochs that it had behind it then.
    """

    queue: int
    up_since: float
    beat: float
    taken: str = ""
    process: int = 0
    training: str = ""
    began: float = 0.0
    epochs: int = 0


class Home:
    """The queue's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.hours = self.path / "hours.jsonl"
        self.output = self.path / "queue.log"
        self._running = self.path / "running.json"

    def make(self) -> None:
        """Make the folder with those inside it.

        Raises:
            QueueError: cannot be made.
        """
        for name in ("runs", "data", "logs", "outcomes", "worktrees", "environments"):
            made_folder(self.path / name, QueueError)

    def run(self, name: str) -> Path:
        """A training's run folder."""
        return self.path / "runs" / name

    def log(self, name: str) -> Path:
        """What a training printed."""
        return self.path / "logs" / f"{name}.log"

    def outcome_file(self, name: str) -> Path:
        """Where the outcome of a training is kept."""
        return self.path / "outcomes" / f"{name}.json"

    def outcome(self, name: str) -> Outcome | None:
        """What became of a training, None when it has not ended."""
        values = _read_json(self.outcome_file(name))
        return None if values is None else Outcome(**values)

    def set_outcome(self, name: str, outcome: Outcome) -> None:
        """Remember what became of a training."""
        _write_json(self.outcome_file(name), asdict(outcome))

    def running(self) -> Running | None:
        """What a queue does now, or did when it was killed."""
        values = _read_json(self._running)
        return None if values is None else Running(**values)

    def set_running(self, running: Running | None) -> None:
        """Say what the queue does now; None when it ends."""
        if running is None:
            self._running.unlink(missing_ok=True)
        else:
            _write_json(self._running, asdict(running))

    def epoch_log(self, name: str) -> list[dict[str, Any]]:
        """The log of a training's run, one entry a whole epoch; a last line that a kill cut short is left out."""
        try:
            lines = (self.run(name) / LOG_FILE).read_text(encoding="utf-8").split("\n")[:-1]
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines]

    def try_lock(self) -> IO[str] | None:
        """The open lock file, or None while a queue, or the training of a killed one, holds it.

        It ends with the last process that holds it. A training inherits it, so that no second queue trains in the same
        run folder.
        """
        return try_lock(self.path / "lock")

    def acquire(self) -> IO[str]:
        """The lock file, held; whoever only asks whether it is held is waited for.

        Raises:
            QueueError: it is held for good.
        """
        for _ in range(10):
            lock = self.try_lock()
            if lock is not None:
                return lock
            time.sleep(0.1)
        raise QueueError(f"{self.path}: another queue holds its lock; see queue-status")

    def is_locked(self) -> bool:
        """Whether a queue, or the training of a killed one, runs; asking holds the lock for a moment itself."""
        if not (self.path / "lock").exists():
            return False
        lock = self.try_lock()
        if lock is not None:
            lock.close()
        return lock is None


def is_alive(process: int) -> bool:
    """Whether a process of this number exists; 0 never does."""
    if process <= 0:
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _read_json(path: Path) -> dict[str, Any] | None:
    with suppress(FileNotFoundError):
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return values
    return None


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    write_text(path, json.dumps(values) + "\n", QueueError)
