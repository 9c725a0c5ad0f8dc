"""Training data: the rows that a training uses, and their identity for provenance."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from mien.data.crossings import crossings
from mien.data.splits import held_out_rows, rows_sha256, training_rows
from mien.data.store import FaceStore
from mien.errors import TrainingError
from mien.labels import EMOTIONS, FEWEST_CLASSES, KNOWN_SETS
from mien.training.config import LossConfig, TrainConfig
from mien.training.targets import have_target

log: Final = logging.getLogger("mien")


def rows_held_out(store: FaceStore, config: TrainConfig) -> NDArray[np.intp]:
    """The Training rows that a configuration holds out, see `held_out_rows`."""
    return held_out_rows(store, config.split, config.seed_of_split, folds=config.folds, fold=config.fold)


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The rows a training uses.

    Args:
        store: the data set.
        rows: row numbers to train on.
        held_out: Training rows set aside for choosing the epoch, see `mien.data.splits.held_out_rows`.
        dropped: rows of Training left out, counted by reason; part of the model's provenance.
        votes_sha256: hash of FER+'s votes for the rows, None where they are not trained on.
    """

    store: FaceStore
    rows: NDArray[np.intp]
    dropped: Mapping[str, int] = field(default_factory=dict)
    held_out: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    votes_sha256: str | None = None

    @classmethod
    def prepared(cls, store: FaceStore, config: TrainConfig, drop_rows: str | Path | None = None) -> Self:
        """The rows of a data set that a configuration trains on: `mien train` from Python begins here.

        What crosses the split (`mien.data.crossings`) is said on the logger.

        Args:
            store: the data set.
            config: ``split``, ``folds``, ``fold``, ``split_seed`` and ``seed`` say which Training rows are held out.
            drop_rows: file of row numbers to leave out, one per line.

        Raises:
            DataError: the file is malformed, or no row is left to train on.
        """
        data = cls.chosen(store, config, drop_rows)
        for crossing in crossings(store, data.rows, data.held_out):
            log.warning("%s", crossing)
        return data

    @classmethod
    def chosen(cls, store: FaceStore, config: TrainConfig, drop_rows: str | Path | None = None) -> Self:
        """The same rows, without a look at what crosses the split; arguments and errors as of `prepared`."""
        held_out = rows_held_out(store, config)
        rows = training_rows(store, drop_rows, held_out)
        return cls(store, rows.rows, rows.dropped, held_out)

    def with_targets(self, loss: LossConfig) -> "TrainingData":
        """Only the rows that have a target (`mien.training.targets`); the others are counted as dropped.

        Raises:
            TrainingError: FER+'s targets are asked for, and the data set holds no votes.
        """
        if loss.targets == "fer2013":
            return self
        kept = have_target(self.store, self.rows, loss)
        without = {} if kept.all() else {f"without a {loss.targets} target": int((~kept).sum())}
        assert self.store.votes is not None
        votes = hashlib.sha256(self.store.votes[self.rows[kept]].tobytes()).hexdigest()
        return replace(self, rows=self.rows[kept], dropped={**self.dropped, **without}, votes_sha256=votes)

    def check_rows(self) -> None:
        """Refuse to train on nothing.

        Raises:
            TrainingError: no rows are left.
        """
        if not len(self.rows):
            raise TrainingError(
                f"the data have no Training rows that may be used (left out: {dict(self.dropped) or 'none'}); "
                "import data that have them"
            )

    def check_licence(self, licence: str) -> None:
        """Refuse weights without a stated licence where the data set's owners have terms of their own.

        Raises:
            TrainingError: the data set has terms, and no licence was stated.
        """
        if self.store.meta.terms and not licence.strip():
            raise TrainingError(
                f"data set of {self.store.meta.source}: its owners' terms are {self.store.meta.terms!r}: state the "
                "licence of the weights that they leave you, for example --set 'licence=non-commercial research only'"
            )

    def selection_rows(self, select_on: str) -> NDArray[np.intp]:
        """Rows that choose the epoch, none for "last".

        Raises:
            TrainingError: the data have no such rows.
        """
        if select_on == "last":
            return self.rows[:0]
        rows = self.held_out if select_on == "held_out" else self.store.rows_of(select_on)
        if not len(rows):
            raise TrainingError(
                f"the data have no {select_on} rows to choose the epoch on; set select_on=last, "
                "or split=stratified and select_on=held_out, or import data that have them"
            )
        return rows

    def check_classes(self, select_on: str) -> None:
        """Refuse rows from which the classes of the data set cannot be learned or judged.

        Of FER2013's and FER+'s classes some may be missing, since data sets of some of them are common; one is named on
        the logger where it is judged and not trained on.

        Raises:
            TrainingError: as said; all such classes are named.
        """
        classes, trained = self.store.classes, np.unique(self.store.labels[self.rows])
        judged = np.unique(self.store.labels[self.selection_rows(select_on)])
        unknown = [classes[number] for number in np.setdiff1d(judged, trained)]
        if len(trained) < FEWEST_CLASSES:
            raise TrainingError(
                f"all Training rows that may be used show {classes[trained[0]]}: expected at least {FEWEST_CLASSES} "
                f"of {', '.join(classes)}; add pictures of others"
            )
        if classes in KNOWN_SETS:
            if unknown:
                log.warning("no Training row shows %s, which the network is judged on", ", ".join(unknown))
            return
        if unknown := unknown or [name for number, name in enumerate(classes) if number not in trained]:
            raise TrainingError(
                f"no Training row that may be used shows {', '.join(unknown)}: expected some of each of "
                f"{', '.join(classes)}; add pictures, or leave the class out where they are imported: "
                f"--map {unknown[0]}=skip"
            )
        if len(judged) and (unjudged := [classes[number] for number in np.setdiff1d(trained, judged)]):
            held_out = select_on == "held_out"
            mend = "fewer folds, another fold" if held_out else "select_on=held_out"
            raise TrainingError(
                f"no {select_on} row shows {', '.join(unjudged)}: expected some of each of {', '.join(classes)} to "
                f"choose the epoch on; set split=stratified_folds and {mend}, or add pictures"
            )

    def identity(self) -> dict[str, Any]:
        """What goes into checkpoints and cards: source, its hash, the rows used, their hash, rows dropped by reason,
        and the hash of FER+'s votes if they are trained on.
        """
        meta = self.store.meta
        return {
            "source": meta.source,
            "source_sha256": meta.source_sha256,
            "rows": len(self.rows),
            "rows_sha256": rows_sha256(self.rows),
            "dropped": dict(self.dropped),
            **({} if self.store.classes == EMOTIONS else {"classes": list(self.store.classes)}),
            **({"votes_sha256": self.votes_sha256} if self.votes_sha256 else {}),
        }
