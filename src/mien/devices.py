"""Names of the devices that commands and functions accept."""

from typing import Final, Literal, get_args

ModelDevice = Literal["auto", "cpu", "cuda", "directml", "coreml"]
"""Where onnxruntime may run a model file; ``auto``: on the GPU where CUDA starts, else on the CPU."""

TrainingDevice = Literal["auto", "cpu", "cuda", "mps"]
"""Where torch may run a network; ``auto``: the first that is there of cuda, mps, cpu."""

AnyDevice = Literal["auto", "cpu", "cuda", "mps", "directml", "coreml"]
"""Where one of the two may."""

MODEL_DEVICES: Final[tuple[str, ...]] = get_args(ModelDevice)
TRAINING_DEVICES: Final[tuple[str, ...]] = get_args(TrainingDevice)
