"""Configuration of a training (hyperparameters): frozen dataclasses.

A recipe file (`mien.training.recipe`) holds the fields of `TrainConfig`; its sections are the nested dataclasses::

    network = "mien_s"
    epochs = 60
    [optimizer]
    learning_rate = 0.1

Fields left out keep their defaults; unknown keys, wrong types and contradictions are errors that name the key.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from mien.choices import FOLDS, Split
from mien.errors import ConfigError
from mien.preprocess import PreprocessSpec
from mien.toml_json import expected, from_values, in_range
from mien.training.augment_config import AugmentConfig

_WHOLE_LABELS: Final = ("fer2013", "ferplus_majority", "ferplus_strict_majority")
"""Targets that give each face one class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerConfig:
    """The optimizer.

    Args:
        name: "sgd", "adam", "adamw" (decoupled weight decay) or "rmsprop".
        learning_rate: at its peak.
        momentum: of SGD and RMSprop; the first beta of Adam and AdamW.
        nesterov: Nesterov momentum for SGD; without effect on the others.
        weight_decay: applied to convolution and linear weights, never to biases and normalisation.
        clip_norm: gradient clipping by global norm: the largest norm over all weights together; 0 is off.
        body_rate: multiplies the learning rate of all layers but the last, which answers: below 1 to keep what initial
            weights know; 0 trains the last layer alone.
        sam_radius: of sharpness-aware minimization, see `mien.training.sharpness` (rho there): each step follows the
            gradient that the loss has this far uphill; twice the cost; 0 is off.
    """

    name: Literal["sgd", "adam", "adamw", "rmsprop"] = "sgd"
    learning_rate: float = 0.1
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    clip_norm: float = 0.0
    body_rate: float = 1.0
    sam_radius: float = 0.0

    def __post_init__(self) -> None:
        in_range("optimizer.learning_rate", self.learning_rate, above=0)
        in_range("optimizer.momentum", self.momentum, low=0, below=1)
        in_range("optimizer.weight_decay", self.weight_decay, low=0)
        in_range("optimizer.clip_norm", self.clip_norm, low=0)
        in_range("optimizer.body_rate", self.body_rate, low=0, high=1)
        in_range("optimizer.sam_radius", self.sam_radius, low=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleConfig:
    """The learning rate schedule; ``warmup_epochs`` of linear warmup come first in each of them.

    Args:
        name: "constant"; "cosine" from the peak to ``final`` times the peak; "step", times ``factor`` every ``every``
            epochs; "multistep", times ``factor`` at each of ``milestones``; "plateau", times ``factor`` when the
            accuracy that chooses the epoch has not grown for more than ``patience`` epochs.
        warmup_epochs: epochs of linear warmup from 0 to the peak.
        final: share of the peak at the end of "cosine".
        factor: multiplies the rate at each decay of "step", "multistep" and "plateau".
        every: epochs between the decays of "step".
        milestones: epochs of the decays of "multistep", ascending.
        patience: epochs without a better accuracy that "plateau" tolerates.
    """

    name: Literal["cosine", "constant", "step", "multistep", "plateau"] = "cosine"
    warmup_epochs: float = 2.0
    final: float = 0.0
    factor: float = 0.1
    every: int = 10
    milestones: tuple[int, ...] = expected("whole numbers, for example [10, 20, 50]", default=())
    patience: int = 5

    def __post_init__(self) -> None:
        in_range("schedule.warmup_epochs", self.warmup_epochs, low=0)
        in_range("schedule.final", self.final, low=0, high=1)
        in_range("schedule.factor", self.factor, above=0, below=1)
        in_range("schedule.every", self.every, low=1)
        in_range("schedule.patience", self.patience, low=0)
        if list(self.milestones) != sorted({epoch for epoch in self.milestones if epoch > 0}):
            raise ConfigError(f"schedule.milestones are {list(self.milestones)}: expected ascending epochs from 1")
        if (self.name == "multistep") != bool(self.milestones):
            raise ConfigError("schedule.milestones and schedule.name = multistep belong together: set both or neither")


@dataclass(frozen=True, slots=True, kw_only=True)
class LossConfig:
    """The loss function.

    Args:
        name: "cross_entropy" on soft targets, or "focal" (Lin et al., arXiv 1708.02002), which takes whole labels
            only.
        gamma: focusing parameter of "focal": higher puts more weight on hard faces; 0 is cross-entropy.
        class_weights: "none", or "balanced": a face counts in inverse proportion to how many of its class there are.
        logit_adjustment: how much of the logarithm of each class's frequency is added to its logit in training, so that
            rare classes are learnt as if none were rare (Menon et al., arXiv 2007.07314); 1 is the whole, 0 is off.
        label_smoothing: share of the target spread evenly over the classes.
        mixup: alpha of the Beta distribution that blends pairs of faces (Zhang et al., arXiv 1710.09412); 0 is off.
        mixup_last_epochs: epochs at the end without mixup, so that the network finishes on real faces.
        targets: "fer2013", the labels of the data set; or what FER+'s votes say, see `mien.data.votes.vote_targets` and
            `mien.training.targets.label_posterior`. Smoothing and mixup act upon them.
        fer2013_weight: share of FER2013's label in FER+'s targets, 0..1; with 0, rows without such a target are left
            out of training, otherwise they have FER2013's label.
        teachers: run folders or safetensors files of networks to learn from, see `mien.training.distillation`.
        teacher_weight: share of the loss that the teachers' answers have, 0..1.
        teacher_temperature: divides the logits of teachers and pupil before they are compared.
        teacher_views: how many augmented views of each face the pupil trains on in turn, one an epoch; the teachers
            answer to each view once, see `mien.training.views`. 0 draws new views in each epoch, which the teachers
            answer in every step.
        teacher_answers: file that these answers are kept in, so that several pupils share them; "" keeps them in the
            run's folder.
    """

    name: Literal["cross_entropy", "focal"] = "cross_entropy"
    gamma: float = 2.0
    class_weights: Literal["none", "balanced"] = "none"
    logit_adjustment: float = 0.0
    label_smoothing: float = 0.1
    mixup: float = 0.2
    mixup_last_epochs: int = 0
    targets: Literal[
        "fer2013",
        "ferplus_majority",
        "ferplus_strict_majority",
        "ferplus_probability",
        "ferplus_thresholded",
        "ferplus_posterior",
    ] = "fer2013"
    fer2013_weight: float = 0.0
    teachers: tuple[str, ...] = expected('texts, for example ["runs/teacher"]', default=())
    teacher_weight: float = 0.5
    teacher_temperature: float = 1.0
    teacher_views: int = 0
    teacher_answers: str = ""

    def __post_init__(self) -> None:
        in_range("loss.gamma", self.gamma, low=0)
        in_range("loss.logit_adjustment", self.logit_adjustment, low=0, high=10)
        in_range("loss.label_smoothing", self.label_smoothing, low=0, below=1)
        in_range("loss.mixup", self.mixup, low=0)
        in_range("loss.mixup_last_epochs", self.mixup_last_epochs, low=0)
        in_range("loss.fer2013_weight", self.fer2013_weight, low=0, high=1)
        in_range("loss.teacher_weight", self.teacher_weight, low=0, high=1)
        in_range("loss.teacher_temperature", self.teacher_temperature, above=0)
        in_range("loss.teacher_views", self.teacher_views, low=0, high=1000)
        if self.teacher_views and not self.teachers:
            raise ConfigError(f"loss.teacher_views is {self.teacher_views} and loss.teachers names none: name some")
        if self.targets == "fer2013" and self.fer2013_weight:
            raise ConfigError(
                f"loss.fer2013_weight is {self.fer2013_weight} and loss.targets is fer2013, "
                "which has nothing to blend with: set it to 0, or loss.targets to one of FER+'s"
            )
        if self.name == "focal" and self.targets not in _WHOLE_LABELS:
            raise ConfigError(
                f"loss.targets is {self.targets} and loss.name is focal, which takes whole labels: "
                f"set it to one of {', '.join(_WHOLE_LABELS)}"
            )
        for key in ("label_smoothing", "mixup", "fer2013_weight"):
            if self.name == "focal" and getattr(self, key):
                raise ConfigError(
                    f"loss.{key} is {getattr(self, key)} and loss.name is focal, which takes whole labels: set it to 0"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """The configuration of one training.

    Args:
        network: a registered name.
        epochs: passes over the training rows.
        batch_size: faces per step, over all devices together.
        seed: of weights, order and augmentation.
        shuffle: whether each epoch draws a new order of the rows; without it they keep that of the data set, and the
            last ones, fewer than a batch, are never trained on.
        sampling: "uniform" trains on each row once an epoch; "balanced" draws as many rows with replacement, each class
            as likely as every other.
        licence: terms of the weights, as you state them: for the card. Must be stated where the data set has terms.
        initial_weights: run folder or safetensors file of `mien train`, or an embedded model that has one beside it, of
            the same network, whose weights the training starts from (fine-tuning, warm restarts); a class that it does
            not have starts from nothing. Or a file of `mien pretrained`: all layers but the last start from it. ""
            starts from random weights.
        precision: "bf16" computes convolutions in bfloat16 and keeps weights in float32; "fp16" does so in float16 and
            scales the loss (GPUs only); "fp32" does everything in float32; "auto" is the fastest of them that the
            device computes with itself, see `mien.training.precision`. A run states which one it was.
        ema_decay: per step, of the averaged weights that are evaluated and kept; 0 evaluates the plain weights.
        early_stopping: patience of early stopping: epochs without a better ``stop_on`` after which the training ends; 0
            is off.
        stop_on: what early stopping watches, of the rows that choose the epoch: "accuracy" or "validation_loss". The
            epoch that is kept is the one of the best accuracy all the same.
        split: validation split: "official" holds out no Training rows; for the others see
            `mien.data.splits.held_out_rows`.
        folds: how many folds "stratified_folds" and "grouped_folds" make.
        fold: which of them is held out, from 0.
        split_seed: seed of "stratified" and of folds; -1 takes ``seed``. Runs of several seeds are compared on the same
            rows only when they share it.
        select_on: model selection: accuracy on "PublicTest", or on the rows that ``split`` has "held_out"; or "last" to
            keep the last epoch.
        resolutions: progressive resizing: (first epoch, input side in pixels) in ascending order. Early epochs at a
            smaller side are cheaper; empty trains at the preprocessing's input size throughout. Only for networks that
            take any side.
        preprocess: how a face becomes the network's input.
    """

    network: str = expected('a registered name, for example network = "mien_s"')
    epochs: int = 60
    batch_size: int = 128
    seed: int = 0
    shuffle: bool = True
    sampling: Literal["uniform", "balanced"] = "uniform"
    licence: str = ""
    initial_weights: str = ""
    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    ema_decay: float = 0.999
    early_stopping: int = 0
    stop_on: Literal["accuracy", "validation_loss"] = "accuracy"
    split: Split = "official"
    split_seed: int = -1
    folds: int = FOLDS
    fold: int = 0
    select_on: Literal["PublicTest", "held_out", "last"] = "PublicTest"
    resolutions: tuple[tuple[int, int], ...] = expected(
        "pairs of whole numbers, for example [[0, 32], [20, 44]]", default=()
    )
    preprocess: PreprocessSpec = field(default_factory=PreprocessSpec)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    loss: LossConfig = field(default_factory=LossConfig)

    def __post_init__(self) -> None:
        in_range("epochs", self.epochs, low=1)
        in_range("batch_size", self.batch_size, low=2)
        in_range("seed", self.seed, low=0, high=2**63 - 1)
        in_range("split_seed", self.split_seed, low=-1, high=2**63 - 1)
        in_range("folds", self.folds, low=2, high=1000)
        in_range("fold", self.fold, low=0, high=self.folds - 1)
        in_range("ema_decay", self.ema_decay, low=0, below=1)
        in_range("early_stopping", self.early_stopping, low=0)
        if self.sampling == "balanced" and not self.shuffle:
            raise ConfigError("sampling is balanced, which draws rows by chance, and shuffle is false: set one of them")
        if self.select_on == "last" and (self.early_stopping or self.schedule.name == "plateau"):
            raise ConfigError("select_on is last: early_stopping and schedule.name = plateau need faces to judge by")
        if self.select_on == "held_out" and self.split == "official":
            raise ConfigError("select_on is held_out and split is official, which holds no rows out: set another split")
        if self.schedule.warmup_epochs > self.epochs:
            raise ConfigError(
                f"schedule.warmup_epochs is {self.schedule.warmup_epochs}: expected at most epochs, {self.epochs}"
            )
        starts = [epoch for epoch, _ in self.resolutions]
        if starts != sorted(set(starts)) or starts[:1] not in ([], [0]):
            raise ConfigError(f"resolutions start at epochs {starts}: expected ascending numbers from 0")
        for _, side in self.resolutions:
            in_range("resolutions", side, low=8)
        if starts and starts[-1] >= self.epochs:
            raise ConfigError(
                f"resolutions go to {self.resolutions[-1][1]} px at epoch {starts[-1]}, and epochs is {self.epochs}, "
                "so none would train at that side: set resolutions=[], or let them start earlier"
            )

    @property
    def seed_of_split(self) -> int:
        """The seed that draws the rows held out."""
        return self.seed if self.split_seed < 0 else self.split_seed

    def input_size_at(self, epoch: int) -> int:
        """Side in pixels of the faces that an epoch trains on."""
        started = [side for start, side in self.resolutions if start <= epoch]
        return started[-1] if started else self.preprocess.input_size


def config_from_dict(values: Mapping[str, Any]) -> TrainConfig:
    """The configuration in plain values, as TOML or JSON give them.

    Raises:
        ConfigError: an unknown or missing key, a wrong type or a contradiction.
    """
    return from_values(TrainConfig, values)
