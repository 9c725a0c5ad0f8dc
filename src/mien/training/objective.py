"""The training objective of a batch: label smoothing, mixup, loss function, distillation."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from mien.training.augment import augment, spoil
from mien.training.config import TrainConfig
from mien.training.distillation import Teachers, distillation_loss
from mien.training.losses import balanced_weights, focal_loss, log_priors, mixup, smooth, soft_cross_entropy
from mien.training.views import TaughtViews

Network = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Batch:
    """What a step learns from.

    Args:
        inputs: network input, float32 (B, C, S, S), in channels-last order.
        targets: target distributions, float32 (B, classes).
        taught: what teachers answer to the inputs, float32 (B, classes); None without teachers.
    """

    inputs: Tensor
    targets: Tensor
    taught: Tensor | None


class Objective:
    """What a training minimises, for the rows of a step.

    Args:
        config: the training.
        frames: training faces, uint8 (N, F, F), on the training's device.
        targets: their target distributions, float32 (N, classes), likewise.
        teachers: who are asked in every step, or have answered ``views``.
        views: the fixed views of the faces, None to draw new ones in each epoch.
        autocast: the precision that teachers compute in.
    """

    def __init__(
        self,
        config: TrainConfig,
        frames: Tensor,
        targets: Tensor,
        *,
        teachers: Teachers,
        views: TaughtViews | None,
        autocast: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._config, self._frames, self._targets = config, frames, targets
        self._teachers, self._views, self._autocast = teachers, views, autocast
        self._weights = balanced_weights(targets) if config.loss.class_weights == "balanced" else None
        strength = config.loss.logit_adjustment
        self._adjustment = strength * log_priors(targets) if strength else None
        self._epoch = 0
        self._view: tuple[Tensor, Tensor] | None = None

    def begin(self, epoch: int) -> None:
        """Get ready for the steps of an epoch; may seed torch's generators."""
        self._epoch = epoch
        if self._views is not None:
            self._view = self._views.of_epoch(epoch, self._config.input_size_at(epoch))

    def draw(self, rows: Tensor) -> Batch:
        """What a step learns from the faces at some of the training's rows, (B,): all that is random of it."""
        inputs, taught = self._faces(rows)
        targets = self._targets[rows]
        if self._config.loss.name != "focal":
            targets = smooth(targets, self._config.loss.label_smoothing)
            if self._mixes:
                inputs, targets, *rest = mixup(self._config.loss.mixup, *_present(inputs, targets, taught))
                taught = rest[0] if rest else None
        if taught is None and self._config.loss.teachers:
            with self._autocast():
                taught = self._teachers.probabilities(inputs, self._config.loss.teacher_temperature)
        return Batch(channels_last(inputs), targets, taught)

    def loss(self, network: Network, batch: Batch) -> Tensor:
        """The loss of a batch; a scalar."""
        config = self._config.loss
        logits = network(batch.inputs)
        adjusted = logits if self._adjustment is None else logits + self._adjustment
        if config.name == "focal":
            loss = focal_loss(adjusted, batch.targets.argmax(1), config.gamma, self._weights)
        else:
            loss = soft_cross_entropy(adjusted, batch.targets, self._weights)
        if batch.taught is None:
            return loss
        return torch.lerp(
            loss, distillation_loss(logits, batch.taught, config.teacher_temperature), config.teacher_weight
        )

    def _faces(self, rows: Tensor) -> tuple[Tensor, Tensor | None]:
        """Network input of some rows, and what teachers answered to it if they were asked before."""
        config = self._config
        if self._view is not None:
            clear, taught = self._view
            return spoil(clear[rows], config.augment, config.preprocess), taught[rows]
        side = config.input_size_at(self._epoch)
        return augment(self._frames[rows], config.augment, config.preprocess, side), None

    @property
    def _mixes(self) -> bool:
        loss = self._config.loss
        return loss.mixup > 0 and self._epoch < self._config.epochs - loss.mixup_last_epochs


def channels_last(inputs: Tensor) -> Tensor:
    """The inputs in the memory order that convolutions are fastest in."""
    return inputs.contiguous(memory_format=torch.channels_last)


def _present(*tensors: Tensor | None) -> list[Tensor]:
    return [tensor for tensor in tensors if tensor is not None]
