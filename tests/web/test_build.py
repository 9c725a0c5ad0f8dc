"""What the package carries was built from the sources in `web/`, and runs as Python does."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mien.model.onnx_model import Bundle
from mien.preprocess import PreprocessSpec
from mien.web.built_files import built_record, built_scripts, runtime, runtime_notices
from mien.web.card import web_card
from own_model import write_model


def foreign(folder):
    """A network of another tool: three channels last, two faces at once, probabilities, one output left out."""
    weights = np.random.default_rng(3).normal(0, 0.05, (3 * 32 * 32, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 32, 32, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3])],
        [numpy_helper.from_array(weights, "w")],
    )
    path = folder / "foreign.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    path.with_suffix(".toml").write_text(
        'labels = ["calm", "other", "tense"]\nleave_out = ["other"]\nchannels = 3\nlayout = "nhwc"\n'
        'outputs = "probabilities"\ntemperature = 1.3\n[preprocess]\nframe_size = 36\ninput_size = 32\n'
        "mean = [0.4, 0.5, 0.6]\nstd = [0.2, 0.3, 0.25]\n"
    )
    return path


COLOUR = PreprocessSpec(frame_size=20, input_size=16, channels=3, face_size=40)
MODELS = {
    "own": lambda folder: write_model(folder / "own.onnx", ("calm", "2", "1")),
    "colour": lambda folder: write_model(folder / "colour.onnx", ("calm", "tense"), COLOUR),
    "foreign": foreign,
    "ensemble": lambda _: "mien_l",
}
WEB = Path(__file__).parents[2] / "web"


def test_the_build_is_that_of_the_sources():
    """Hashes alone, as build.mjs takes them; `make web` builds again."""
    names = [str(path.relative_to(WEB)) for path in (WEB / "src").rglob("*.ts")] + ["build.mjs", "package-lock.json"]
    whole = hashlib.sha256()
    for name in sorted(names):
        whole.update(f"{name}\0{hashlib.sha256((WEB / name).read_bytes()).hexdigest()}\n".encode())
    assert built_record()["sources"] == whole.hexdigest(), "the sources in web/ changed: make web"


def test_what_is_carried_is_whole_and_of_the_pinned_version():
    assert set(built_scripts()) == {"mien.js", "worker.js"}
    name, content = runtime()
    assert content[:4] == b"\0asm"
    pinned = json.loads((WEB / "package-lock.json").read_text())["packages"]["node_modules/onnxruntime-web"]
    assert (name, built_record()["runtime"]["version"]) == ("ort-wasm-simd-threaded.wasm", pinned["version"])
    assert b"MIT License" in runtime_notices()


def test_building_again_gives_the_same_bytes(build):
    assert {name: (build / name).read_bytes() for name in built_scripts()} == built_scripts()


def test_the_core_in_node_gives_what_python_gives(node, build, parity):
    ran = node("--test", "test/parity.test.mjs", MIEN_BUILD=str(build), MIEN_FIXTURES=str(parity))
    assert ran.returncode == 0, ran.stdout


def test_the_library_in_node_refuses_what_it_cannot_take(node, parity):
    ran = node("--test", "test/library.test.mjs", MIEN_FIXTURES=str(parity))
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize("kind", ["own", "colour", "foreign", pytest.param("ensemble", marks=pytest.mark.slow)])
def test_other_models_give_in_node_what_they_give_in_python(node, build, tmp_path, kind):
    """Other classes, colour, channels last with fixed batches and probabilities for outputs, an embedded ensemble."""
    bundle = Bundle.load(MODELS[kind](tmp_path), threads=1)
    channels, side = bundle.card.preprocess.channels, bundle.card.preprocess.face_size
    shape = (5, side, side) if channels == 1 else (5, side, side, 3)
    faces = np.random.default_rng(7).integers(0, 256, shape, np.uint8)
    (tmp_path / "faces.bin").write_bytes(faces.tobytes())
    (tmp_path / "model.onnx").write_bytes(bundle.content)
    (tmp_path / "card.json").write_text(json.dumps(web_card(bundle)))
    ran = node("test/probabilities.mjs", tmp_path, side, channels, MIEN_BUILD=str(build))
    assert ran.returncode == 0, ran.stderr
    np.testing.assert_allclose(json.loads(ran.stdout), bundle.probabilities(faces), atol=1e-5)
