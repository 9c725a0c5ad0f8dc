import io

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mien.errors import ModelFileError
from mien.model.answer_layer import with_features
from mien.model.embedded import embedded_versions, read_embedded
from mien.model.onnx_model import Bundle


def content(model):
    file = io.BytesIO()
    onnx.save(model, file)
    return file.getvalue()


def network(nodes, *, weights=(), answer="logits"):
    floats = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("faces", answer)]
    return content(helper.make_model(helper.make_graph(nodes, "g", floats[:1], floats[1:], list(weights))))


@pytest.mark.parametrize("version", embedded_versions())
def test_the_answer_is_the_last_layer_of_the_features(version):
    """Weights of the answer layers, read with the package onnx, turn the features back into logits."""
    original = onnx.load_from_string(read_embedded(version))
    edited, names = with_features(read_embedded(version), version)
    model = onnx.load_from_string(edited)
    onnx.checker.check_model(original)
    assert [output.name for output in model.graph.output] == [*[out.name for out in original.graph.output], *names]
    assert model.graph.node == original.graph.node
    last = [node for node in original.graph.node if node.op_type == "Gemm"]
    assert {node.input[0] for node in last} == set(names)


@pytest.mark.parametrize("version", ["mien_s-2", "mien_s-1"])
def test_features_times_weights_are_the_logits(version):
    graph = onnx.load_from_string(read_embedded(version)).graph
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    (last,) = [node for node in graph.node if node.op_type == "Gemm"]
    made = {name: node for node in graph.node for name in node.output}
    matrix, bias = (
        weights[name if name in weights else made[name].input[0]].astype(np.float64) for name in last.input[1:]
    )
    faces = np.random.default_rng(2).integers(0, 256, (70, 48, 48), np.uint8)
    bundle = Bundle.load(version)
    logits, features = bundle.features_of_input(bundle.card.preprocess.apply(faces))
    np.testing.assert_allclose(features @ matrix.T + bias, logits, atol=1e-4)
    np.testing.assert_allclose(logits, bundle.logits(faces), atol=1e-5)


def test_maps_before_the_answer_are_averaged_over_the_face(tmp_path, linear_card, write_linear_model):
    """A network that ends with a convolution and a mean over places, as many small ones do."""
    random = np.random.default_rng(3)
    first, last = (random.normal(size=shape).astype(np.float32) for shape in ((5, 1, 1, 1), (7, 5, 1, 1)))
    nodes = [
        helper.make_node("Conv", ["faces", "first"], ["maps"]),
        helper.make_node("Conv", ["maps", "last"], ["answers"]),
        helper.make_node("GlobalAveragePool", ["answers"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["logits"]),
    ]
    model = onnx.load(write_linear_model(tmp_path / "linear.onnx"))
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend([numpy_helper.from_array(first, "first"), numpy_helper.from_array(last, "last")])
    onnx.save(model, tmp_path / "maps.onnx")
    bundle, faces = Bundle.load(tmp_path / "maps.onnx"), random.integers(0, 256, (3, 48, 48), np.uint8)
    inputs = linear_card.preprocess.apply(faces)
    expected = inputs.mean(axis=(2, 3)) @ first[:, 0, 0].T
    np.testing.assert_allclose(bundle.features(faces), expected, atol=1e-4)


def test_a_network_without_layers_has_no_features():
    nodes = [helper.make_node("Relu", ["faces"], ["logits"])]
    with pytest.raises(ModelFileError, match=r"x\.onnx: no layer with weights before its answer"):
        with_features(network(nodes), "x.onnx")


def test_a_cut_file_is_named():
    with pytest.raises(ModelFileError, match=r"x\.onnx: its graph cannot be read"):
        with_features(b"\x3a\x05\x0a\x80", "x.onnx")
