"""What is done, running and left, and the hours: as a document, and as lines to read."""

import time
import tomllib
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from mien.runs import CONFIG_FILE
from training_queue import hours
from training_queue.home import Home, Outcome, Running, is_alive
from training_queue.listing import Training, TrainingList
from training_queue.next_training import states
from training_queue.queue import outcomes_of


def status_of(home: Home, todo: TrainingList, now: float | None = None) -> dict[str, Any]:
    """The state of a queue as plain values."""
    now = time.time() if now is None else now
    running = _alive(home)
    outcomes = outcomes_of(home, todo)
    found: dict[str, str] = {**states(todo.trainings, outcomes)}
    if running and running.taken:
        found[running.taken] = "running"
    rows = [_row(home, training, found[training.name], outcomes.get(training.name)) for training in todo.trainings]
    sums = hours.summary(_stretches(home, running, now), hours.current_session(), now)
    return {
        "queue": running.queue if running else None,
        "trainings": rows,
        "hours": {**asdict(sums), "share": sums.share},
    }


def _alive(home: Home) -> Running | None:
    running = home.running()
    return running if running and home.is_locked() and is_alive(running.queue) else None


def _stretches(home: Home, running: Running | None, now: float) -> list[hours.Stretch]:
    """All that is written down, and what goes on now."""
    found, session = hours.read(home.hours), hours.current_session()
    if running:
        found.append(hours.Stretch(session, "queue", running.up_since, now))
        if running.training:
            found.append(hours.Stretch(session, "training", running.began, now, running.training))
    return found


def _row(home: Home, training: Training, state: str, outcome: Outcome | None) -> dict[str, Any]:
    log = home.epoch_log(training.name)
    config = home.run(training.name) / CONFIG_FILE
    epochs = tomllib.loads(config.read_text(encoding="utf-8"))["epochs"] if config.exists() else None
    accuracies = [entry["accuracy"] for entry in log if "accuracy" in entry]
    left = (epochs - len(log)) * log[-1]["seconds"] / 3600 if log and epochs and state != "done" else None
    return {
        "name": training.name,
        "state": state,
        "epochs_done": len(log),
        "epochs": epochs,
        "accuracy": max(accuracies, default=None),
        "faces_per_second": log[-1]["faces_per_second"] if log else None,
        "hours_left": left,
        "waits_for": list(training.depends) if state in ("waiting", "blocked") else [],
        "message": outcome.message if outcome and state in ("done", "failed") else "",
    }


def lines(document: dict[str, Any]) -> Iterator[str]:
    """`status_of` for a terminal."""
    yield f"queue: running, process {document['queue']}" if document["queue"] else "queue: stopped"
    for row in document["trainings"]:
        yield "  ".join([f"{row['state']:<8}{row['name']:<24}", *_facts(row)]).rstrip()
    sums = document["hours"]
    yield (
        f"hours: at hand {sums['at_hand']:.2f}, queue up {sums['up']:.2f}, trained {sums['trained']:.2f} "
        f"({sums['share']:.0%} of those at hand), lost to stops and kills {sums['lost']:.2f}"
    )


def _facts(row: dict[str, Any]) -> Iterator[str]:
    if row["epochs"]:
        yield f"{row['epochs_done']} of {row['epochs']} epochs"
    if row["accuracy"] is not None:
        yield f"best accuracy {row['accuracy']:.4f}"
    if row["state"] == "running" and row["hours_left"] is not None:
        yield f"{row['faces_per_second']:.0f} faces/s, about {row['hours_left']:.1f} h left"
    if row["waits_for"]:
        yield f"waits for {', '.join(row['waits_for'])}"
    if row["message"]:
        yield row["message"]
