"""Training targets (hard or soft labels): FER2013's label, FER+'s votes, or a blend of both."""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from mien.data.store import FaceStore
from mien.data.votes import FERPLUS_FILE, vote_targets
from mien.errors import TrainingError
from mien.labels import EMOTIONS
from mien.training.config import LossConfig

_PENALTY: Final = 1e-4
"""L2 regularisation (weight of the squared coefficients beside the mean loss); keeps those without votes at zero."""


def training_targets(store: FaceStore, rows: NDArray[np.intp], config: LossConfig) -> NDArray[np.float32]:
    """Target distributions of some rows, float32 (N, classes), before smoothing and mixup.

    With FER+ a row's target is ``1 - fer2013_weight`` of what its votes say (`mien.data.votes.vote_targets`, or
    `label_posterior`, fitted to these very rows) and ``fer2013_weight`` of FER2013's label. A row that the votes give
    no target has FER2013's label, or is all zeros when ``fer2013_weight`` is 0: it cannot be trained on.

    Args:
        store: the data set.
        rows: row numbers in it, (N,), those of the training.
        config: ``targets`` and ``fer2013_weight`` are read.

    Raises:
        TrainingError: FER+'s targets are asked for, and the data set holds no votes.
    """
    classes = len(store.classes)
    labels = np.eye(classes, dtype=np.float32)[store.labels[rows]]
    if config.targets == "fer2013":
        return labels
    votes = _votes(store, rows, config)
    if config.targets == "ferplus_posterior":
        voted = label_posterior(votes, store.labels[rows])
    else:
        voted = vote_targets(votes, config.targets.removeprefix("ferplus_"), classes)
    if not config.fer2013_weight:
        return voted
    has_votes = voted.any(axis=1, keepdims=True)
    return np.where(has_votes, voted + np.float32(config.fer2013_weight) * (labels - voted), labels)


def have_target(store: FaceStore, rows: NDArray[np.intp], config: LossConfig) -> NDArray[np.bool_]:
    """Which rows `training_targets` gives something to learn, (N,), without fitting anything.

    Raises:
        TrainingError: as `training_targets`.
    """
    everyone = np.ones(len(rows), np.bool_)
    if config.targets == "fer2013":
        return everyone
    votes = _votes(store, rows, config)
    if config.fer2013_weight or config.targets == "ferplus_posterior":
        return everyone
    return np.asarray(vote_targets(votes, config.targets.removeprefix("ferplus_"), len(store.classes)).any(axis=1))


def _votes(store: FaceStore, rows: NDArray[np.intp], config: LossConfig) -> NDArray[np.uint8]:
    if store.votes is None:
        raise TrainingError(
            f"loss.targets is {config.targets}, and the data set of {store.meta.source} holds no FER+ votes: "
            f"import it again with `mien data import SRC OUT --ferplus {FERPLUS_FILE}`"
        )
    if config.targets == "ferplus_posterior" and store.classes != EMOTIONS:
        raise TrainingError(
            f"loss.targets is {config.targets}, which is about FER2013's labels, and the data set of "
            f"{store.meta.source} has the classes {', '.join(store.classes)}: set it to ferplus_probability"
        )
    return store.votes[rows]


def label_posterior(votes: NDArray[np.uint8], labels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How probable each FER2013 label is for faces that ten people voted so about, float32 (N, 7).

    The votes' majority is FER2013's label for two faces in three only, and errs one way (faces labelled fear are mostly
    called surprise), so a network taught by the votes answers a question that FER2013 does not ask. What they say
    about the label follows by multinomial logistic regression: of the label, on shares and logarithms of the votes,
    over the same rows. Such a target has the labels' frequencies without the chance of the single label.

    Args:
        votes: uint8 (N, 10), columns as `mien.labels.VOTE_CLASSES`.
        labels: FER2013's class numbers, (N,).
    """
    counts = torch.from_numpy(votes.astype(np.float64))
    features = torch.cat([counts / 10, (counts + 0.5).log()], dim=1)
    wanted = torch.from_numpy(labels.astype(np.int64))
    weight = torch.zeros(features.shape[1], len(EMOTIONS), dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(len(EMOTIONS), dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS([weight, bias], max_iter=500, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        solver.zero_grad()
        value = F.cross_entropy(features @ weight + bias, wanted) + _PENALTY * weight.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    solver.step(loss)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        posterior: NDArray[np.float32] = F.softmax(features @ weight + bias, dim=1).float().numpy()
    return posterior
