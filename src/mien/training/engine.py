"""The training loop.

The data set lies on the device as one uint8 tensor and is augmented there in batches. Every random draw of an epoch
follows from the seed and the epoch's number, so a training that was killed and resumed after any epoch ends with the
same weights, bit for bit on a CPU. What lies in a run's folder: `mien.training.run_folder`.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from mien.errors import DivergedError
from mien.model.card import ModelCard
from mien.networks.device import torch_device
from mien.networks.saved import load_network
from mien.runs import BEST_FILE, CHECKPOINT_FILE, TEACHER_ANSWERS_FILE, lines_in_log
from mien.threads import threads_each
from mien.training.averaging import WeightAverage
from mien.training.checkpoint import CheckpointPace, Progress, restore_checkpoint, save_checkpoint
from mien.training.checks import check_network
from mien.training.chosen import ChosenNetwork
from mien.training.config import TrainConfig
from mien.training.data import TrainingData
from mien.training.distillation import Teachers
from mien.training.machine import check_machine, environment, launch, restore_scaler, scaler_state
from mien.training.objective import Batch, Objective
from mien.training.optimizers import RATE, make_optimizer
from mien.training.order import order_of_rows
from mien.training.reporter import Reporter, SilentReporter
from mien.training.run_folder import open_run
from mien.training.run_lock import only_training_in
from mien.training.run_log import RunLog
from mien.training.schedules import learning_rate_factor
from mien.training.sharpness import uphill
from mien.training.start import Start, start_of
from mien.training.stopping import reason_to_end
from mien.training.targets import training_targets
from mien.training.time_slices import take_short_slices
from mien.training.views import TaughtViews

if TYPE_CHECKING:
    from mien.training.machine import Machine


def train(
    config: TrainConfig,
    data: TrainingData,
    run: Path,
    *,
    resume: bool = False,
    device: str = "auto",
    devices: int = 1,
    threads: int | None = None,
    reporter: Reporter | None = None,
) -> ModelCard:
    """Train a network and keep the best epoch in a run folder.

    Args:
        config: what to do.
        data: on what.
        run: the run's folder; must not hold a run yet unless ``resume``.
        resume: go on where an earlier call stopped; a run that is finished is left as it is, or extended when
            ``epochs`` or ``early_stopping`` let it train further.
        device: one of `mien.choices.TRAINING_DEVICES`.
        devices: processes on this machine, one per device (data parallel). Under torchrun, as many as its
            --nproc-per-node; all processes of all machines together must divide the batch size.
        threads: to compute with on this machine, all its processes together; see `mien.threads.threads_each`.
        reporter: told of every step and epoch.

    Returns:
        The card of the chosen network.

    Raises:
        ConfigError: the network does not exist, or does not take the configured input sizes.
        TrainingError: the run exists and ``resume`` was not asked, it is in use, or it was started with another
            configuration or other data, or the data or the machine cannot serve the configuration.
        DivergedError: the loss became NaN or infinite.
    """
    data = data.with_targets(config.loss)
    data.check_rows()
    check_network(config, len(data.store.classes))
    data.check_licence(config.licence)
    device, threads = torch_device(device), threads_each(threads, devices)
    check_machine(config, device, devices)
    data.check_classes(config.select_on)
    # Wrong initial weights and wrong teachers are found before a run is made.
    start = start_of(config, data.store.classes)
    with only_training_in(run):
        config, progress = open_run(config, data, run, resume=resume, device=device)
        told: dict[str, Any] = {"extended_from": list(progress.extended_from)} if progress.extended_from else {}
        machine = launch(config, device, devices)
        told["machine"] = environment(machine.device, threads, machine.world_size)
        start = replace(start, parents={**start.parents, **told})
        torch.set_num_threads(threads)
        take_short_slices()
        trainer = _Trainer(config, data, start, run, machine, reporter or SilentReporter())
        trainer.fit(progress)
    return load_network(run / BEST_FILE)[1]


class _Trainer:
    """One process of a training: network, optimizer and data on its device."""

    def __init__(
        self, config: TrainConfig, data: TrainingData, start: Start, run: Path, machine: "Machine", reporter: Reporter
    ) -> None:
        self.config, self.data, self.run, self.machine = config, data, run, machine
        self.reporter = reporter if machine.is_global_zero else SilentReporter()
        self.batch_size = min(config.batch_size, len(data.rows))
        self.steps_per_epoch = len(data.rows) // self.batch_size
        self.network = in_channels_last(start.network)
        optimizer = make_optimizer(self.network, config.optimizer, fused=machine.device.type == "cpu")
        self.model: nn.Module
        self.optimizer: torch.optim.Optimizer
        self.model, self.optimizer = machine.setup(self.network, optimizer)
        self.average = WeightAverage(self.network, config.ema_decay)
        self.labels = torch.from_numpy(data.store.labels[data.rows].astype(np.int64))
        self.accuracies: list[float] = []
        self.objective = _objective(config, data, start.teachers, run, machine)
        self.chosen = ChosenNetwork(config, data, start.parents, run, machine.device)
        self.pace = CheckpointPace()
        self.best: tuple[int, nn.Module] | None = None

    def fit(self, progress: Progress) -> None:
        """Run the epochs that are left."""
        if progress.epochs_done:
            path = self.run / CHECKPOINT_FILE
            saved = restore_checkpoint(path, self.network, self.average.module, self.optimizer)
            restore_scaler(self.machine, saved.scaler)
        if self._reason_to_end(progress) is None:
            faces = self.steps_per_epoch * self.batch_size
            self.reporter.begin(self.config, self.data, self.machine.device.type, progress.epochs_done, faces)
            progress = self._epochs(progress)
        elif lines_in_log(self.run) != len(progress.history):  # killed between the last checkpoint and its line
            self._epochs(progress)
        self.reporter.end(self._reason_to_end(progress) or "")

    def _epochs(self, progress: Progress) -> Progress:
        with self._log(progress.history) as log:
            while self._reason_to_end(progress) is None:
                progress = self._epoch_with_checkpoint(progress, log)
        return progress

    def _reason_to_end(self, progress: Progress) -> str | None:
        return reason_to_end(self.config, progress.history)

    def _log(self, history: tuple[dict[str, Any], ...]) -> Any:
        if not self.machine.is_global_zero:
            return nullcontext()
        return RunLog(self.config, self.data, self.run, history)

    def _epoch_with_checkpoint(self, progress: Progress, log: RunLog | None) -> Progress:
        epoch = progress.epochs_done
        self.accuracies = [entry["accuracy"] for entry in progress.history if "accuracy" in entry]
        started = time.perf_counter()
        loss = self._epoch(epoch)
        trained = time.perf_counter()
        measured = self.chosen.measure(self.average.module)
        seconds = trained - started
        entry: dict[str, Any] = {
            "epoch": epoch + 1,
            "loss": loss,
            **measured,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "input_size": self.config.input_size_at(epoch),
            "faces_per_second": round(self.steps_per_epoch * self.batch_size / seconds, 1),
            "seconds": round(seconds, 2),
            "measuring_seconds": round(time.perf_counter() - trained, 2),
        }
        entry["best"] = self.chosen.is_best(entry, progress.history)
        progress = replace(progress, epochs_done=epoch + 1, history=(*progress.history, entry))
        if log is not None:
            self._keep(entry, progress, log)
        self.machine.barrier()
        self.reporter.epoch_done(entry)
        return progress

    def _epoch(self, epoch: int) -> float:
        """One pass over the rows; the mean loss of its steps."""
        self.objective.begin(epoch)
        torch.manual_seed(_epoch_seed(self.config.seed, epoch))
        order = order_of_rows(self.config, self.labels).to(self.machine.device)
        if self.machine.world_size > 1:
            torch.manual_seed(_epoch_seed(self.config.seed, epoch) + self.machine.global_rank)
        self.model.train()
        total = torch.zeros((), device=self.machine.device)
        for batch in range(self.steps_per_epoch):
            chosen = order[batch * self.batch_size : (batch + 1) * self.batch_size]
            total += self._step(epoch, batch, chosen[self.machine.global_rank :: self.machine.world_size])
            self.reporter.advance(epoch + 1, len(chosen))
        mean: Any = self.machine.all_reduce(total / self.steps_per_epoch)
        loss = float(mean)
        if not np.isfinite(loss):
            raise DivergedError(
                f"the loss is {loss} in epoch {epoch + 1}; lower optimizer.learning_rate or use precision fp32"
            )
        return loss

    def _step(self, epoch: int, batch: int, rows: Tensor) -> Tensor:
        step = epoch * self.steps_per_epoch + batch
        schedule, epochs = self.config.schedule, self.config.epochs
        factor = learning_rate_factor(schedule, step, self.steps_per_epoch, epochs, self.accuracies)
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.optimizer.learning_rate * factor * group[RATE]
        loss = self._gradients(self.objective.draw(rows))
        if self.config.optimizer.clip_norm:
            self.machine.clip_gradients(
                self.model, self.optimizer, max_norm=self.config.optimizer.clip_norm, error_if_nonfinite=False
            )
        self.optimizer.step()
        self.average.update(step)
        return loss

    def _gradients(self, batch: Batch) -> Tensor:
        """The loss of a batch, its gradients left in the parameters; with SAM those of the loss uphill."""
        loss = self._backward(batch)
        radius = self.config.optimizer.sam_radius
        if radius:
            learned = [p for group in self.optimizer.param_groups if group[RATE] for p in group["params"]]
            with uphill(self.network, learned, radius):
                self._backward(batch)
        return loss

    def _backward(self, batch: Batch) -> Tensor:
        loss = self.objective.loss(self.model, batch)
        self.optimizer.zero_grad(set_to_none=True)
        self.machine.backward(loss)
        return loss.detach()

    def _keep(self, entry: Mapping[str, Any], progress: Progress, log: RunLog) -> None:
        """The log last: one with an epoch tells that there was a checkpoint, see `open_run`."""
        if entry["best"]:
            self.best = entry["epoch"], deepcopy(self.average.module)
        if self._reason_to_end(progress) or self.pace.is_due():
            self._write(progress)
        log.add(entry)

    def _write(self, progress: Progress) -> None:
        """The chosen network first: a kill right after it finds an older checkpoint, and chooses it anew."""
        with self.pace.writing():
            if self.best is not None:
                epoch, network = self.best
                self.chosen.save(network, epoch, seconds=_seconds(progress.history[:epoch]))
                self.best = None
            progress = replace(progress, scaler=scaler_state(self.machine))
            save_checkpoint(self.run / CHECKPOINT_FILE, self.network, self.average.module, self.optimizer, progress)


def _objective(config: TrainConfig, data: TrainingData, teachers: Teachers, run: Path, machine: "Machine") -> Objective:
    frames = torch.from_numpy(config.preprocess.frames(data.store.faces[data.rows])).to(machine.device)
    targets = torch.from_numpy(training_targets(data.store, data.rows, config.loss)).to(machine.device)
    teachers.to(machine.device)
    views = _views(config, data, run, machine, frames, teachers) if config.loss.teacher_views else None
    return Objective(config, frames, targets, teachers=teachers, views=views, autocast=machine.autocast)


def _views(
    config: TrainConfig, data: TrainingData, run: Path, machine: "Machine", frames: Tensor, teachers: Teachers
) -> TaughtViews:
    def answer(inputs: Tensor) -> Tensor:
        with machine.autocast():
            return teachers.probabilities(inputs, config.loss.teacher_temperature)

    file = Path(config.loss.teacher_answers) if config.loss.teacher_answers else run / TEACHER_ANSWERS_FILE
    rows = data.identity()
    identity = {
        "rows_sha256": rows["rows_sha256"],
        "source_sha256": rows["source_sha256"],
        "teachers": [parent["sha256"] for parent in teachers.provenance],
    }
    return TaughtViews(config, frames, answer, file, identity)


def in_channels_last(network: nn.Module) -> nn.Module:
    """The network with convolution weights in the memory order that they are fastest in; changed in place.

    A network with grouped convolutions stays as it is: torch 2.13's float32 backward pass of `mini_xception` at 64 px
    writes beyond its memory in that order on processors with AVX-512, and the process ends in a segmentation fault.
    """
    if not any(isinstance(layer, nn.Conv2d) and layer.groups > 1 for layer in network.modules()):
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _seconds(history: Sequence[Mapping[str, Any]]) -> float:
    """What epochs took, measuring included; runs made before mien measured that say less."""
    return round(float(sum(entry.get("seconds", 0) + entry.get("measuring_seconds", 0) for entry in history)), 1)


def _epoch_seed(seed: int, epoch: int) -> int:
    """A seed for each epoch that no other pair of seed and epoch in use shares."""
    return int(np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0] >> np.uint64(1))
