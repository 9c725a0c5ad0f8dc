"""A checkpoint in less room: the average in float16, the optimizer's state in bfloat16."""

from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from mien.networks.saved import load_tensors, save_tensors

_HALVES: Final = {"average": torch.float16, "optimizer": torch.bfloat16}


def halve(source: Path, target: Path) -> Path:
    """Write a checkpoint anew with half-precision tensors; `mien train` takes them back into float32.

    Counters, and averages that float16 cannot hold, stay as they are.

    Args:
        source: a checkpoint of `mien train`.
        target: where to write.

    Returns:
        ``target``.

    Raises:
        ModelFileError: the checkpoint is damaged.
    """
    tensors, text = load_tensors(source)
    save_tensors(target, {name: _halved(name, tensor) for name, tensor in tensors.items()}, text)
    return target


def _halved(name: str, tensor: Tensor) -> Tensor:
    kind = _HALVES.get(name.split(".", 1)[0])
    if kind is None or tensor.ndim == 0 or tensor.dtype != torch.float32:
        return tensor
    half = tensor.to(kind)
    return half if half.isfinite().all() else tensor
