"""One training at a time in a run folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mien.errors import TrainingError
from mien.files import made_folder, writing
from mien.locks import try_lock
from mien.runs import LOCK_FILE
from mien.training.machine import is_first_process


@contextmanager
def only_training_in(run: Path) -> Iterator[None]:
    """Keep other trainings out of a run folder, which is made if it is not there.

    The first process of a training holds the lock for all of them.

    Raises:
        TrainingError: another training is in it, or the lock cannot be written.
    """
    if not is_first_process():
        yield
        return
    path = made_folder(run, TrainingError) / LOCK_FILE
    with writing(path, TrainingError):
        lock = try_lock(path)
    if lock is None:
        number = path.read_text(encoding="utf-8").strip()
        holder = f"process {number}" if number else "another process"
        raise TrainingError(f"{run} is in use by {holder}: wait or stop it")
    with lock:
        with writing(path, TrainingError):
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
        yield
