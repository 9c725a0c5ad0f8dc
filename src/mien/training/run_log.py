"""The curves of a training as files of its run: log.jsonl, log.csv, and TensorBoard's."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from mien.errors import TrainingError
from mien.files import write_text, writing
from mien.runs import BOARD_FOLDER, LOG_COLUMNS, LOG_FILE, LOG_TABLE_FILE
from mien.toml_json import dotted
from mien.training.config import TrainConfig
from mien.training.data import TrainingData
from mien.training.preview import augmented

SAMPLES: Final = 16
"""Training faces on TensorBoard's sheet of augmented samples."""

_NOT_SCALARS: Final = ("epoch", "best")
_JUDGED: Final = ("accuracy", "macro_f1", "validation_loss")
"""What TensorBoard's table of hyper-parameters shows of each run."""


class RunLog:
    """Writes what each epoch measured into a run's folder.

    Args:
        config: the training.
        data: its rows.
        run: its folder.
        history: the entries of the epochs behind it; what the files hold beyond them is removed.

    Raises:
        TrainingError: a file cannot be written.
    """

    def __init__(
        self, config: TrainConfig, data: TrainingData, run: Path, history: Sequence[Mapping[str, Any]]
    ) -> None:
        self._run = run
        write_text(run / LOG_FILE, "".join(json.dumps(entry) + "\n" for entry in history), TrainingError)
        write_text(run / LOG_TABLE_FILE, _csv_lines(["epoch", *LOG_COLUMNS]) + _csv_rows(history), TrainingError)
        self._board = SummaryWriter(str(run / BOARD_FOLDER), purge_step=len(history) + 1)
        self._add_settings(config)
        samples = _samples(config, data)
        samples = samples[..., None] if samples.ndim == 3 else samples
        self._board.add_images("augmented samples", samples, len(history) + 1, dataformats="NHWC")

    def _add_settings(self, config: TrainConfig) -> None:
        """The configuration for TensorBoard's table of hyper-parameters; torch types neither call."""
        board: Any = self._board
        summarised: Any = hparams
        for summary in summarised(_hyper_parameters(config), dict.fromkeys(_JUDGED)):
            board.file_writer.add_summary(summary)

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(self, *_error: object) -> None:
        self._board.close()

    def add(self, entry: Mapping[str, Any]) -> None:
        """One more epoch.

        Raises:
            TrainingError: a file cannot be written.
        """
        _append(self._run / LOG_FILE, json.dumps(entry) + "\n")
        _append(self._run / LOG_TABLE_FILE, _csv_rows([entry]))
        for name, value in entry.items():
            if name not in _NOT_SCALARS:
                self._board.add_scalar(name, value, entry["epoch"])


def _append(path: Path, text: str) -> None:
    with writing(path, TrainingError), path.open("a", encoding="utf-8", newline="") as file:
        file.write(text)


def _csv_rows(entries: Sequence[Mapping[str, Any]]) -> str:
    return "".join(_csv_lines([entry.get(name, "") for name in ("epoch", *LOG_COLUMNS)]) for entry in entries)


def _csv_lines(values: Sequence[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()


def _hyper_parameters(config: TrainConfig) -> dict[str, Any]:
    """A configuration as TensorBoard takes it: dotted names, and lists as text."""
    values = dotted(asdict(config))
    return {name: value if isinstance(value, bool | int | float | str) else str(value) for name, value in values}


def _samples(config: TrainConfig, data: TrainingData) -> NDArray[np.uint8]:
    """Training faces as the network of the last epoch sees them, uint8 (N, S, S) or (N, S, S, 3)."""
    rows = data.rows[np.linspace(0, len(data.rows) - 1, SAMPLES).astype(np.intp)]
    return augmented(data.store.faces[rows], config, config.seed)
