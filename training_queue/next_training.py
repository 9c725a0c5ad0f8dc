"""Which training comes next."""

from collections.abc import Mapping, Sequence
from typing import Literal

from training_queue.home import Outcome
from training_queue.listing import Training

State = Literal["done", "failed", "blocked", "waiting", "ready"]


def states(trainings: Sequence[Training], outcomes: Mapping[str, Outcome]) -> dict[str, State]:
    """The state of each training, by name.

    A training that failed is tried again once its entry in the list has changed; one that is done stays done.
    "blocked" waits for one that failed, "waiting" for one that is not done yet, "ready" for nothing.
    """
    found: dict[str, State] = {}
    for training in trainings:
        found[training.name] = _state(training, outcomes.get(training.name), [found[name] for name in training.depends])
    return found


def _state(training: Training, outcome: Outcome | None, depends: Sequence[State]) -> State:
    if outcome is not None and (outcome.result == "done" or outcome.fingerprint == training.fingerprint()):
        return outcome.result
    if {"failed", "blocked"} & set(depends):
        return "blocked"
    return "ready" if all(state == "done" for state in depends) else "waiting"


def next_training(trainings: Sequence[Training], outcomes: Mapping[str, Outcome]) -> Training | None:
    """The first training that is ready, None when nothing is left that could be trained."""
    found = states(trainings, outcomes)
    return next((training for training in trainings if found[training.name] == "ready"), None)
