"""The run folder of a training: names of its files, and reading them without torch.

::

    config.toml        the configuration, whole
    log.jsonl          one line per epoch, see `LOG_COLUMNS`
    log.csv            the same as a table
    curves.png         training against validation, drawn by `mien train`
    last.safetensors   the state after a whole epoch, from which the training goes on
    best.safetensors   the chosen network with its card, calibrated
    public_test.json   labels of PublicTest, and what the chosen network answers to each of its faces
    held_out.json      the same for the Training rows that the split held out, with their row numbers
    tensorboard/       the same curves for TensorBoard
    .lock              held while a training is in the folder: the number of its process

`mien.training.run_folder` writes it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mien.choices import HELD_OUT
from mien.errors import ConfigError, DataError, ModelFileError
from mien.toml_json import parse_json, read_toml

CONFIG_FILE: Final = "config.toml"
LOG_FILE: Final = "log.jsonl"
LOG_TABLE_FILE: Final = "log.csv"
CURVES_FILE: Final = "curves.png"
CHECKPOINT_FILE: Final = "last.safetensors"
BEST_FILE: Final = "best.safetensors"
ANSWERS_FILES: Final = {"PublicTest": "public_test.json", HELD_OUT: "held_out.json"}
"""What the chosen network answers, by the rows; the first that all runs have is what they are compared on."""

LOCK_FILE: Final = ".lock"
BOARD_FOLDER: Final = "tensorboard"
TEACHER_ANSWERS_FILE: Final = "teacher_answers.safetensors"
"""What teachers answer to a fixed set of views, unless the recipe names another file; see `mien.training.views`."""

LOG_COLUMNS: Final = (
    "loss", "training_loss", "training_accuracy", "validation_loss", "accuracy", "macro_f1", "balanced_accuracy",
    "learning_rate", "input_size", "faces_per_second", "seconds", "measuring_seconds", "best",
)  # fmt: skip
"""What the log says of an epoch besides its number, from 1.

``loss`` is the mean of what the steps minimised: augmented faces, label smoothing, mixup and teachers included. All
other losses are cross-entropy in nats, measured after the epoch like the accuracies: averaged weights, evaluation mode,
faces without augmentation. ``training_*`` are of a fixed sample of the training rows, ``validation_loss``,
``accuracy``, ``macro_f1`` and ``balanced_accuracy`` of the rows that choose the epoch; absent where there are none.
``seconds`` are those of the steps, ``measuring_seconds`` those of measuring.
"""


@dataclass(frozen=True, slots=True)
class RunFiles:
    """What a run's folder tells.

    Args:
        config: its configuration, plain values.
        history: entries of its log, one per epoch, at least one.
        answers: what it answers, by usage (`ANSWERS_FILES`), at least one: ``labels`` and ``predictions``, class
            numbers; runs of today add ``rows``, ``source`` (the data set's name) and ``source_sha256``, and
            ``groups`` where the data set has them.
    """

    config: dict[str, Any]
    history: tuple[dict[str, Any], ...]
    answers: dict[str, dict[str, Any]]


def read_run_files(folder: Path) -> RunFiles:
    """What is in the folder of a run that was measured.

    Raises:
        DataError: no run there, a damaged one, or one without a finished epoch or without answers.
    """
    try:
        config = read_toml(folder / CONFIG_FILE)
        history = read_log(folder)
        answers = {
            usage: parse_json((folder / name).read_text(encoding="utf-8"))
            for usage, name in ANSWERS_FILES.items()
            if (folder / name).exists()
        }
    except FileNotFoundError as error:
        raise DataError(f"{folder}: no {Path(error.filename).name}; expected a run of `mien train`") from None
    except (OSError, ValueError, ConfigError) as error:
        raise DataError(f"{folder}: damaged run ({error})") from None
    if not history:
        raise DataError(f"{folder}: no epoch in {LOG_FILE}; go on with `mien train --resume` until one is done")
    if not answers:
        files = " nor ".join(ANSWERS_FILES.values())
        raise DataError(f"{folder}: no {files}; expected a run that knows PublicTest or held rows out")
    return RunFiles(config, history, answers)


def read_log(folder: Path) -> tuple[dict[str, Any], ...]:
    """The entries of a run's log, one per epoch.

    Raises:
        OSError: there is none.
        ValueError: a line is not JSON.
    """
    lines = (folder / LOG_FILE).read_text(encoding="utf-8").splitlines()
    return counted_from_one([json.loads(line) for line in lines])


def lines_in_log(folder: Path) -> int:
    """How many epochs a run's log has; 0 where there is none."""
    file = folder / LOG_FILE
    return len(file.read_text(encoding="utf-8", errors="replace").splitlines()) if file.is_file() else 0


def counted_from_one(history: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Entries of a log with their epochs counted from 1; runs made before mien did so count from 0."""
    shift = 1 if history and history[0].get("epoch") == 0 else 0
    return tuple({**entry, "epoch": entry["epoch"] + shift} if shift else entry for entry in history)


def network_file(path: str | Path) -> Path:
    """The file of a network that is named by its run folder or by itself.

    Raises:
        ModelFileError: a folder without a network.
    """
    file = Path(path)
    if not file.is_dir():
        return file
    if not (file / BEST_FILE).exists():
        raise ModelFileError(
            f"{path}: a folder without {BEST_FILE}; expected a run of `mien train` with at least one epoch done"
        )
    return file / BEST_FILE
