"""The model card that a training writes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from torch import nn

from mien.choices import FOLD_SPLITS
from mien.data.splits import groups_sha256
from mien.model.card import NOT_STATED, ModelCard
from mien.networks.profile import count_macs, count_parameters
from mien.training.augment_config import AugmentConfig
from mien.training.config import TrainConfig
from mien.training.data import TrainingData
from mien.version import __version__

_FAMILIES: Final = {
    "noise": ("noise",),
    "shot_noise": ("shot_noise",),
    "blur": ("blur",),
    "motion_blur": ("motion_blur",),
    "jpeg": ("jpeg",),
    "low_resolution": ("low_resolution",),
    "gamma": ("gamma",),
    "brightness": ("brightness",),
    "contrast": ("contrast",),
    "occlusion": ("occlude", "erase"),
    "rotation": ("rotate",),
    "shift": ("shift",),
    "scale": ("scale",),
}
"""Kinds of corruption that a network has met in training, and the keys of ``[augment]`` that make them."""


def augment_families(config: AugmentConfig) -> list[str]:
    """The kinds of corruption that a training shows its network, in the order of the table above."""
    return [family for family, keys in _FAMILIES.items() if any(_varies(config, key) for key in keys)]


def _varies(config: AugmentConfig, key: str) -> bool:
    return getattr(config, key) > 0 and getattr(config, f"{key}_probability", 1) > 0


def make_card(
    config: TrainConfig, data: TrainingData, network: nn.Module, parents: Mapping[str, Any], *, epoch: int
) -> ModelCard:
    """The card of a network as it stands after an epoch, not yet calibrated or measured.

    Args:
        config: the training, its precision settled.
        data: its rows.
        network: what was trained.
        parents: provenance of the networks it goes on from ("initial_weights") or learns from ("teachers"), and of the
            training itself: "machine", "seconds" of the epochs up to this one, "extended_from".
        epoch: number of the epoch, from 1.
    """
    return ModelCard(
        name=config.network,
        network=config.network,
        parameters=count_parameters(network),
        macs=count_macs(network, config.preprocess.input_size, config.preprocess.channels),
        preprocess=replace(config.preprocess, face_size=data.store.side),
        labels=data.store.classes,
        training={
            **data.identity(),
            "seed": config.seed,
            "epochs": config.epochs,
            "best_epoch": epoch,
            "split": config.split,
            "split_seed": config.seed_of_split,
            **({"folds": config.folds, "fold": config.fold} if config.split in FOLD_SPLITS else {}),
            **({"groups_sha256": groups_sha256(data.store)} if config.split == "grouped_folds" else {}),
            "selected_on": config.select_on,
            "precision": config.precision,
            "augment_families": augment_families(config.augment),
            "targets": config.loss.targets,
            **({} if config.loss.targets == "fer2013" else {"fer2013_weight": config.loss.fer2013_weight}),
            **parents,
            "mien": __version__,
        },
        licence=config.licence or NOT_STATED,
    )
