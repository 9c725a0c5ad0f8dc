"""A model file with classes of one's own, for tests."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mien.model.card import METADATA_KEY, ModelCard
from mien.preprocess import PreprocessSpec


def write_model(path, classes, spec=None):
    """A linear model of made-up weights with a card."""
    spec = spec or PreprocessSpec(frame_size=16, input_size=12)
    weights = np.random.default_rng(2).normal(0, 0.1, (spec.channels * spec.input_size**2, len(classes)))
    nodes = [helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["y"])]
    graph = helper.make_graph(
        nodes,
        "own",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", spec.channels, spec.input_size, spec.input_size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", len(classes)])],
        [numpy_helper.from_array(weights.astype(np.float32), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    card = ModelCard(name="own", network="linear", parameters=1, macs=1, preprocess=spec, labels=classes)
    helper.set_model_props(model, {METADATA_KEY: card.to_json()})
    onnx.save(model, path)
    return path
