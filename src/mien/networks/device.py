"""The torch device that a network runs on."""

import torch

from mien.choices import TRAINING_DEVICES
from mien.errors import UsageError


def torch_device(device: str, gpus: int | None = None, *, mps: bool | None = None) -> str:
    """``cpu``, ``cuda`` or ``mps``, after what was asked for and what is there.

    Args:
        device: one of `mien.choices.TRAINING_DEVICES`.
        gpus: of CUDA or ROCm; by default as many as torch finds.
        mps: whether there is a GPU of Apple's; by default what torch says.

    Raises:
        UsageError: an unknown device, or one that is not there.
    """
    gpus = torch.cuda.device_count() if gpus is None else gpus
    present = {"cuda": gpus > 0, "mps": torch.backends.mps.is_available() if mps is None else mps, "cpu": True}
    if device == "auto":
        return next(name for name, there in present.items() if there)
    if device not in present:
        raise UsageError(f"device {device!r}: a run takes one of {', '.join(TRAINING_DEVICES)}")
    if not present[device]:
        raise UsageError(f"device {device}: {_lacking(device)}; choose cpu or auto")
    return device


def _lacking(device: str) -> str:
    if device == "mps":
        return "torch finds no GPU of Apple's, which needs macOS 12.3 or newer on such a machine"
    if not torch.backends.cuda.is_built():  # type: ignore[no-untyped-call]
        return (
            f"the installed torch {torch.__version__} is a build without it; install the one for your GPU in its place "
            "(https://pytorch.org/get-started)"
        )
    return "torch finds no GPU that it can use"
