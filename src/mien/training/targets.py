"""What a network should answer to a training face: FER2013's label, FER+'s votes, or a blend of both."""

import numpy as np
from numpy.typing import NDArray

from mien.data.ferplus import FERPLUS_FILE, vote_targets
from mien.data.store import FaceStore
from mien.errors import TrainingError
from mien.labels import EMOTIONS
from mien.training.config import LossConfig


def training_targets(store: FaceStore, rows: NDArray[np.intp], config: LossConfig) -> NDArray[np.float32]:
    """Target distributions of some rows, float32 (N, 7), before smoothing and mixup.

    With FER+ a row's target is ``1 - fer2013_weight`` of what its votes say (`mien.data.ferplus.vote_targets`) and
    ``fer2013_weight`` of FER2013's label. A row that the votes give no target has FER2013's label, or is all zeros when
    ``fer2013_weight`` is 0: it cannot be trained on.

    Args:
        store: the data set.
        rows: row numbers in it, (N,).
        config: ``targets`` and ``fer2013_weight`` are read.

    Raises:
        TrainingError: FER+'s targets are asked for, and the data set holds no votes.
    """
    labels = np.eye(len(EMOTIONS), dtype=np.float32)[store.labels[rows]]
    if config.targets == "fer2013":
        return labels
    if store.votes is None:
        raise TrainingError(
            f"loss.targets is {config.targets}, and the data set of {store.meta.source} holds no FER+ votes: "
            f"import it again with `mien data import SRC OUT --ferplus {FERPLUS_FILE}`"
        )
    voted = vote_targets(store.votes[rows], config.targets.removeprefix("ferplus_"))
    if not config.fer2013_weight:
        return voted
    has_votes = voted.any(axis=1, keepdims=True)
    return np.where(has_votes, voted + np.float32(config.fer2013_weight) * (labels - voted), labels)
