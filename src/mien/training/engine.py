"""The training loop.

The data set lies on the device as one uint8 tensor and is varied there in batches. Every random draw of an epoch
follows from the seed and the epoch's number, so a training that was killed and resumed after any epoch ends with the
same weights, bit for bit on a CPU.

A run is a folder::

    config.toml        the configuration, whole
    log.jsonl          one line per epoch
    last.safetensors   the state after the last whole epoch
    best.safetensors   the chosen network with its card, calibrated
    public_test.json   what the chosen network answers to each PublicTest face
    tensorboard/       the same curves for TensorBoard
"""

import json
import logging
import os
import time
import tomllib
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from lightning.fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from mien.aside import written_aside
from mien.bundle import ModelCard
from mien.errors import ConfigError, DivergedError, TrainingError
from mien.evaluation.calibration import fit_temperature
from mien.evaluation.compare import ANSWERS_FILE
from mien.evaluation.measured import MeasuredFaces, figures
from mien.models.profile import count_macs, count_parameters
from mien.models.registry import network_entry
from mien.models.saved import BEST_FILE, load_network, provenance, save_network
from mien.training.augment import augment
from mien.training.averaging import WeightAverage
from mien.training.checkpoint import CHECKPOINT_FILE, Progress, read_progress, restore_checkpoint, save_checkpoint
from mien.training.checks import check_network
from mien.training.config import OptimizerConfig, TrainConfig, config_from_dict, config_to_toml
from mien.training.data import TrainingData
from mien.training.distillation import Teachers, distillation_loss
from mien.training.losses import balanced_weights, focal_loss, mixup, smooth, soft_cross_entropy
from mien.training.reporter import Reporter, SilentReporter
from mien.training.schedules import learning_rate_factor
from mien.training.targets import training_targets
from mien.version import __version__

_PRECISION: Final = {"bf16": "bf16-mixed", "fp32": "32-true"}


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
        devices: processes on this machine, one per device (data parallel). Under torchrun, as many as its
            --nproc-per-node; all processes of all machines together must divide the batch size.
        reporter: told of every step and epoch.

    Returns:
        The card of the chosen network.

    Raises:
        ConfigError: the network does not exist, or does not take the configured input sizes.
        TrainingError: the run exists and ``resume`` was not asked, or it was started with another configuration or
            other data, or the data or the machine cannot serve the configuration.
        DivergedError: the loss is no number any more.
    """
    data = data.with_targets(config.loss)
    if not len(data.rows):
        raise TrainingError(
            f"the data have no Training rows that may be used (left out: {dict(data.dropped) or 'none'}); "
            "import data that have them"
        )
    check_network(config)
    _check_machine(config, device, devices)
    data.selection_rows(config.select_on)
    _build_network(config)  # wrong initial weights and wrong teachers are found before a run is made
    Teachers(config.loss.teachers, config.preprocess, torch.device("cpu"))
    progress = _open_run(config, data, run, resume=resume)
    fabric = _launch(config, device, devices)
    trainer = _Trainer(config, data, run, fabric, reporter or SilentReporter())
    trainer.fit(progress)
    return load_network(run / BEST_FILE)[1]


def _check_machine(config: TrainConfig, device: str, devices: int) -> None:
    gpus = torch.cuda.device_count()
    if device not in ("auto", "cpu", "cuda"):
        raise TrainingError(f"unknown device {device!r}: expected auto, cpu or cuda")
    if device == "cuda" and not gpus:
        raise TrainingError("device is cuda, and this machine offers none; choose --device cpu or auto")
    if device != "cpu" and gpus and devices > gpus:
        raise TrainingError(f"devices is {devices}, and this machine offers {gpus}")
    processes = devices * _nodes()
    if devices < 1 or config.batch_size % processes:
        raise TrainingError(
            f"processes are {processes}: expected at least 1, and a divisor of batch_size {config.batch_size}"
        )


def _nodes() -> int:
    """Machines that train together: as many as torchrun says, else this one."""
    return int(os.environ.get("GROUP_WORLD_SIZE", "1"))


def _launch(config: TrainConfig, device: str, devices: int) -> Fabric:
    # Lightning announces the precision, which the recipe states already.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    precision: Any = _PRECISION[config.precision]
    fabric = Fabric(accelerator=device, devices=devices, num_nodes=_nodes(), precision=precision)
    fabric.launch()
    return fabric


def _open_run(config: TrainConfig, data: TrainingData, run: Path, *, resume: bool) -> Progress:
    """The progress of an earlier call, or that of a new run."""
    fresh = Progress(0, (), config_to_toml(config), data.identity())
    checkpoint = run / CHECKPOINT_FILE
    if not checkpoint.exists():
        try:
            run.mkdir(parents=True, exist_ok=True)
            (run / "config.toml").write_text(fresh.config, encoding="utf-8")
        except OSError as error:
            raise TrainingError(f"{run}: cannot be made a run folder ({error.strerror}); name another") from None
        return fresh
    if not resume:
        raise TrainingError(f"{run}: holds a run already; go on with --resume, or name a new folder")
    progress = read_progress(checkpoint)
    begun = _in_todays_keys(progress.config, checkpoint)
    if begun != fresh.config:
        raise TrainingError(f"{run}: was started with another configuration ({_first_difference(begun, fresh.config)})")
    progress = replace(progress, config=fresh.config)
    if progress.data != fresh.data:
        raise TrainingError(f"{run}: was started on other data ({progress.data}); expected {fresh.data}")
    return progress


def _in_todays_keys(config: str, checkpoint: Path) -> str:
    """The configuration of a checkpoint, read and written anew: keys younger than it get their defaults,
    which change nothing.
    """
    try:
        return config_to_toml(config_from_dict(tomllib.loads(config)))
    except (ConfigError, tomllib.TOMLDecodeError) as error:
        raise TrainingError(f"{checkpoint}: its configuration cannot be read ({error}); train anew") from None


def _first_difference(before: str, now: str) -> str:
    lines = zip(before.splitlines(), now.splitlines(), strict=False)
    return next((f"{old!r} then, {new!r} now" for old, new in lines if old != new), "more or fewer keys")


class _Trainer:
    """One process of a training: network, optimizer and data on its device."""

    def __init__(self, config: TrainConfig, data: TrainingData, run: Path, fabric: Fabric, reporter: Reporter) -> None:
        self.config, self.data, self.run, self.fabric = config, data, run, fabric
        self.reporter = reporter if fabric.is_global_zero else SilentReporter()
        self.batch_size = min(config.batch_size, len(data.rows))
        self.steps_per_epoch = len(data.rows) // self.batch_size
        torch.manual_seed(config.seed)
        self.network = channels_last(_build_network(config))
        optimizer = make_optimizer(self.network, config.optimizer)
        self.model, self.optimizer = fabric.setup(self.network, optimizer)
        self.average = WeightAverage(self.network, config.ema_decay)
        self.accuracies: list[float] = []
        faces = config.preprocess.frames(data.store.faces[data.rows])
        self.faces = torch.from_numpy(faces).to(fabric.device)
        targets = training_targets(data.store, data.rows, config.loss)
        self.targets = torch.from_numpy(targets).to(fabric.device)
        self.class_weights = balanced_weights(self.targets) if config.loss.class_weights == "balanced" else None
        self.teachers = Teachers(config.loss.teachers, config.preprocess, fabric.device)
        self.origins = _origins(config)
        self.selection = self._measured(data.selection_rows(config.select_on))
        official = config.select_on == "PublicTest"
        self.public_test = self.selection if official else self._measured(data.store.rows_of("PublicTest"))

    def _measured(self, rows: NDArray[np.intp]) -> MeasuredFaces | None:
        if not len(rows):
            return None
        return MeasuredFaces.of(self.config.preprocess, self.data.store, rows, self.fabric.device)

    def fit(self, progress: Progress) -> None:
        """Run the epochs that are left."""
        if progress.epochs_done:
            progress = restore_checkpoint(self.run / CHECKPOINT_FILE, self.network, self.average.module, self.optimizer)
            # The checkpoint is written first: a kill right after it lost the network that it calls the best.
            self._save_if_best(progress.history[-1])
        if self._is_over(progress):
            return
        self.reporter.begin(self.config, self.data, progress.epochs_done, self.steps_per_epoch * self.batch_size)
        if self.fabric.is_global_zero:
            _rewrite_log(self.run / "log.jsonl", progress.history)
        with self._board(progress.epochs_done) as board:
            while not self._is_over(progress):
                progress = self._epoch_with_checkpoint(progress, board)

    def _is_over(self, progress: Progress) -> bool:
        """Whether all epochs are done, or the accuracy has stopped growing for as many as early stopping bears."""
        patience = self.config.early_stopping
        recent = progress.history[-patience:] if patience else ()
        stopped = len(recent) == patience > 0 and not any(entry["best"] for entry in recent)
        return stopped or progress.epochs_done == self.config.epochs

    def _board(self, epochs_done: int) -> Any:
        if not self.fabric.is_global_zero:
            return nullcontext()
        return SummaryWriter(str(self.run / "tensorboard"), purge_step=epochs_done)

    def _epoch_with_checkpoint(self, progress: Progress, board: SummaryWriter | None) -> Progress:
        started = time.perf_counter()
        epoch = progress.epochs_done
        self.accuracies = [entry["accuracy"] for entry in progress.history if "accuracy" in entry]
        loss = self._epoch(epoch)
        seconds = time.perf_counter() - started
        entry: dict[str, Any] = {
            "epoch": epoch,
            "loss": loss,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "input_size": self.config.input_size_at(epoch),
            "faces_per_second": round(self.steps_per_epoch * self.batch_size / seconds, 1),
            "seconds": round(seconds, 2),
        }
        if self.selection is not None:
            predictions = self.selection.logits(self.average.module).argmax(1)
            entry["accuracy"] = float((predictions == self.selection.labels).mean())
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
            rows = order[batch * self.batch_size : (batch + 1) * self.batch_size]
            total += self._step(epoch, batch, rows[self.fabric.global_rank :: self.fabric.world_size])
            self.reporter.advance(epoch, len(rows))
        mean: Any = self.fabric.all_reduce(total / self.steps_per_epoch)
        loss = float(mean)
        if not np.isfinite(loss):
            raise DivergedError(
                f"the loss is {loss} in epoch {epoch}; lower optimizer.learning_rate or use precision fp32"
            )
        return loss

    def _step(self, epoch: int, batch: int, rows: Tensor) -> Tensor:
        step = epoch * self.steps_per_epoch + batch
        schedule, epochs = self.config.schedule, self.config.epochs
        factor = learning_rate_factor(schedule, step, self.steps_per_epoch, epochs, self.accuracies)
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.optimizer.learning_rate * factor
        loss = self._loss(epoch, rows)
        self.optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        if self.config.optimizer.clip_norm:
            self.fabric.clip_gradients(self.model, self.optimizer, max_norm=self.config.optimizer.clip_norm)
        self.optimizer.step()
        self.average.update(step)
        return loss.detach()

    def _loss(self, epoch: int, rows: Tensor) -> Tensor:
        config, targets = self.config, self.targets[rows]
        inputs = augment(self.faces[rows], config.augment, config.preprocess, config.input_size_at(epoch))
        if config.loss.name == "focal":
            logits = self._logits(inputs)
            loss = focal_loss(logits, targets.argmax(1), config.loss.gamma, self.class_weights)
            return self._with_teachers(loss, logits, inputs)
        targets = smooth(targets, config.loss.label_smoothing)
        if config.loss.mixup and epoch < config.epochs - config.loss.mixup_last_epochs:
            inputs, targets = mixup(inputs, targets, config.loss.mixup)
        logits = self._logits(inputs)
        return self._with_teachers(soft_cross_entropy(logits, targets, self.class_weights), logits, inputs)

    def _with_teachers(self, loss: Tensor, logits: Tensor, inputs: Tensor) -> Tensor:
        """The loss blended with how far the logits are from what the teachers answer to the same inputs."""
        if not self.config.loss.teachers:
            return loss
        temperature = self.config.loss.teacher_temperature
        with self.fabric.autocast():
            taught = self.teachers.probabilities(inputs, temperature)
        return torch.lerp(loss, distillation_loss(logits, taught, temperature), self.config.loss.teacher_weight)

    def _logits(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.model(inputs.contiguous(memory_format=torch.channels_last))
        return logits

    def _is_best(self, entry: Mapping[str, Any], history: tuple[dict[str, Any], ...]) -> bool:
        if self.selection is None:
            return bool(entry["epoch"] == self.config.epochs - 1)
        return all(entry["accuracy"] > earlier["accuracy"] for earlier in history)

    def _keep(self, entry: Mapping[str, Any], progress: Progress, board: SummaryWriter | None) -> None:
        save_checkpoint(self.run / CHECKPOINT_FILE, self.network, self.average.module, self.optimizer, progress)
        self._save_if_best(entry)
        with (self.run / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")
        for name in ("loss", "learning_rate", "accuracy", "faces_per_second"):
            if board is not None and name in entry:
                board.add_scalar(name, entry[name], entry["epoch"])

    def _save_if_best(self, entry: Mapping[str, Any]) -> None:
        if not (entry["best"] and self.fabric.is_global_zero):
            return
        network, selection, public_test = self.average.module, self.selection, self.public_test
        card = make_card(self.config, self.data, network, self.origins, epoch=entry["epoch"])
        logits = None
        if selection is not None:
            logits = selection.logits(network)
            card = replace(card, temperature=fit_temperature(logits, selection.labels))
        if public_test is not None:
            if logits is None or public_test is not selection:
                logits = public_test.logits(network)
            card = replace(card, public_test=figures(logits, public_test.labels, card.temperature))
            self._save_answers(logits.argmax(1), public_test.labels)
        save_network(self.run / BEST_FILE, network, card)

    def _save_answers(self, predictions: NDArray[np.intp], labels: NDArray[np.uint8]) -> None:
        """What the network answers to each PublicTest face, so that runs can be compared face by face."""
        answers = json.dumps({"labels": labels.tolist(), "predictions": predictions.tolist()})
        with written_aside(self.run / ANSWERS_FILE) as aside:
            aside.write_text(answers, encoding="utf-8")


def _build_network(config: TrainConfig) -> nn.Module:
    """The network as a training finds it: random, or with the weights it starts from.

    Raises:
        ModelFileError: the initial weights are missing or damaged.
        TrainingError: they are those of another network.
    """
    if not config.initial_weights:
        return network_entry(config.network).build()
    network, card = load_network(config.initial_weights)
    if card.network != config.network:
        raise TrainingError(
            f"initial_weights {config.initial_weights}: are those of {card.network}: expected those of {config.network}"
        )
    return network


def channels_last(network: nn.Module) -> nn.Module:
    """The network with convolution weights in the memory order that bf16 is fastest in; changed in place."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def make_optimizer(network: nn.Module, config: OptimizerConfig) -> torch.optim.Optimizer:
    """The optimizer of a configuration; biases and normalisation (one-dimensional parameters) are not decayed."""
    parameters = list(network.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    rate, momentum = config.learning_rate, config.momentum
    match config.name:
        case "sgd":
            return torch.optim.SGD(groups, lr=rate, momentum=momentum, nesterov=config.nesterov and momentum > 0)
        case "adam":
            return torch.optim.Adam(groups, lr=rate, betas=(momentum, 0.999))
        case "adamw":
            return torch.optim.AdamW(groups, lr=rate, betas=(momentum, 0.999))
        case "rmsprop":
            return torch.optim.RMSprop(groups, lr=rate, momentum=momentum)


def _epoch_seed(seed: int, epoch: int) -> int:
    """A seed for each epoch that no other pair of seed and epoch in use shares."""
    return int(np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _rewrite_log(path: Path, history: tuple[dict[str, Any], ...]) -> None:
    """Make the log agree with the checkpoint, whichever of them a kill left behind."""
    path.write_text("".join(json.dumps(entry) + "\n" for entry in history), encoding="utf-8")


def _origins(config: TrainConfig) -> dict[str, Any]:
    """The networks that a training goes on from or learns from, as its card tells of them."""

    def origin(path: str) -> dict[str, Any]:
        return provenance(path, load_network(path)[1])

    teachers = config.loss.teachers
    return {
        **({"initial_weights": origin(config.initial_weights)} if config.initial_weights else {}),
        **({"teachers": [origin(path) for path in teachers]} if teachers else {}),
    }


def make_card(
    config: TrainConfig, data: TrainingData, network: nn.Module, origins: Mapping[str, Any], *, epoch: int
) -> ModelCard:
    """The card of a network as it stands after an epoch, not yet calibrated or measured."""
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
            "split": config.split,
            "selected_on": config.select_on,
            "targets": config.loss.targets,
            **({} if config.loss.targets == "fer2013" else {"fer2013_weight": config.loss.fer2013_weight}),
            **origins,
            "mien": __version__,
        },
    )
