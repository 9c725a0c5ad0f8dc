"""The queue itself: one training after the other, until none is left or it is asked to stop."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Final, Literal

from mien.errors import ConfigError
from mien.runs import CHECKPOINT_FILE
from training_queue import commands, hours, workspace
from training_queue.home import Home, Outcome, QueueError, Running, is_alive
from training_queue.listing import Training, TrainingList, load_list
from training_queue.next_training import next_training, states
from training_queue.processes import StopAskedError, StopSignal, end_group, run_process

_BEAT_SECONDS: Final = 5.0
_LAST_LINES: Final = 5

End = Literal["done", "failed", "stopped", "killed"]


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where a queue works.

    Args:
        file: the list of trainings.
        root: repository that holds the pinned commits.
        home: the queue's folder.
        python: interpreter that has mien's dependencies, "" to make an environment for them.
    """

    file: Path
    root: Path
    home: Home
    python: str = ""


def load_ready(place: Workplace) -> TrainingList:
    """The list, when all that its open trainings need is at hand.

    Raises:
        ConfigError: the list is wrong.
        QueueError: an environment variable or a commit is missing.
    """
    todo = load_list(place.file)
    found = states(todo.trainings, outcomes_of(place.home, todo))
    open_ones = [training for training in todo.trainings if found[training.name] != "done"]
    optional = {training.drop_rows for training in open_ones}
    for variable in todo.variables(open_ones):
        commands.path_in(os.environ, variable, may_be_empty=variable in optional)
    for commit in dict.fromkeys(training.commit for training in open_ones):
        workspace.require_commit(place.root, commit)
    return todo


def outcomes_of(home: Home, todo: TrainingList) -> dict[str, Outcome]:
    """What became of the trainings of a list, by name; those that have not ended are left out."""
    found = {training.name: home.outcome(training.name) for training in todo.trainings}
    return {name: outcome for name, outcome in found.items() if outcome is not None}


def settle_killed(home: Home) -> Running | None:
    """Take account of a queue that was killed: end the training that it left behind, and write its hours down.

    Returns:
        What the killed queue was doing, None when none was killed.
    """
    running, locked = home.running(), home.is_locked()
    if running is None or (locked and is_alive(running.queue)):
        return None
    if locked and running.process:
        end_group(running.process, home.is_locked)
    ended = running.beat
    if running.training:
        ended = max(ended, _checkpoint_time(home, running))
        _write_training(home, running, ended, "killed")
    hours.append(home.hours, hours.Stretch(hours.current_session(), "queue", running.up_since, ended))
    home.set_running(None)
    return running


def _checkpoint_time(home: Home, running: Running) -> float:
    """When the last whole epoch of a stretch ended; its beginning when it has none."""
    checkpoint = home.run(running.training) / CHECKPOINT_FILE
    return max(running.began, checkpoint.stat().st_mtime) if checkpoint.exists() else running.began


def _write_training(home: Home, running: Running, ended: float, end: End) -> None:
    lost = 0.0 if end == "done" else max(0.0, ended - _checkpoint_time(home, running))
    epochs = running.epochs, len(home.epoch_log(running.training))
    session, name = hours.current_session(), running.training
    hours.append(home.hours, hours.Stretch(session, "training", running.began, ended, name, lost, epochs, end))


class Queue:
    """Runs trainings; must hold the lock of its home.

    Args:
        place: where.
        lock: the open lock file.
        stop: when to end.
        say: told what happens, line by line.
    """

    def __init__(self, place: Workplace, lock: IO[str], stop: StopSignal, say: Callable[[str], None]) -> None:
        self._place, self._home, self._lock, self._stop, self._say = place, place.home, lock, stop, say
        self._running = Running(os.getpid(), time.time(), time.time())
        self._todo = load_ready(place)

    def run(self) -> bool:
        """Train until nothing is left; whether every training of the list is done.

        Raises:
            StopAskedError: asked to stop; the training goes on from its last whole epoch next time.
        """
        self._home.set_running(self._running)
        try:
            while (training := self._next()) is not None:
                self._take(training)
        finally:
            session, began = hours.current_session(), self._running.up_since
            hours.append(self._home.hours, hours.Stretch(session, "queue", began, time.time()))
            self._home.set_running(None)
        found = states(self._todo.trainings, outcomes_of(self._home, self._todo))
        return all(state == "done" for state in found.values())

    def _next(self) -> Training | None:
        """The list is read again each time, so that trainings can be added while the queue runs."""
        try:
            self._todo = load_list(self._place.file)
        except ConfigError as error:
            self._say(f"{error}; going on with the list as it was")
        return next_training(self._todo.trainings, outcomes_of(self._home, self._todo))

    def _take(self, training: Training) -> None:
        self._say(f"{training.name}: begins, after {len(self._home.epoch_log(training.name))} epochs")
        self._running = replace(self._running, taken=training.name)
        message = ""
        try:
            python, worktree = self._prepare(training)
            self._train(training, python, worktree)
            result: Literal["done", "failed"] = "done"
            message = self._follow(training, python, worktree)
        except StopAskedError:
            self._say(f"{training.name}: stopped")
            raise
        except QueueError as error:
            result, message = "failed", str(error)
        self._home.set_outcome(training.name, Outcome(result, training.fingerprint(), message))
        self._say(f"{training.name}: {result}{': ' if message else ''}{message}")

    def _prepare(self, training: Training) -> tuple[str, Path]:
        """Python and worktree of a training, its data set imported."""
        worktree = workspace.checkout(self._place.root, self._home, training.commit)
        python = self._place.python or self._environment(training, worktree)
        if not (self._home.path / "data" / training.data).exists():
            data_set = self._todo.data_sets[training.data]
            self._must(commands.import_data(python, training.data, data_set, os.environ), training, worktree)
        return python, worktree

    def _environment(self, training: Training, worktree: Path) -> str:
        environment = workspace.environment_of(self._home, worktree)
        if not workspace.is_complete(environment):
            self._say(f"{training.name}: installing its environment")
            for words in workspace.building(environment, worktree):
                self._must(words, training, worktree)
        return workspace.python_of(environment)

    def _train(self, training: Training, python: str, worktree: Path) -> None:
        """Train to the end; a training that something else killed goes on as long as it gains epochs."""
        words = commands.train(python, training, worktree, os.environ)
        while True:
            before = len(self._home.epoch_log(training.name))
            with self._counted(training.name, before) as end:
                status = self._run(words, training, worktree)
                end["end"] = "done" if status == 0 else "failed" if status > 0 else "killed"
            if status == 0:
                return
            if status > 0 or len(self._home.epoch_log(training.name)) == before:
                raise QueueError(self._last_lines(training, "train", status))
            self._say(f"{training.name}: killed by signal {-status} from outside, goes on")

    @contextmanager
    def _counted(self, name: str, epochs: int) -> Iterator[dict[str, End]]:
        """Write down the hours of a training, whatever ends it."""
        self._running = replace(self._running, training=name, began=time.time(), epochs=epochs)
        end: dict[str, End] = {"end": "stopped"}
        try:
            yield end
        finally:
            _write_training(self._home, self._running, time.time(), end["end"])
            self._running = replace(self._running, training="")

    def _follow(self, training: Training, python: str, worktree: Path) -> str:
        """Run what follows a training; what failed of it, which does not undo the training."""
        failures = []
        for words in commands.after(python, training):
            status = self._run(words, training, worktree)
            if status:
                failures.append(self._last_lines(training, words[words.index("mien") + 1], status))
        return "; ".join(failures)

    def _must(self, words: list[str], training: Training, worktree: Path) -> None:
        status = self._run(words, training, worktree)
        if status:
            raise QueueError(self._last_lines(training, " ".join(words[1:5]), status))

    def _run(self, words: list[str], training: Training, worktree: Path) -> int:
        try:
            return run_process(
                words,
                folder=self._home.path,
                environ=workspace.variables(worktree),
                log=self._home.log(training.name),
                lock=self._lock,
                stop=self._stop,
                beat=self._beat,
            )
        except OSError as error:
            raise QueueError(f"{words[0]}: cannot be run ({error.strerror})") from None
        finally:
            self._running = replace(self._running, process=0)
            self._home.set_running(self._running)

    def _beat(self, process: int) -> None:
        now = time.time()
        if process != self._running.process or now - self._running.beat > _BEAT_SECONDS:
            self._running = replace(self._running, process=process, beat=now)
            self._home.set_running(self._running)

    def _last_lines(self, training: Training, what: str, status: int) -> str:
        log = self._home.log(training.name)
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
        how = f"exit status {status}" if status > 0 else f"killed by signal {-status}"
        return f"{what}: {how} ({' / '.join(line.strip() for line in lines if line.strip())}; all of it in {log})"
