"""Fine-tuning: what of a configuration follows from the parent that it starts from, and from the data set."""

import json
import logging
from collections.abc import Iterator, Sequence
from typing import Final

from mien.data.store import FaceStore
from mien.model.card import ModelCard
from mien.networks.saved import read_card
from mien.training.config import TrainConfig
from mien.training.distillation import trainable
from mien.training.recipe import load_config

TUNING_RECIPE: Final = "tune"
"""What a training from a parent takes unless another recipe is named."""

_FOLDS: Final = 5
"""A fifth of the Training rows is held out where no PublicTest rows choose the epoch."""

log: Final = logging.getLogger("mien")


def tuning_config(parent: str, store: FaceStore, recipe: str | None, settings: Sequence[str]) -> TrainConfig:
    """The configuration of a training that starts from a parent.

    The parent's network and preprocessing replace those of the recipe. Of the recipe for fine-tuning the rows that
    choose the epoch are PublicTest's, or where the data set has none a fifth of Training, groups kept together.

    Args:
        parent: an embedded model, a run folder or a safetensors file of `mien train`.
        store: the data set.
        recipe: another recipe, by name or path.
        settings: ``key=value`` that override all else.

    Raises:
        ModelFileError: the parent is missing, damaged, or has no weights to train from.
        ConfigError: see `load_config`.
    """
    card = read_card(trainable(parent))
    overrides = [*_of_parent(parent, card), *(_of_rows(store) if recipe is None else ())]
    config = load_config(recipe or TUNING_RECIPE, [*overrides, *settings])
    if (store.side, store.channels) != (config.preprocess.frame_size, config.preprocess.channels):
        log.info(
            "faces are %d px%s; the parent's network sees them at %d px%s",
            store.side,
            _colour(store.channels),
            config.preprocess.frame_size,
            _colour(config.preprocess.channels),
        )
    return config


def _of_parent(parent: str, card: ModelCard) -> Iterator[str]:
    yield f"network={card.network}"
    yield f"initial_weights={json.dumps(parent, ensure_ascii=False)}"
    yield "resolutions=[]"
    for key, value in card.preprocess.to_dict().items():
        yield f"preprocess.{key}={json.dumps(value)}"


def _of_rows(store: FaceStore) -> Iterator[str]:
    if len(store.rows_of("PublicTest")):
        return
    yield f"split={'stratified_folds' if store.groups is None else 'grouped_folds'}"
    yield f"folds={_FOLDS}"
    yield "select_on=held_out"


def _colour(channels: int) -> str:
    return ", grey" if channels == 1 else ", in colour"
