"""The processes and devices that a training runs on."""

import logging
import os
import platform
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from mien.errors import TrainingError
from mien.processor import processor_name
from mien.training.config import TrainConfig
from mien.training.precision import FABRIC_PRECISION, Precision, require_precision

if TYPE_CHECKING:
    from lightning.fabric import Fabric

    Machine: TypeAlias = "OneProcess | Fabric"
    """What a process of a training knows of its device and of the other processes."""


class OneProcess:
    """One process on the processor: what Lightning Fabric does there, without the three seconds that its import takes.

    Args:
        precision: "bf16" or "fp32".
    """

    device: Final = torch.device("cpu")
    world_size: Final = 1
    global_rank: Final = 0
    is_global_zero: Final = True

    def __init__(self, precision: Precision) -> None:
        self._precision = precision

    def autocast(self) -> AbstractContextManager[Any]:
        """Computes in the precision of the training."""
        return torch.autocast("cpu", torch.bfloat16) if self._precision == "bf16" else nullcontext()

    def setup(self, network: nn.Module, optimizer: Optimizer) -> tuple[nn.Module, Optimizer]:
        """The network as it is trained, and its optimizer."""
        return _InPrecision(network, self), optimizer

    def backward(self, loss: Tensor) -> None:
        """Adds the loss' gradients."""
        loss.backward()  # type: ignore[no-untyped-call]

    def clip_gradients(self, network: nn.Module, _: Optimizer, *, max_norm: float, error_if_nonfinite: bool) -> None:
        """Gradient clipping by the norm of all gradients together."""
        nn.utils.clip_grad_norm_(network.parameters(), max_norm, error_if_nonfinite=error_if_nonfinite)

    def all_reduce(self, value: Tensor) -> Tensor:
        """The mean over all processes."""
        return value

    def barrier(self) -> None:
        """Waits for nobody."""


class _InPrecision(nn.Module):
    """A network that answers in float32, whatever it computes with."""

    def __init__(self, network: nn.Module, process: OneProcess) -> None:
        super().__init__()
        self.network, self._process = network, process

    def forward(self, inputs: Tensor) -> Tensor:
        with self._process.autocast():
            answers: Tensor = self.network(inputs)
        return answers.float()


def check_machine(config: TrainConfig, device: str, devices: int) -> None:
    """Refuse a precision that the device lacks, more processes than it has GPUs, or than share the batch evenly.

    Args:
        config: its batch size is that of all processes together.
        device: "cpu", "cuda" or "mps".
        devices: processes on this machine.

    Raises:
        TrainingError: the machine cannot serve the configuration.
    """
    require_precision(config.precision, device)
    gpus = {"cuda": torch.cuda.device_count(), "mps": 1}.get(device)
    if gpus is not None and devices > gpus:
        raise TrainingError(f"devices is {devices}, and this machine offers {gpus}")
    processes = devices * _nodes()
    if devices < 1 or config.batch_size % processes:
        raise TrainingError(
            f"processes are {processes}: expected at least 1, and a divisor of batch_size {config.batch_size}"
        )


def _nodes() -> int:
    """Machines that train together: as many as torchrun says, else this one."""
    return int(os.environ.get("GROUP_WORLD_SIZE", "1"))


def is_first_process() -> bool:
    """Whether this is the one process of a training that speaks for all, which can be asked before they are launched.

    torchrun numbers them in RANK, Fabric on one machine in LOCAL_RANK.
    """
    return os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0"


def environment(device: torch.device, threads: int, processes: int) -> dict[str, Any]:
    """What a card says of where a training ran: equal weights are to be expected on an equal machine alone.

    Args:
        device: of the first process.
        threads: of each process.
        processes: on all machines together.
    """
    return {
        "processor": processor_name() or platform.machine(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": threads,
        "processes": processes,
        "torch": str(torch.__version__),
    }


def launch(config: TrainConfig, device: str, devices: int) -> "Machine":
    """Start the processes of a training (arguments as `check_machine`); ``config.precision`` is settled."""
    assert config.precision != "auto"
    if device == "cpu" and devices == 1 and not torch.distributed.is_torchelastic_launched():
        return OneProcess(config.precision)
    from lightning.fabric import Fabric

    # Lightning announces the precision, which mien does itself.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    precision = FABRIC_PRECISION[config.precision]
    fabric = Fabric(accelerator=device, devices=devices, num_nodes=_nodes(), precision=precision)
    fabric.launch()
    return fabric


def scaler_state(machine: "Machine") -> dict[str, Any]:
    """The state of the loss scaling of float16, as JSON-ready values; empty for other precisions."""
    scaler = _scaler(machine)
    return dict(scaler.state_dict()) if scaler is not None else {}


def restore_scaler(machine: "Machine", state: dict[str, Any]) -> None:
    """Put back what `scaler_state` gave."""
    scaler = _scaler(machine)
    if state and scaler is not None:
        scaler.load_state_dict(state)


def _scaler(machine: "Machine") -> Any:
    return None if isinstance(machine, OneProcess) else getattr(machine.strategy.precision, "scaler", None)
