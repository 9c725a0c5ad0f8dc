"""The training loop.

The data set lies on the device as one uint8 tensor and is varied there in batches. Every random draw of an epoch
follows from the seed and the epoch's number, so a training that was killed and resumed after any epoch ends with the
same weights, bit for bit on a CPU.

A run is a folder::

    config.toml        the configuration, whole
    log.jsonl          one line per epoch
    last.safetensors   the state after the last whole epoch
    best.safetensors   the chosen network with its card
    tensorboard/       the same curves for TensorBoard
"""

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import torch
from lightning.fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from mien import __version__
from mien.bundle import ModelCard, softmax
from mien.data.store import FaceStore
from mien.errors import TrainingError
from mien.evaluation.calibration import fit_temperature
from mien.evaluation.metrics import class_scores, confusion_matrix, expected_calibration_error
from mien.models.profile import count_macs, count_parameters
from mien.models.registry import network_entry
from mien.models.saved import BEST_FILE, load_network, save_network
from mien.training.augment import augment
from mien.training.averaging import WeightAverage
from mien.training.checkpoint import CHECKPOINT_FILE, Progress, read_progress, restore_checkpoint, save_checkpoint
from mien.training.config import OptimizerConfig, TrainConfig, config_to_toml
from mien.training.losses import mixup, soft_cross_entropy, soft_targets
from mien.training.schedules import learning_rate_factor

_PRECISION: Final = {"bf16": "bf16-mixed", "fp32": "32-true"}
_EVALUATION_BATCH: Final = 256


class Reporter(Protocol):
    """Who is told how a training goes."""

    def begin(self, config: TrainConfig, epochs_done: int, faces_per_epoch: int) -> None:
        """Called once, before the first epoch that is run."""

    def advance(self, epoch: int, faces: int) -> None:
        """Called after each step with the number of faces it took."""

    def epoch_done(self, entry: Mapping[str, Any]) -> None:
        """Called after each epoch with its entry of the log."""


class SilentReporter:
    """Tells nobody."""

    def begin(self, config: TrainConfig, epochs_done: int, faces_per_epoch: int) -> None:
        """Nothing."""

    def advance(self, epoch: int, faces: int) -> None:
        """Nothing."""

    def epoch_done(self, entry: Mapping[str, Any]) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The rows a training uses.

    Args:
        store: the data set.
        rows: row numbers to train on.
        dropped: rows of Training left out, counted by reason; part of the model's provenance.
    """

    store: FaceStore
    rows: NDArray[np.intp]
    dropped: Mapping[str, int] = field(default_factory=dict)

    def identity(self) -> dict[str, Any]:
        """What goes into checkpoints and cards: source, its hash, rows used and dropped."""
        meta = self.store.meta
        return {
            "source": meta.source,
            "source_sha256": meta.source_sha256,
            "rows": len(self.rows),
            "dropped": dict(self.dropped),
        }


def train(
    config: TrainConfig,
    data: TrainingData,
    run: Path,
    *,
    resume: bool = False,
    device: str = "auto",
    devices: int = 1,
    reporter: Reporter | None = None,
) -> ModelCard:
    """Train a network and keep the best epoch in a run folder.

    Args:
        config: what to do.
        data: on what.
        run: the run's folder; must not hold a run yet unless ``resume``.
        resume: go on where an earlier call stopped; a run that is finished is left as it is.
        device: "auto", "cpu" or "cuda".
        devices: processes, one per device (data parallel).
        reporter: told of every step and epoch.

    Returns:
        The card of the chosen network.

    Raises:
        TrainingError: the run exists and ``resume`` was not asked, or it was started with another configuration or
            other data, or the data cannot serve the configuration, or the loss is no number any more.
    """
    progress = _open_run(config, data, run, resume=resume)
    fabric = _launch(config, device, devices)
    trainer = _Trainer(config, data, run, fabric, reporter or SilentReporter())
    trainer.fit(progress)
    return _finish(config, data, run, fabric)


def _launch(config: TrainConfig, device: str, devices: int) -> Fabric:
    if device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("device is cuda, and this machine offers none; choose --device cpu or auto")
    logging.getLogger("lightning.pytorch").setLevel(
        logging.WARNING
    )  # it announces the precision that the recipe states
    precision: Any = _PRECISION[config.precision]
    fabric = Fabric(accelerator=device, devices=devices, precision=precision)
    fabric.launch()
    return fabric


def _open_run(config: TrainConfig, data: TrainingData, run: Path, *, resume: bool) -> Progress:
    """The progress of an earlier call, or that of a new run."""
    fresh = Progress(0, (), config_to_toml(config), data.identity())
    checkpoint = run / CHECKPOINT_FILE
    if not checkpoint.exists():
        run.mkdir(parents=True, exist_ok=True)
        (run / "config.toml").write_text(fresh.config, encoding="utf-8")
        return fresh
    if not resume:
        raise TrainingError(f"{run}: holds a run already; go on with --resume, or name a new folder")
    progress = read_progress(checkpoint)
    if progress.config != fresh.config:
        raise TrainingError(
            f"{run}: was started with another configuration ({_first_difference(progress.config, fresh.config)})"
        )
    if progress.data != fresh.data:
        raise TrainingError(f"{run}: was started on other data ({progress.data}); expected {fresh.data}")
    return progress


def _first_difference(before: str, now: str) -> str:
    lines = zip(before.splitlines(), now.splitlines(), strict=False)
    return next((f"{old!r} then, {new!r} now" for old, new in lines if old != new), "more or fewer keys")


class _Trainer:
    """One process of a training: network, optimizer and data on its device."""

    def __init__(self, config: TrainConfig, data: TrainingData, run: Path, fabric: Fabric, reporter: Reporter) -> None:
        self.config, self.data, self.run, self.fabric, self.reporter = config, data, run, fabric, reporter
        self.steps_per_epoch = max(1, len(data.rows) // config.batch_size)
        torch.manual_seed(config.seed)
        self.network = channels_last(network_entry(config.network).build())
        self.model, self.optimizer = fabric.setup(self.network, make_optimizer(self.network, config.optimizer))
        self.average = WeightAverage(self.network, config.ema_decay)
        self.faces = torch.from_numpy(data.store.faces[data.rows]).to(fabric.device)
        self.labels = torch.from_numpy(data.store.labels[data.rows]).long().to(fabric.device)
        self.selection = _selection_set(config, data.store, fabric.device)

    def fit(self, progress: Progress) -> None:
        if progress.epochs_done:
            progress = restore_checkpoint(self.run / CHECKPOINT_FILE, self.network, self.average.module, self.optimizer)
        self.reporter.begin(self.config, progress.epochs_done, self.steps_per_epoch * self.config.batch_size)
        if self.fabric.is_global_zero:
            _rewrite_log(self.run / "log.jsonl", progress.history)
        with SummaryWriter(str(self.run / "tensorboard"), purge_step=progress.epochs_done) as board:
            for epoch in range(progress.epochs_done, self.config.epochs):
                progress = self._epoch_with_checkpoint(epoch, progress, board)

    def _epoch_with_checkpoint(self, epoch: int, progress: Progress, board: SummaryWriter) -> Progress:
        started = time.perf_counter()
        loss = self._epoch(epoch)
        seconds = time.perf_counter() - started
        entry: dict[str, Any] = {
            "epoch": epoch,
            "loss": loss,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "input_size": self.config.input_size_at(epoch),
            "faces_per_second": round(self.steps_per_epoch * self.config.batch_size / seconds, 1),
            "seconds": round(seconds, 2),
        }
        if self.selection is not None:
            entry["accuracy"] = self.selection.accuracy(self.average.module)
        entry["best"] = self._is_best(entry, progress.history)
        progress = replace(progress, epochs_done=epoch + 1, history=(*progress.history, entry))
        if self.fabric.is_global_zero:
            self._keep(entry, progress, board)
        self.fabric.barrier()
        self.reporter.epoch_done(entry)
        return progress

    def _epoch(self, epoch: int) -> float:
        """One pass over the rows; the mean loss of its steps."""
        torch.manual_seed(_epoch_seed(self.config.seed, epoch))
        order = torch.randperm(len(self.faces)).to(self.fabric.device)
        if self.fabric.world_size > 1:
            torch.manual_seed(_epoch_seed(self.config.seed, epoch) + self.fabric.global_rank)
        self.model.train()
        total = torch.zeros((), device=self.fabric.device)
        for batch in range(self.steps_per_epoch):
            rows = order[batch * self.config.batch_size : (batch + 1) * self.config.batch_size]
            total += self._step(epoch, batch, rows[self.fabric.global_rank :: self.fabric.world_size])
            self.reporter.advance(epoch, len(rows))
        loss = float(self.fabric.all_reduce(total / self.steps_per_epoch))  # type: ignore[arg-type]
        if not np.isfinite(loss):
            raise TrainingError(
                f"the loss is {loss} in epoch {epoch}; lower optimizer.learning_rate or use precision fp32"
            )
        return loss

    def _step(self, epoch: int, batch: int, rows: Tensor) -> Tensor:
        step = epoch * self.steps_per_epoch + batch
        factor = learning_rate_factor(self.config.schedule, step, self.steps_per_epoch, self.config.epochs)
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.optimizer.learning_rate * factor
        inputs, targets = self._batch(epoch, rows)
        loss = soft_cross_entropy(self.model(inputs), targets)
        self.optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        self.optimizer.step()
        self.average.update(step)
        return loss.detach()

    def _batch(self, epoch: int, rows: Tensor) -> tuple[Tensor, Tensor]:
        config, size = self.config, self.config.input_size_at(epoch)
        inputs = augment(self.faces[rows], config.augment, config.preprocess, size)
        targets = soft_targets(self.labels[rows], config.loss.label_smoothing)
        if config.loss.mixup and epoch < config.epochs - config.loss.mixup_last_epochs:
            inputs, targets = mixup(inputs, targets, config.loss.mixup)
        return inputs.contiguous(memory_format=torch.channels_last), targets

    def _is_best(self, entry: Mapping[str, Any], history: tuple[dict[str, Any], ...]) -> bool:
        if self.selection is None:
            return bool(entry["epoch"] == self.config.epochs - 1)
        return all(entry["accuracy"] > earlier["accuracy"] for earlier in history)

    def _keep(self, entry: Mapping[str, Any], progress: Progress, board: SummaryWriter) -> None:
        if entry["best"]:
            card = make_card(self.config, self.data, self.average.module, epoch=entry["epoch"])
            save_network(self.run / BEST_FILE, self.average.module, card)
        save_checkpoint(self.run / CHECKPOINT_FILE, self.network, self.average.module, self.optimizer, progress)
        with (self.run / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")
        for name in ("loss", "learning_rate", "accuracy", "faces_per_second"):
            if name in entry:
                board.add_scalar(name, entry[name], entry["epoch"])


def channels_last(network: nn.Module) -> nn.Module:
    """The network with its convolution weights in the memory order that bf16 convolutions are fastest in;
    changed in place.
    """
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def make_optimizer(network: nn.Module, config: OptimizerConfig) -> torch.optim.Optimizer:
    """The optimizer of a configuration; biases and normalisation (one-dimensional parameters) are not decayed."""
    parameters = list(network.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if config.name == "adamw":
        return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(config.momentum, 0.999))
    return torch.optim.SGD(groups, lr=config.learning_rate, momentum=config.momentum, nesterov=config.momentum > 0)


def _epoch_seed(seed: int, epoch: int) -> int:
    """A seed for each epoch that no other pair of seed and epoch in use shares."""
    return int(np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0] >> np.uint64(1))


@dataclass(frozen=True, slots=True)
class _SelectionSet:
    inputs: Tensor
    labels: NDArray[np.uint8]

    def logits(self, network: nn.Module) -> NDArray[np.float32]:
        """Float32 logits (N, 7), without mixed precision: what a user of the exported file gets."""
        with torch.inference_mode():
            chunks = [network(chunk).float().cpu() for chunk in torch.split(self.inputs, _EVALUATION_BATCH)]
        return torch.cat(chunks).numpy()

    def accuracy(self, network: nn.Module) -> float:
        return float((self.logits(network).argmax(1) == self.labels).mean())


def _selection_set(config: TrainConfig, store: FaceStore, device: torch.device) -> _SelectionSet | None:
    if config.select_on == "last":
        return None
    rows = store.rows_of(config.select_on)
    if not len(rows):
        raise TrainingError(
            f"the data have no {config.select_on} rows to choose the epoch on; "
            "set select_on=last, or import data that have them"
        )
    inputs = torch.from_numpy(config.preprocess.apply(store.faces[rows])).to(device)
    return _SelectionSet(inputs.contiguous(memory_format=torch.channels_last), store.labels[rows])


def _rewrite_log(path: Path, history: tuple[dict[str, Any], ...]) -> None:
    """Make the log agree with the checkpoint: an epoch that was logged and then lost is run again."""
    path.write_text("".join(json.dumps(entry) + "\n" for entry in history), encoding="utf-8")


def make_card(config: TrainConfig, data: TrainingData, network: nn.Module, *, epoch: int) -> ModelCard:
    """The card of a network as it stands after an epoch, not yet calibrated or evaluated."""
    return ModelCard(
        name=config.network,
        network=config.network,
        parameters=count_parameters(network),
        macs=count_macs(network, config.preprocess.input_size),
        preprocess=config.preprocess,
        training={
            **data.identity(),
            "seed": config.seed,
            "epochs": config.epochs,
            "epoch": epoch,
            "selected_on": config.select_on,
            "mien": __version__,
        },
    )


def _finish(config: TrainConfig, data: TrainingData, run: Path, fabric: Fabric) -> ModelCard:
    """Fit the temperature of the chosen network and write its PublicTest figures into its card."""
    network, card = load_network(run / BEST_FILE)
    selection = _selection_set(config, data.store, torch.device("cpu"))
    if selection is not None:
        logits = selection.logits(channels_last(network))
        temperature = fit_temperature(logits, selection.labels)
        card = replace(card, temperature=temperature, public_test=_figures(logits, selection.labels, temperature))
        if fabric.is_global_zero:
            save_network(run / BEST_FILE, network, card)
    return card


def _figures(logits: NDArray[np.float32], labels: NDArray[np.uint8], temperature: float) -> dict[str, Any]:
    confusion = confusion_matrix(logits.argmax(1), labels)
    return {
        "n": len(labels),
        "accuracy": float(np.trace(confusion) / len(labels)),
        "macro_f1": float(class_scores(confusion).f1.mean()),
        "ece": expected_calibration_error(softmax(logits / temperature), labels),
        "ece_uncalibrated": expected_calibration_error(softmax(logits), labels),
    }
