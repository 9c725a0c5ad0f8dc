"""The run folder of a training (`mien.runs`): created, resumed, written."""

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.errors import ConfigError, TrainingError
from mien.files import made_folder, write_text
from mien.runs import ANSWERS_FILES, BEST_FILE, CHECKPOINT_FILE, CONFIG_FILE, LOG_FILE, counted_from_one, lines_in_log
from mien.toml_json import parse_toml, read_toml, to_toml
from mien.training.checkpoint import Progress, read_progress
from mien.training.config import TrainConfig, config_from_dict
from mien.training.data import TrainingData
from mien.training.precision import best_precision, require_precision
from mien.training.recipe import config_with

log: Final = logging.getLogger("mien")

_EXTENDABLE: Final = ("epochs", "early_stopping", "stop_on")
"""What may change when a run goes on: when it ends."""


def config_of_run(run: Path, settings: Sequence[str]) -> TrainConfig:
    """The configuration that a run goes on with: its own, with ``key=value`` settings over it.

    Raises:
        TrainingError: there is no run.
        ModelFileError: its checkpoint is damaged.
        ConfigError: a setting has an unknown key, a wrong type or a contradiction, or its configuration cannot be read.
    """
    checkpoint, file = run / CHECKPOINT_FILE, run / CONFIG_FILE
    if checkpoint.exists():
        return config_with(parse_toml(read_progress(checkpoint).config, str(checkpoint)), settings)
    if file.exists():  # killed before its first checkpoint
        return config_with(read_toml(file), settings)
    raise TrainingError(
        f"{run}: no run to go on with: begin one with --recipe, or with --from what is to be fine-tuned"
    )


def open_run(
    config: TrainConfig, data: TrainingData, run: Path, *, resume: bool, device: str
) -> tuple[TrainConfig, Progress]:
    """The configuration with its precision settled, and the progress of an earlier call or that of a new run.

    A run may go on with another end (``epochs``, ``early_stopping``); config.toml then says the new one. With more
    epochs, what follows their number (`mien.training.dependent`) stays as the run was begun, which is said. Precision
    "auto" is what the run was begun with, or what the device, "cpu", "cuda" or "mps", does best.

    Raises:
        TrainingError: the run exists and ``resume`` was not asked, or its checkpoint is gone; it was begun with another
            configuration or other data, the device lacks the precision that it was begun with, or the folder cannot be
            made.
        ModelFileError: its checkpoint is damaged.
    """
    checkpoint = run / CHECKPOINT_FILE
    if checkpoint.exists():
        if not resume:
            raise TrainingError(f"{run}: holds a run already; go on with --resume, or name a new folder")
        config, progress = _gone_on_with(config, data, run, read_progress(checkpoint))
        write_text(run / CONFIG_FILE, progress.config, TrainingError)
        require_precision(config.precision, device)
        return config, progress
    _refuse_to_overwrite(run, resume=resume)
    config = _settled(config, best_precision(device))
    progress = Progress(0, (), to_toml(config), data.identity())
    write_text(made_folder(run, TrainingError) / CONFIG_FILE, progress.config, TrainingError)
    return config, progress


def _refuse_to_overwrite(run: Path, *, resume: bool) -> None:
    """Refuse a folder without a checkpoint whose network or log a new training would overwrite.

    A training that was killed before its first checkpoint leaves an empty log, perhaps beside a network, and begins
    anew with ``resume``.
    """
    best, epochs = (run / BEST_FILE).exists(), lines_in_log(run)
    if epochs or (best and not (resume and (run / LOG_FILE).exists())):
        held = " and ".join(name for name, there in ((BEST_FILE, best), (LOG_FILE, epochs)) if there)
        raise TrainingError(
            f"{run}: holds {held} of a run already, and no {CHECKPOINT_FILE} to go on from: put that back and go on "
            "with --resume, or name a new folder"
        )


def _settled(config: TrainConfig, precision: Any) -> TrainConfig:
    return replace(config, precision=precision) if config.precision == "auto" else config


def _gone_on_with(
    config: TrainConfig, data: TrainingData, run: Path, progress: Progress
) -> tuple[TrainConfig, Progress]:
    begun = _begun_with(progress.config, run / CHECKPOINT_FILE)
    config = _settled(config, begun.precision)
    if config.epochs > begun.epochs or progress.extended_from:
        config = _with_followers_of(begun, config)
    extended = replace(begun, **{key: getattr(config, key) for key in _EXTENDABLE})
    before, now = to_toml(extended), to_toml(config)
    if before != now:
        raise TrainingError(
            f"{run}: was started with another configuration ({_first_difference(before, now)}): only "
            f"{', '.join(_EXTENDABLE)} may change when it goes on; leave out the --set, --recipe or --from that "
            "changes more, or name a new folder"
        )
    if progress.data != (identity := data.identity()):
        keys = {**progress.data, **identity}
        key = next(key for key in keys if progress.data.get(key) != identity.get(key))
        raise TrainingError(
            f"{run}: was started on other data ({key} {progress.data.get(key)!r} then, {identity.get(key)!r} now): "
            "expected the same data set and --drop-rows"
        )
    if config.epochs < progress.epochs_done:
        raise TrainingError(f"{run}: has {progress.epochs_done} epochs behind it: expected epochs of at least that")
    longer = (begun.epochs,) if config.epochs != begun.epochs else ()
    history = counted_from_one(progress.history)
    return config, replace(progress, config=now, history=history, extended_from=(*progress.extended_from, *longer))


def _with_followers_of(begun: TrainConfig, config: TrainConfig) -> TrainConfig:
    """A configuration of more epochs than a run was begun with, its early epochs as they were."""
    schedule = replace(config.schedule, warmup_epochs=begun.schedule.warmup_epochs)
    if (config.resolutions, config.schedule) == (begun.resolutions, schedule):
        return config
    log.info(
        "resolutions=%s and schedule.warmup_epochs=%s stay as the run was begun",
        [list(pair) for pair in begun.resolutions],
        begun.schedule.warmup_epochs,
    )
    return replace(config, resolutions=begun.resolutions, schedule=schedule)


def _begun_with(config: str, checkpoint: Path) -> TrainConfig:
    """The configuration of a checkpoint; keys younger than it get their defaults, which change nothing."""
    try:
        begun = config_from_dict(parse_toml(config))
    except ConfigError as error:
        raise TrainingError(f"{checkpoint}: its configuration cannot be read ({error}); train anew") from None
    if begun.precision == "auto":
        raise TrainingError(f"{checkpoint}: its configuration does not name the precision; train anew")
    return begun


def _first_difference(before: str, now: str) -> str:
    lines = zip(before.splitlines(), now.splitlines(), strict=False)
    return next((f"{old!r} then, {new!r} now" for old, new in lines if old != new), "more or fewer keys")


def save_answers(run: Path, usage: str, predictions: NDArray[Any], data: TrainingData, rows: NDArray[np.intp]) -> None:
    """What the chosen network answers to each face of a usage, so that runs can be compared face by face."""
    answers = {
        "labels": data.store.labels[rows].tolist(),
        "predictions": predictions.tolist(),
        "rows": rows.tolist(),
        "source": data.store.meta.source,
        "source_sha256": data.store.meta.source_sha256,
        **({} if data.store.groups is None else {"groups": data.store.groups[rows].tolist()}),
    }
    write_text(run / ANSWERS_FILES[usage], json.dumps(answers), TrainingError)
