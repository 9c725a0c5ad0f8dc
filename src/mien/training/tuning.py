"""Fine-tuning: what of a configuration follows from the parent that it starts from, and from the data set."""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.data.store import FaceStore
from mien.networks.backbone import read_backbone_card
from mien.networks.registry import network_entry
from mien.networks.saved import read_card
from mien.preprocess import PreprocessSpec
from mien.runs import network_file
from mien.training.config import TrainConfig
from mien.training.distillation import trainable
from mien.training.recipe import config_to_train

TUNING_RECIPE: Final = "tune"
"""What a training from a parent takes unless another recipe is named."""

_FOLDS: Final = 5
"""A fifth of the Training rows is held out where no PublicTest rows choose the epoch."""

log: Final = logging.getLogger("mien")


def tuning_config(parent: str, store: FaceStore, recipe: str | None, settings: Sequence[str]) -> TrainConfig:
    """The configuration of a training that starts from a parent.

    The parent's network and preprocessing replace those of the recipe; a pretrained backbone has the preprocessing that
    its network is registered with, in colour where the data set is. Of the recipe for fine-tuning the rows that choose
    the epoch are PublicTest's, or where the data set has none a fifth of Training, groups kept together; of fewer than
    five groups the part of one.

    Args:
        parent: an embedded model, a run folder, or a safetensors file of `mien train` or `mien pretrained`.
        store: the data set.
        recipe: another recipe, by name or path.
        settings: ``key=value`` that override all else.

    Raises:
        ModelFileError: the parent is missing, damaged, or has no weights to train from.
        ConfigError: see `config_to_train`.
    """
    overrides = [*_of_parent(parent, store), *(_of_rows(store) if recipe is None else ())]
    config = config_to_train(recipe or TUNING_RECIPE, [*overrides, *settings])
    if (store.side, store.channels) != (config.preprocess.frame_size, config.preprocess.channels):
        log.info(
            "faces are %d px%s; the parent's network sees them at %d px%s",
            store.side,
            _colour(store.channels),
            config.preprocess.frame_size,
            _colour(config.preprocess.channels),
        )
    return config


def _of_parent(parent: str, store: FaceStore) -> Iterator[str]:
    network, preprocess = _seen_by(network_file(trainable(parent)), store)
    yield f"network={network}"
    yield f"initial_weights={json.dumps(parent, ensure_ascii=False)}"
    yield "resolutions=[]"
    for key, value in preprocess.to_dict().items():
        yield f"preprocess.{key}={json.dumps(value)}"


def _seen_by(file: Path, store: FaceStore) -> tuple[str, PreprocessSpec]:
    """The parent's network, and how it sees faces."""
    if (backbone := read_backbone_card(file)) is None:
        card = read_card(file)
        return card.network, card.preprocess
    spec = network_entry(backbone.network).preprocess
    return backbone.network, replace(spec, channels=3 if store.channels == 3 else 1)


def _of_rows(store: FaceStore) -> Iterator[str]:
    if len(store.rows_of("PublicTest")):
        return
    yield f"split={'stratified_folds' if store.groups is None else 'grouped_folds'}"
    yield f"folds={_FOLDS if store.groups is None else _folds(store.groups[store.rows_of('Training')])}"
    yield "select_on=held_out"


def _folds(groups: NDArray[np.str_]) -> int:
    """As many as there are groups to hold out, at most `_FOLDS`; one group, which no split keeps whole, is refused
    later.
    """
    return max(2, min(_FOLDS, len(np.unique(groups))))


def _colour(channels: int) -> str:
    return ", grey" if channels == 1 else ", in colour"
