"""ONNX export with the model card inside, and the check of numerical parity with torch."""

import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import onnxscript  # noqa: F401 - torch's exporter imports it when it runs; here its absence is noticed at once
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from mien.data.store import FaceStore
from mien.errors import ExportError
from mien.export.calibrated import calibrated_as_it_answers
from mien.files import whole_file
from mien.model.card import METADATA_KEY, ModelCard
from mien.model.onnx_model import Bundle
from mien.preprocess import PreprocessSpec

TOLERANCE: Final = 1e-4
"""Largest difference that is accepted between a logit of torch and one of the exported file, or between a probability
of an ensemble and the mean of its members.
"""

HALF_TOLERANCE: Final = 2e-2
"""The same for a file whose weights are stored in half precision."""

_OPSET: Final = 18

_WORTH_HALVING: Final = 1024
"""Numbers from which a weight is stored in half precision: biases are not worth it."""


_FER2013: Final = PreprocessSpec()


def export_onnx(
    network: nn.Module, card: ModelCard, out: Path, *, half: bool = False, store: FaceStore | None = None
) -> float:
    """Write a network and its card to an ONNX file, after checking that the file computes what the network computes.

    Args:
        network: maps float32 (N, channels, S, S) to logits (N, classes).
        card: its card.
        out: the file to write; replaced only when the check has passed.
        half: store weights in half precision, see `halved`.
        store: a data set on whose PublicTest rows the file is calibrated and measured anew; else the card's figures
            stay, which are those of the network before its weights were halved.

    Returns:
        The largest difference of a logit between torch and onnxruntime, over generated faces and several batch sizes.

    Raises:
        ExportError: the difference exceeds `TOLERANCE`, or `HALF_TOLERANCE`, the data set has no PublicTest rows, or
            the file cannot be written.
    """
    content, difference = converted(network, card, str(out), half=half)
    if store is not None:
        card = calibrated_as_it_answers(Bundle(content, str(out)), store)
        content = with_card(onnx.load_from_string(content), card)
    write_model(content, out)
    return difference


def converted(network: nn.Module, card: ModelCard, name: str, *, half: bool = False) -> tuple[bytes, float]:
    """A network and its card as the content of an ONNX file, and the largest difference of a logit between the two.

    Args:
        network: maps float32 (N, channels, S, S) to logits (N, classes).
        card: its card.
        name: what to call it in errors.
        half: store weights in half precision, see `halved`.

    Raises:
        ExportError: the difference exceeds `TOLERANCE`, or `HALF_TOLERANCE`, or `halved` refuses.
    """
    network = network.eval().cpu()
    model = _convert(network, card.preprocess)
    content = with_card(halved(model) if half else model, card)
    difference = parity(network, Bundle(content, name))
    require_close(difference, f"{name}: logits", "torch", allowed=HALF_TOLERANCE if half else TOLERANCE)
    return content, difference


def require_close(difference: float, what: str, whose: str, *, allowed: float) -> None:
    """Refuse a file whose numbers are not those they should be.

    Args:
        difference: the largest found.
        what: the numbers, for the message.
        whose: those they should be.
        allowed: the largest that is accepted.

    Raises:
        ExportError: the difference is larger.
    """
    if not difference <= allowed:
        raise ExportError(
            f"{what} differ by {difference:.2e} from {whose}: expected at most {allowed:.0e}; not written"
        )


def write_model(content: bytes, out: Path) -> None:
    """Write the content of a model file, whole or not at all.

    Raises:
        ExportError: cannot be written.
    """
    with whole_file(out, ExportError) as partial:
        partial.write_bytes(content)


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network with its large weights stored in half precision, which makes its file half as large.

    It computes in float32 as before: each weight is widened where it is read, which onnxruntime does once, on loading.

    Raises:
        ExportError: a weight is too large for half precision.
    """
    model = onnx.ModelProto.FromString(model.SerializeToString())
    widened = []
    for weight in model.graph.initializer:
        if weight.data_type == onnx.TensorProto.FLOAT and math.prod(weight.dims) >= _WORTH_HALVING:
            name, values = weight.name, numpy_helper.to_array(weight)
            if np.abs(values).max() > np.finfo(np.float16).max:
                raise ExportError(f"weight {name} reaches {np.abs(values).max():g}: half precision ends at 65,504")
            weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}/half"))
            widened.append(onnx.helper.make_node("Cast", [weight.name], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*widened, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def parity(network: nn.Module, bundle: Bundle) -> float:
    """Largest difference of a logit between a network in torch and its exported file,
    both fed through the card's preprocessing.
    """
    worst = 0.0
    for count in (1, 2, 33):
        inputs = bundle.card.preprocess.apply(probe_faces(count, bundle.card.preprocess))
        with torch.inference_mode():
            expected = network(torch.from_numpy(inputs)).numpy()
        difference = np.abs(bundle.logits_of_input(inputs) - expected).max()
        worst = max(worst, float(difference)) if np.isfinite(difference) else float("inf")
    return worst


def probe_faces(count: int, spec: PreprocessSpec = _FER2013) -> NDArray[np.uint8]:
    """Noise, gradients and constant pictures to compare two networks on, always the same: uint8 (count, S, S), or with
    3 channels, of the side and channels of a preprocessing.
    """
    side, colours = spec.face_size, () if spec.channels == 1 else (3,)
    noise = np.random.default_rng(count).integers(0, 256, (count, side, side, *colours), np.uint8)
    noise[0] = np.linspace(0, 255, side, dtype=np.uint8).reshape(side, *(1 for _ in colours))
    noise[-1] //= 2
    noise[count // 2] = 128
    return noise


def _convert(network: nn.Module, spec: PreprocessSpec) -> onnx.ModelProto:
    # Two faces, because the exporter specialises a batch of one.
    example = torch.zeros(2, spec.channels, spec.input_size, spec.input_size)
    with _quiet_exporter():
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            opset_version=_OPSET,
            input_names=["face"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("faces")},),
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    _strip_remarks(model)
    return model


def _strip_remarks(model: onnx.ModelProto) -> None:
    """Remove what the exporter notes for its own developers: stack traces with the paths of this machine, above all."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    graph.ClearField("value_info")


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Without the exporter's remarks on packages that mien does not use and on its own future."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logger.setLevel(level)


def with_card(model: onnx.ModelProto, card: ModelCard) -> bytes:
    """The content of the ONNX file of a model, checked, with its card inside."""
    onnx.helper.set_model_props(model, {METADATA_KEY: card.to_json()})
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content
