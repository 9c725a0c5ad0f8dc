"""Trainable weights from an ONNX file of `mien export`, whose convolutions have batch normalisation folded into them.

A convolution with weights W, followed by batch normalisation with scale g and running variance v, is exported as one
with weights W g / sqrt(v + e) (Jacob et al., arXiv 1712.05877, section 3.2). With the tensors of the normalisation,
which are a hundredth of all, W is found again, up to the rounding of the file. So the package need not hold the weights
of an embedded model twice.
"""

from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from mien.errors import MissingExtraError, ModelFileError
from mien.model.embedded import NORMS_SUFFIX

_HALF: Final = "/half"
"""Ends the names of weights that an ONNX file holds in half precision."""

_BIAS: Final = "_bias"
"""Ends the names of the biases that folding has made."""


def folded_file(path: Path) -> Path | None:
    """The ONNX file with the weights to which a file of normalisation tensors belongs; None for other files."""
    name = path.name.removesuffix(NORMS_SUFFIX)
    return None if name == path.name else path.with_name(f"{name}.onnx")


def unfolded(file: Path, norms: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """All tensors of a network.

    Args:
        file: the ONNX file with its weights.
        norms: the tensors of its batch normalisation, by name.
        network: of that kind; its own weights do not matter.

    Raises:
        ModelFileError: the file lacks a weight, or has it in another shape.
    """
    held = _weights(file)
    modules = dict(network.named_modules())
    tensors = dict(norms)
    for name, wanted in network.state_dict().items():
        if name in tensors:
            continue
        found = held.get(name)
        if found is None or found.shape != wanted.shape:
            raise ModelFileError(f"{file}: lacks the weights {name}: expected {tuple(wanted.shape)}")
        if f"{name}{_BIAS}" in held:
            norm = _norm_after(name)
            deviation = torch.sqrt(norms[f"{norm}.running_var"] + float(modules[norm].eps))
            scale = (norms[f"{norm}.weight"] / deviation)[:, None, None, None]
            found = torch.where(scale == 0, 0.0, found / scale)
        tensors[name] = found
    return tensors


def _norm_after(weight: str) -> str:
    """The normalisation that follows a convolution: ``norm1`` after ``conv1``, in a sequence the next member."""
    parent, _, own = weight.removesuffix(".weight").rpartition(".")
    return f"{parent}.{own.replace('conv', 'norm') if own.startswith('conv') else int(own) + 1}"


def _weights(file: Path) -> dict[str, Tensor]:
    """The constants of an ONNX file by name, float32."""
    try:
        import onnx
        from onnx import numpy_helper
    except ModuleNotFoundError as error:
        raise MissingExtraError("reading the weights of an embedded model", "train") from error
    constants = onnx.load_from_string(file.read_bytes()).graph.initializer
    found = {constant.name.removesuffix(_HALF): numpy_helper.to_array(constant) for constant in constants}
    return {name: torch.tensor(array).float() for name, array in found.items() if array.dtype.kind == "f"}
