"""Mixed precision: the arithmetic (bfloat16, float16, float32) of a training on its machine."""

import platform
from typing import Final, Literal

import torch

from mien.errors import TrainingError

Precision = Literal["bf16", "fp16", "fp32"]

FABRIC_PRECISION: Final[dict[Precision, Literal["bf16-mixed", "16-mixed", "32-true"]]] = {
    "bf16": "bf16-mixed",
    "fp16": "16-mixed",
    "fp32": "32-true",
}
"""What Lightning Fabric calls each precision; "16-mixed" scales the loss so that small gradients survive."""


def best_precision(device: str) -> Precision:
    """What "auto" stands for: the fastest precision that a device computes with itself.

    bfloat16 that a processor only emulates is 7 to 11 times slower than float32 (measured with AVX2 on two cores).

    Args:
        device: "cpu", "cuda" or "mps".
    """
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if device == "cpu" and _cpu_has_bf16():
        return "bf16"
    return "fp32"


def _cpu_has_bf16() -> bool:
    """Whether the processor has instructions for bfloat16 (AVX512-BF16, AMX, or Arm's) and oneDNN may use them.

    oneDNN alone says yes to any AVX-512 processor, on most of which it converts to float32 and back; the processor's
    flags alone ignore ONEDNN_MAX_CPU_ISA.
    """
    if not (torch._C._has_mkldnn and torch.ops.mkldnn._is_mkldnn_bf16_supported()):
        return False
    return platform.machine() not in ("x86_64", "AMD64") or bool(torch.cpu._is_avx512_bf16_supported())


def require_precision(precision: str, device: str) -> None:
    """Refuse what a device cannot do.

    Raises:
        TrainingError: float16 elsewhere than on a GPU of NVIDIA or AMD.
    """
    if precision == "fp16" and device != "cuda":
        raise TrainingError(f"precision is fp16 and the device is {device}: expected cuda, or another precision")
