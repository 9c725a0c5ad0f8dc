"""The processes and devices that a training runs on."""

import logging
import os
import platform
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric

from mien.errors import TrainingError
from mien.training.config import TrainConfig
from mien.training.precision import FABRIC_PRECISION


def check_machine(config: TrainConfig, device: str, devices: int) -> None:
    """Refuse more processes than this machine has GPUs, or than share the batch evenly.

    Args:
        config: its batch size is that of all processes together.
        device: "cpu", "cuda" or "mps".
        devices: processes on this machine.

    Raises:
        TrainingError: the machine cannot serve the configuration.
    """
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


def environment(device: torch.device, threads: int, processes: int) -> dict[str, Any]:
    """What a card says of where a training ran: equal weights are to be expected on an equal machine alone.

    Args:
        device: of the first process.
        threads: of each process.
        processes: on all machines together.
    """
    return {
        "processor": processor_name(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": threads,
        "processes": processes,
        "torch": str(torch.__version__),
    }


def processor_name() -> str:
    """The processor as the system calls it; where Linux tells no model, its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def launch(config: TrainConfig, device: str, devices: int) -> Fabric:
    """Start the processes of a training (arguments as `check_machine`); ``config.precision`` is settled."""
    # Lightning announces the precision, which mien does itself.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    assert config.precision != "auto"
    precision = FABRIC_PRECISION[config.precision]
    fabric = Fabric(accelerator=device, devices=devices, num_nodes=_nodes(), precision=precision)
    fabric.launch()
    return fabric
