import hashlib
import json

import numpy as np
import pytest
import torch
from scipy.special import softmax
from typer.testing import CliRunner

from mien.bundle import Bundle, ModelCard
from mien.cli.main import app
from mien.data.store import FaceStore, write_store
from mien.errors import ExportError, UsageError
from mien.export.ensemble import Ensemble, calibrated, load_ensemble
from mien.models import network_entry
from mien.models.saved import save_network
from mien.preprocess import PreprocessSpec

SPEC = PreprocessSpec(frame_size=48, input_size=44)


def save_member(path, seed, temperature, spec=SPEC, **training):
    torch.manual_seed(seed)
    network = network_entry("mien_s").build().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    card = ModelCard(
        name="member",
        network="mien_s",
        parameters=10,
        macs=20,
        preprocess=spec,
        temperature=temperature,
        training={"source": "drawn", "seed": seed, **training},
    )
    save_network(path, network, card)
    return network


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


def test_it_answers_with_the_mean_of_calibrated_probabilities(tmp_path):
    networks = [save_member(tmp_path / f"{seed}.safetensors", seed, 0.5 + seed) for seed in range(3)]
    ensemble, card = load_ensemble([tmp_path / f"{seed}.safetensors" for seed in range(3)], "three")
    inputs = torch.randn(4, 1, 44, 44)
    with torch.no_grad():
        each = [softmax(network(inputs).numpy() / (0.5 + seed), axis=1) for seed, network in enumerate(networks)]
        np.testing.assert_allclose(softmax(ensemble(inputs).numpy(), axis=1), np.mean(each, axis=0), atol=1e-6)
        np.testing.assert_allclose(torch.exp(ensemble(inputs)).sum(1), 1, atol=1e-5)
    assert (card.name, card.network, card.parameters, card.macs) == ("three", "mien_s + mien_s + mien_s", 30, 60)


def test_answers_that_are_all_but_certain_stay_finite():
    class Certain(torch.nn.Module):
        def forward(self, faces):
            return torch.tensor([[300.0, -300, 0, 0, 0, 0, 0]]).expand(len(faces), 7)

    answers = Ensemble([Certain(), Certain()], [1.0, 0.5])(torch.zeros(2, 1, 4, 4))
    assert torch.isfinite(answers).all()


def test_the_card_tells_what_is_common_and_what_each_member_is(tmp_path):
    for seed in range(2):
        save_member(tmp_path / f"{seed}.safetensors", seed, 1.0, rows=5 + seed)
    _, card = load_ensemble([tmp_path / "0.safetensors", tmp_path / "1.safetensors"], "pair")
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
    network, card = load_ensemble(paths, "pair")
    card = calibrated(network, card, store)
    assert bundle.card == ModelCard.from_json(card.to_json())
    rows = store.rows_of("PublicTest")
    answers = bundle.probabilities(store.faces[rows])
    losses = {
        temperature: -np.log(
            softmax(bundle.logits(store.faces[rows]) / temperature, axis=1)[range(20), store.labels[rows]]
        ).mean()
        for temperature in (card.temperature * 0.9, card.temperature, card.temperature * 1.1)
    }
    assert min(losses, key=losses.get) == card.temperature
    assert card.public_test["n"] == 20
    assert card.training["calibrated_on"] == {"source": "random", "source_sha256": "0" * 64}
    assert card.public_test["accuracy"] == (answers.argmax(1) == store.labels[rows]).mean()


def test_a_single_run_keeps_its_card_and_may_be_named(tmp_path):
    save_member(tmp_path / "0.safetensors", 0, 1.3)
    assert export(tmp_path / "0.safetensors", "--out", tmp_path / "a.onnx", "--name", "mine").exit_code == 0
    card = Bundle.load(tmp_path / "a.onnx").card
    assert (card.name, card.temperature, json.dumps(card.training)) == ("mine", 1.3, '{"seed": 0, "source": "drawn"}')


def test_members_of_another_preprocessing_are_refused(tmp_path):
    save_member(tmp_path / "0.safetensors", 0, 1.0)
    save_member(tmp_path / "1.safetensors", 1, 1.0, PreprocessSpec(frame_size=48, input_size=40))
    with pytest.raises(ExportError, match=r"1\.safetensors: was trained with .*40.*: expected that of .*44"):
        load_ensemble([tmp_path / "0.safetensors", tmp_path / "1.safetensors"], "pair")


def test_several_runs_without_data_and_data_without_public_test_are_refused(tmp_path):
    paths = [tmp_path / "0.safetensors", tmp_path / "1.safetensors"]
    for seed, path in enumerate(paths):
        save_member(path, seed, 1.0)
    result = export(*paths, "--out", tmp_path / "pair.onnx")
    assert isinstance(result.exception, UsageError)
    assert "name the data set with --data" in str(result.exception)
    result = export(paths[0], "--out", tmp_path / "pair.onnx", "--data", tmp_path / "data")
    assert isinstance(result.exception, UsageError)
    assert "leave it out for one run" in str(result.exception)
    faces = np.zeros((3, 48, 48), np.uint8)
    write_store(
        tmp_path / "few", faces, np.zeros(3, np.uint8), np.zeros(3, np.uint8), source="x", source_sha256="0" * 64
    )
    result = export(*paths, "--out", tmp_path / "pair.onnx", "--data", tmp_path / "few")
    assert "no PublicTest rows" in str(result.exception)
    assert not (tmp_path / "pair.onnx").exists()
