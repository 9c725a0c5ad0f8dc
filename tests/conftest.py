"""What several tests need: a tiny model file whose answers are known, and a small data set."""

import os
from pathlib import Path

# One thread in every process: tests compare bits between processes, and small networks gain nothing from more.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mien.bundle import METADATA_KEY, ModelCard
from mien.data.store import write_store
from mien.preprocess import PreprocessSpec


@pytest.fixture
def linear_card():
    """A card for `write_linear_model`: 12 px of a 16 px frame."""
    spec = PreprocessSpec(frame_size=16, input_size=12, mean=0.5, std=0.25)
    return ModelCard(name="linear", network="linear", parameters=1015, macs=1008, preprocess=spec, temperature=1.7)


@pytest.fixture
def linear_weights(linear_card):
    """Weights float32 (pixels, 7) of `write_linear_model`."""
    pixels = linear_card.preprocess.input_size**2
    return np.random.default_rng(5).normal(0, 0.12, (pixels, 7)).astype(np.float32)


@pytest.fixture
def write_linear_model(linear_card, linear_weights):
    """Writes a model file that computes logits = flattened input @ linear_weights."""

    def write(path: Path, *, metadata: str | None = linear_card.to_json()) -> Path:
        side = linear_card.preprocess.input_size
        nodes = [
            helper.make_node("Flatten", ["faces"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        ]
        graph = helper.make_graph(
            nodes,
            "linear",
            [helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["n", 1, side, side])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 7])],
            [numpy_helper.from_array(linear_weights, "weights")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        if metadata is not None:
            helper.set_model_props(model, {METADATA_KEY: metadata})
        onnx.save(model, path)
        return path

    return write


@pytest.fixture
def small_store(tmp_path):
    """Folder of a data set with 60 Training and 90 PublicTest rows, random faces and labels, no PrivateTest."""
    random = np.random.default_rng(11)
    faces = random.integers(0, 256, (150, 48, 48), np.uint8)
    labels = random.integers(0, 7, 150).astype(np.uint8)
    usages = np.repeat(np.array([0, 1], np.uint8), [60, 90])
    write_store(tmp_path / "store", faces, labels, usages, source="small.csv", source_sha256="ab" * 32)
    return tmp_path / "store"
