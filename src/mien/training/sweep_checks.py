"""What is refused before a sweep's first run begins, rather than hours later."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.choices import FOLD_SPLITS
from mien.data.splits import read_row_list
from mien.data.store import FaceStore
from mien.errors import ConfigError, DataError, ModelFileError, TrainingError
from mien.networks.device import torch_device
from mien.training.checks import check_network
from mien.training.config import TrainConfig
from mien.training.data import TrainingData, rows_held_out
from mien.training.machine import check_machine
from mien.training.precision import require_precision
from mien.training.start import start_of
from mien.training.sweep import SweepRun


def check_comparable(runs: Sequence[SweepRun], store: FaceStore, folds: int = 0) -> None:
    """Refuse runs that could not be compared on this data set: without PublicTest all must hold out the same rows.

    Of a sweep over folds those of the same fold must.

    Raises:
        ConfigError: there would be no faces that all of them were measured on.
        DataError: a split that this data set does not allow.
    """
    if folds:
        for fold in range(folds):
            _check_same_rows([run for run in runs if run.config.fold == fold], store)
    elif not len(store.rows_of("PublicTest")):
        _check_same_rows(runs, store)


def check_trainable(
    runs: Sequence[SweepRun],
    store: FaceStore,
    drop_rows: str | Path | None = None,
    *,
    out: Path = Path(),
    device: str = "auto",
) -> None:
    """Refuse, before the first run begins, a run that the data set, its parents or the machine do not serve.

    Args:
        runs: of the sweep, in their order.
        store: the data set.
        drop_rows: file of row numbers to leave out, as the runs will.
        out: the sweep's folder: weights that an earlier run leaves there are not looked for yet.
        device: one of `mien.choices.TRAINING_DEVICES`.

    Raises:
        DataError, TrainingError: the split cannot be made; there are no rows to train or to choose the epoch on, a
            class that cannot be learned or judged, no votes, or no licence where the data set has terms; initial
            weights or teachers of another kind; a precision or batch that the device lacks. The run is named.
        ModelFileError: initial weights or a teacher are missing or damaged; the run is named.
        ConfigError: a network that does not take its faces; the run is named.
        UsageError: no such device.
    """
    device = torch_device(device)
    if drop_rows is not None:
        read_row_list(drop_rows, len(store))  # a fault of the file is none of the first run
    rows: dict[Any, TrainingData] = {}
    started: set[Any] = set()
    made: set[Path] = set()
    for run in runs:
        with _named(run):
            _check_data(run.config, _rows_of(run.config, store, drop_rows, rows))
            require_precision(run.config.precision, device)
            check_machine(run.config, device, 1)
            _check_start(_without_weights_of(run.config, made), store.classes, started)
        made.add((out / run.folder).absolute())


@contextmanager
def _named(run: SweepRun) -> Iterator[None]:
    try:
        yield
    except (ConfigError, DataError, ModelFileError, TrainingError) as error:
        raise type(error)(f"{run.folder}: {error}") from None


def _rows_of(
    config: TrainConfig, store: FaceStore, drop_rows: str | Path | None, known: dict[Any, TrainingData]
) -> TrainingData:
    """The rows of a training, from those of an earlier one that splits alike: finding copies takes a while."""
    key = config.split, config.seed_of_split, config.folds, config.fold
    if key not in known:
        known[key] = TrainingData.chosen(store, config, drop_rows)
    return known[key]


def _check_data(config: TrainConfig, data: TrainingData) -> None:
    data = data.with_targets(config.loss)
    data.check_rows()
    data.check_licence(config.licence)
    data.check_classes(config.select_on)


def _check_start(config: TrainConfig, classes: tuple[str, ...], known: set[Any]) -> None:
    """Make the start of a training, unless one was made that only its seed and its recipe set apart."""
    key = config.network, config.preprocess, config.resolutions, config.initial_weights, config.loss.teachers
    if key not in known:
        check_network(config, len(classes))
        if config.initial_weights or config.loss.teachers:
            start_of(config, classes)
        known.add(key)


def _without_weights_of(config: TrainConfig, made: set[Path]) -> TrainConfig:
    """The configuration without initial weights and teachers that runs before it will have trained, by their folder or
    a file in it.
    """

    def comes_first(name: str) -> bool:
        path = Path(name).absolute()
        return bool(name) and (path in made or path.parent in made)

    teachers = tuple(name for name in config.loss.teachers if not comes_first(name))
    weights = "" if comes_first(config.initial_weights) else config.initial_weights
    views = config.loss.teacher_views if teachers else 0
    return replace(config, initial_weights=weights, loss=replace(config.loss, teachers=teachers, teacher_views=views))


def _check_same_rows(runs: Sequence[SweepRun], store: FaceStore) -> None:
    held_out = [_rows_held_out(run, store) for run in runs]
    for run, rows in zip(runs, held_out, strict=True):
        if not np.array_equal(rows, held_out[0]):
            raise ConfigError(
                f"{runs[0].folder} and {run.folder} would hold out different rows and could not be compared: "
                "set one split, and split_seed=0, for all variants"
            )


def _rows_held_out(run: SweepRun, store: FaceStore) -> NDArray[np.intp]:
    config = run.config
    split = config.split if config.split in FOLD_SPLITS else "stratified"
    if config.split == "official" or (config.select_on == "PublicTest" and not len(store.rows_of("PublicTest"))):
        raise ConfigError(
            f"variants.{run.variant}: {store.meta.source} has no PublicTest rows to judge by: "
            f"set split={split}, split_seed=0 and select_on=held_out"
        )
    return rows_held_out(store, config)
