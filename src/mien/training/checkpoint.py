"""Checkpoints: the state of a training in one file, safetensors with JSON in its header. Nothing is pickled.

The file is written anew, atomically, after an epoch (`CheckpointPace`: after which), so a training killed at any moment
finds a whole one.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from mien.errors import ConfigError, ModelFileError
from mien.networks.saved import load_tensors, save_tensors
from mien.runs import BEST_FILE
from mien.toml_json import from_values, parse_json

CHECKPOINT_SHARE: Final = 0.05
"""Largest share of the time that writing checkpoints may take: on a CPU there is one after each epoch, on a GPU with
very short epochs fewer.
"""

LONGEST_WAIT: Final = 600.0
"""Seconds after which one is written all the same: what a kill loses at most, besides the epoch that runs."""


class CheckpointPace:
    """When the next checkpoint is due: at once at first, then once `CHECKPOINT_SHARE` allows it, or `LONGEST_WAIT` is
    over.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due = clock()

    def is_due(self) -> bool:
        """Whether to write one now."""
        return self._clock() >= self._due

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Time the writing of a checkpoint."""
        started = self._clock()
        yield
        ended = self._clock()
        self._due = ended + min((ended - started) / CHECKPOINT_SHARE, LONGEST_WAIT)


@dataclass(frozen=True, slots=True)
class Progress:
    """State of a training besides its tensors.

    Args:
        epochs_done: whole epochs behind it.
        history: one entry per epoch, as in log.jsonl.
        config: the configuration, as TOML text.
        data: what identifies the training data: source hash, rows, dropped rows.
        scaler: state of the loss scaling of float16, empty for other precisions.
        extended_from: epochs that the training was to have before it was extended, one number for each time.
    """

    epochs_done: int
    history: tuple[dict[str, Any], ...]
    config: str
    data: dict[str, Any]
    scaler: dict[str, Any] = field(default_factory=dict)
    extended_from: tuple[int, ...] = ()


def save_checkpoint(
    path: Path, network: nn.Module, average: nn.Module, optimizer: Optimizer, progress: Progress
) -> None:
    """Atomic write of a checkpoint."""
    tensors = {
        **{f"network.{name}": tensor for name, tensor in network.state_dict().items()},
        **{f"average.{name}": tensor for name, tensor in average.state_dict().items()},
        **_optimizer_tensors(optimizer),
    }
    save_tensors(path, tensors, json.dumps(asdict(progress), allow_nan=False))


def read_progress(path: Path) -> Progress:
    """What a checkpoint knows besides tensors.

    Raises:
        ModelFileError: missing or damaged.
    """
    try:
        return _progress(path, load_tensors(path)[1])
    except ModelFileError as error:
        best = path.with_name(BEST_FILE)
        tune = f"fine-tune its best network in a new folder with --from {best}, or " if best.exists() else ""
        raise ModelFileError(f"{error}: this run cannot go on; {tune}begin anew in a new folder") from None


def restore_checkpoint(path: Path, network: nn.Module, average: nn.Module, optimizer: Optimizer) -> Progress:
    """Restore a network, its average and its optimizer from a checkpoint, in place.

    Raises:
        ModelFileError: missing, damaged, or of another network.
    """
    tensors, text = load_tensors(path)
    try:
        network.load_state_dict(_under("network.", tensors))
        average.load_state_dict(_under("average.", tensors))
        _restore_optimizer(optimizer, _under("optimizer.", tensors))
    except (RuntimeError, ValueError, IndexError) as error:
        raise ModelFileError(f"{path}: {str(error).splitlines()[0]}") from None
    return _progress(path, text)


def _progress(path: Path, text: str) -> Progress:
    try:
        return from_values(Progress, parse_json(text))
    except ConfigError as error:
        raise ModelFileError(f"{path}: not a checkpoint of `mien train` ({error})") from None


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    return {
        f"optimizer.{index}.{name}": tensor
        for index, state in optimizer.state_dict()["state"].items()
        for name, tensor in state.items()
        if tensor is not None
    }


def _restore_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = _laid_out_like(parameters[int(index)], tensor)
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _laid_out_like(parameter: Tensor, tensor: Tensor) -> Tensor:
    """The tensor in the memory order of a parameter of its shape, which fused optimizers take for granted; files know
    one order only.
    """
    if tensor.shape != parameter.shape:
        return tensor
    return torch.empty_like(parameter, dtype=tensor.dtype, device=tensor.device).copy_(tensor)
