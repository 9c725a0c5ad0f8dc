import hashlib
import json
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import onnx
import pytest
import torch
from scipy.special import softmax
from torch import nn
from typer.testing import CliRunner

from mien.cli.main import app
from mien.data.store import FaceStore, write_store
from mien.errors import ExportError, ModelFileError, UsageError
from mien.export import onnx as onnx_export
from mien.export.ensemble import ensemble_card, load_member
from mien.model.card import METADATA_KEY, ModelCard
from mien.model.onnx_model import Bundle
from mien.networks import registry
from mien.networks.saved import save_network
from mien.preprocess import PreprocessSpec

SPEC = PreprocessSpec(frame_size=48, input_size=44)


def pooled():
    """A network of any input side that is exported in a fraction of the time of those in the registry."""
    convolution = (nn.Conv2d(1, 64, 8, stride=4), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten())
    return nn.Sequential(*convolution, nn.Linear(64, 512), nn.ReLU(), nn.Linear(512, 7))


ENTRY = registry.NetworkEntry("pooled", pooled, SPEC, "this test")


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(registry._ENTRIES, "pooled", ENTRY)


@pytest.fixture(scope="module", autouse=True)
def _converted_once():
    """Networks of the same shape are converted once, and get their weights; each file is still held to its network."""
    convert, done = onnx_export._convert, {}

    def with_weights(network, spec):
        weights = network.state_dict()
        shapes = tuple((name, weight.shape) for name, weight in weights.items())
        if (spec, shapes) not in done:
            done[spec, shapes] = convert(network, spec)
        model = onnx.ModelProto.FromString(done[spec, shapes].SerializeToString())
        for initializer in model.graph.initializer:
            if initializer.name in weights:
                initializer.CopyFrom(onnx.numpy_helper.from_array(weights[initializer.name].numpy(), initializer.name))
        return model

    with mock.patch.object(onnx_export, "_convert", with_weights):
        yield


def save_member(path, seed, temperature, spec=SPEC, **training):
    torch.manual_seed(seed)
    network = pooled().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    card = ModelCard(
        name="member",
        network="pooled",
        parameters=10,
        macs=20,
        preprocess=spec,
        temperature=temperature,
        training={"source": "drawn", "seed": seed, **training},
    )
    save_network(path, network, card)
    return network


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Two members as model files: each conversion takes a second."""
    folder = tmp_path_factory.mktemp("members")
    with mock.patch.dict(registry._ENTRIES, pooled=ENTRY):
        for seed in range(2):
            save_member(folder / f"{seed}.safetensors", seed, 1.0)
            assert export(folder / f"{seed}.safetensors", "--out", folder / f"{seed}.onnx").exit_code == 0
    return [folder / "0.onnx", folder / "1.onnx"]


@pytest.fixture
def store(tmp_path):
    random = np.random.default_rng(0)
    faces = random.integers(0, 256, (30, 48, 48), np.uint8)
    labels = random.integers(0, 7, 30).astype(np.uint8)
    usages = np.repeat([0, 1], [10, 20]).astype(np.uint8)
    write_store(tmp_path / "data", faces, labels, usages, source="random", source_sha256="0" * 64)
    return FaceStore.open(tmp_path / "data")


def export(*arguments):
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


def test_it_answers_with_the_mean_of_calibrated_probabilities(tmp_path, store):
    paths = [tmp_path / f"{seed}.safetensors" for seed in range(3)]
    networks = [save_member(path, seed, 0.5 + seed) for seed, path in enumerate(paths)]
    result = export(*paths, "--out", tmp_path / "three.onnx", "--data", tmp_path / "data")
    assert result.exit_code == 0, result.output
    bundle = Bundle.load(tmp_path / "three.onnx")
    inputs = torch.randn(4, 1, 44, 44)
    with torch.no_grad():
        each = [softmax(network(inputs).numpy() / (0.5 + seed), axis=1) for seed, network in enumerate(networks)]
    answers = softmax(bundle.logits_of_input(inputs.numpy()), axis=1)
    np.testing.assert_allclose(answers, np.mean(each, axis=0), atol=1e-6)
    card = bundle.card
    assert (card.name, card.network, card.parameters, card.macs) == ("three", "pooled + pooled + pooled", 30, 60)


def test_a_member_sees_the_same_face_at_its_own_side_and_scale(tmp_path, store):
    """By torch's interpolation of the common frame; and by each member's own preprocessing."""
    large = replace(SPEC, frame_size=120, input_size=110, mean=127 / 255, std=128 / 255)
    paths = [tmp_path / "0.safetensors", tmp_path / "1.safetensors"]
    first, second = (save_member(path, seed, 1.0, (large, SPEC)[seed]) for seed, path in enumerate(paths))
    result = export(*paths, "--out", tmp_path / "two.onnx", "--data", tmp_path / "data")
    assert result.exit_code == 0, result.output
    bundle = Bundle.load(tmp_path / "two.onnx")
    assert bundle.card.preprocess == replace(SPEC, input_size=48)
    grey = torch.nn.functional.interpolate(
        torch.from_numpy(np.array(store.faces))[:, None].double(), 120, mode="bilinear"
    )
    grey = grey.round().float()
    with torch.no_grad():
        each = [first((grey[..., 5:-5, 5:-5] - 127) / 128), second(torch.from_numpy(SPEC.apply(store.faces)))]
        own = [first(torch.from_numpy(large.apply(store.faces))), each[1]]
    answers = softmax(bundle.logits(store.faces), axis=1)
    for logits, tolerance in ((each, 1e-4), (own, 2e-3)):
        expected = np.mean([softmax(one.numpy(), axis=1) for one in logits], axis=0)
        np.testing.assert_allclose(answers, expected, atol=tolerance)


def write_constant(path, logits, card):
    """A model file that answers every face with the same logits."""
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Flatten", ["picture"], ["flat"]),
            onnx.helper.make_node("ReduceMean", ["flat", "last"], ["mean"]),
            onnx.helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
            onnx.helper.make_node("Add", ["nothing", "answer"], ["out"]),
        ],
        "constant",
        [onnx.helper.make_tensor_value_info("picture", onnx.TensorProto.FLOAT, ["n", 1, 44, 44])],
        [onnx.helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, ["n", 7])],
        [
            onnx.numpy_helper.from_array(np.array([1]), "last"),
            onnx.numpy_helper.from_array(np.zeros(1, np.float32), "zero"),
            onnx.numpy_helper.from_array(np.array(logits, np.float32), "answer"),
        ],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    onnx.helper.set_model_props(model, {METADATA_KEY: card.to_json()})
    onnx.save(model, path)


def test_answers_that_are_all_but_certain_stay_finite(tmp_path, store):
    for seed, temperature in enumerate((1.0, 0.5)):
        card = ModelCard(name="certain", network="none", parameters=0, macs=0, preprocess=SPEC, temperature=temperature)
        write_constant(tmp_path / f"{seed}.onnx", [300, -300, 0, 0, 0, 0, 0], card)
    result = export(
        tmp_path / "0.onnx", tmp_path / "1.onnx", "--out", tmp_path / "two.onnx", "--data", tmp_path / "data"
    )
    assert result.exit_code == 0, result.output
    answers = Bundle.load(tmp_path / "two.onnx").logits(store.faces)
    assert np.isfinite(answers).all()
    np.testing.assert_allclose(answers[:, 0], 0, atol=1e-5)


def test_embedded_models_files_and_runs_go_together(tmp_path, store):
    """Members may name their input as they like, be written by an older version, and descend from anything."""
    card = ModelCard(
        name="flat", network="flat", parameters=1, macs=2, preprocess=Bundle.load("mien_s").card.preprocess
    )
    write_constant(tmp_path / "flat.onnx", np.arange(7), card)
    save_member(tmp_path / "0.safetensors", 0, 1.0, card.preprocess)
    sources = ["mien_s", tmp_path / "flat.onnx", tmp_path / "0.safetensors"]
    result = export(*sources, "--out", tmp_path / "mixed.onnx", "--data", tmp_path / "data")
    assert result.exit_code == 0, result.output
    export(tmp_path / "0.safetensors", "--out", tmp_path / "0.onnx")
    files = ["mien_s", tmp_path / "flat.onnx", tmp_path / "0.onnx"]
    expected = np.mean([Bundle.load(file).probabilities(store.faces) for file in files], axis=0)
    bundle = Bundle.load(tmp_path / "mixed.onnx")
    np.testing.assert_allclose(softmax(bundle.logits(store.faces), axis=1), expected, atol=1e-6)
    hashes = [member["sha256"] for member in bundle.card.training["members"]]
    assert hashes[0] == Bundle.load("mien_s").sha256
    assert hashes[1:] == [hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in sources[1:]]


def test_a_file_that_mien_did_not_write_is_no_member(tmp_path, exported):
    model = onnx.load(exported[0])
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "0.onnx")
    with pytest.raises(ModelFileError, match=r"0\.onnx: an ONNX file without mien's metadata"):
        load_member(tmp_path / "0.onnx")
    with pytest.raises(ModelFileError, match=r"missing\.onnx: no such file"):
        load_member(tmp_path / "missing.onnx")


def test_the_card_tells_what_is_common_and_what_each_member_is(tmp_path):
    for seed in range(2):
        save_member(tmp_path / f"{seed}.safetensors", seed, 1.0, rows=5 + seed)
    card = ensemble_card([load_member(tmp_path / f"{seed}.safetensors") for seed in range(2)], "pair")
    members = card.training.pop("members")
    assert card.training == {"source": "drawn"}
    assert [(member["seed"], member["rows"]) for member in members] == [(0, 5), (1, 6)]
    assert members[1]["sha256"] == hashlib.sha256((tmp_path / "1.safetensors").read_bytes()).hexdigest()


def test_several_runs_become_one_calibrated_file(tmp_path, store):
    paths = [tmp_path / "0.safetensors", tmp_path / "1.safetensors"]
    for seed, path in enumerate(paths):
        save_member(path, seed, 1.0)
    result = export(*paths, "--out", tmp_path / "pair.onnx", "--data", tmp_path / "data")
    assert result.exit_code == 0, result.output
    bundle = Bundle.load(tmp_path / "pair.onnx")
    card = bundle.card
    rows = store.rows_of("PublicTest")
    answers = bundle.probabilities(store.faces[rows])
    losses = {
        temperature: -np.log(
            softmax(bundle.logits(store.faces[rows]) / temperature, axis=1)[range(20), store.labels[rows]]
        ).sum()
        + 1 / temperature
        + np.log(temperature)  # the prior
        for temperature in (card.temperature * 0.9, card.temperature, card.temperature * 1.1)
    }
    assert min(losses, key=losses.get) == card.temperature
    assert card.public_test["n"] == 20
    assert card.training["calibrated_on"] == {"source": "random", "source_sha256": "0" * 64}
    assert card.public_test["accuracy"] == (answers.argmax(1) == store.labels[rows]).mean()


def test_an_ensemble_in_half_precision_is_measured_as_it_answers(tmp_path, store, exported):
    for name, options in (("half", ["--half"]), ("whole", [])):
        result = export(*exported, "--out", tmp_path / f"{name}.onnx", "--data", tmp_path / "data", *options)
        assert result.exit_code == 0, result.output
    half, whole = (Bundle.load(tmp_path / f"{name}.onnx") for name in ("half", "whole"))
    assert len(half.content) < 0.55 * len(whole.content)
    faces, labels = store.faces[10:], store.labels[10:]
    np.testing.assert_allclose(half.probabilities(faces), whole.probabilities(faces), atol=5e-3)
    assert half.card.public_test["accuracy"] == (half.probabilities(faces).argmax(1) == labels).mean()


def test_a_single_run_keeps_its_card_and_may_be_named(tmp_path):
    save_member(tmp_path / "0.safetensors", 0, 1.3)
    assert export(tmp_path / "0.safetensors", "--out", tmp_path / "a.onnx", "--name", "mine").exit_code == 0
    card = Bundle.load(tmp_path / "a.onnx").card
    assert (card.name, card.temperature, json.dumps(card.training)) == ("mine", 1.3, '{"seed": 0, "source": "drawn"}')


def test_members_of_another_preprocessing_are_refused(tmp_path):
    for number, spec in enumerate((SPEC, replace(SPEC, blur=True))):
        card = ModelCard(name="constant", network="none", parameters=0, macs=0, preprocess=spec)
        write_constant(tmp_path / f"{number}.onnx", np.arange(7), card)
    members = [load_member(tmp_path / "0.onnx"), load_member(tmp_path / "1.onnx")]
    with pytest.raises(ExportError, match=r"1\.onnx: was trained with .*blur=True.*: expected the faces, .*blur=False"):
        ensemble_card(members, "pair")


def test_several_runs_without_data_and_data_without_public_test_are_refused(tmp_path):
    paths = [tmp_path / "0.safetensors", tmp_path / "1.safetensors"]
    for seed, path in enumerate(paths):
        save_member(path, seed, 1.0)
    result = export(*paths, "--out", tmp_path / "pair.onnx")
    assert isinstance(result.exception, UsageError)
    assert "name the data set with --data" in str(result.exception)
    result = export(paths[0], "--out", tmp_path / "one.safetensors", "--data", tmp_path / "data")
    assert isinstance(result.exception, UsageError)
    assert "leave it out for one.safetensors" in str(result.exception)
    faces = np.zeros((3, 48, 48), np.uint8)
    write_store(
        tmp_path / "few", faces, np.zeros(3, np.uint8), np.zeros(3, np.uint8), source="x", source_sha256="0" * 64
    )
    result = export(*paths, "--out", tmp_path / "pair.onnx", "--data", tmp_path / "few")
    assert "no PublicTest rows" in str(result.exception)
    assert not (tmp_path / "pair.onnx").exists()
