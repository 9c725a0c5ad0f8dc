import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from mien.cli.main import app
from mien.data.store import FaceStore, write_store
from mien.errors import ExportError, UsageError
from mien.evaluation.temperature import fit_temperature
from mien.export.interpolation import between, measure_statistics
from mien.model.card import ModelCard
from mien.model.onnx_model import Bundle
from mien.networks import registry
from mien.networks.saved import load_network, save_network
from mien.preprocess import PreprocessSpec

SPEC = PreprocessSpec(frame_size=16, input_size=12)


def normalised():
    return nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(800, 7))


def card_of(spec, **training):
    return ModelCard(name="mine", network="normalised", parameters=1, macs=1, preprocess=spec, training=training)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    entry = registry.NetworkEntry("normalised", normalised, SPEC, "this test")
    monkeypatch.setitem(registry._ENTRIES, "normalised", entry)


@pytest.fixture
def store(tmp_path):
    random = np.random.default_rng(0)
    faces, labels = random.integers(0, 256, (60, 48, 48), np.uint8), (np.arange(60) % 7).astype(np.uint8)
    usages = np.repeat([0, 1], 30).astype(np.uint8)
    write_store(tmp_path / "data", faces, labels, usages, source="x", source_sha256="0" * 64)
    return FaceStore.open(tmp_path / "data")


@pytest.fixture
def runs(tmp_path):
    paths = [tmp_path / f"{seed}.safetensors" for seed in range(2)]
    for seed, path in enumerate(paths):
        torch.manual_seed(seed)
        save_network(path, normalised().eval(), card_of(SPEC, seed=seed))
    return paths


def export(*arguments):
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


def test_weights_are_the_weighted_mean():
    first, second = nn.Linear(3, 2), nn.Linear(3, 2)
    found = between(first, second, 0.25)
    torch.testing.assert_close(found.weight, 0.75 * first.weight + 0.25 * second.weight)


def test_statistics_are_those_of_the_faces(store):
    network = normalised().eval()
    faces = store.faces[:30]
    measure_statistics(network, SPEC, faces)
    with torch.no_grad():
        seen = network[0](torch.from_numpy(SPEC.apply(faces))).numpy()
    np.testing.assert_allclose(network[1].running_mean, seen.mean(axis=(0, 2, 3)), atol=1e-5)
    np.testing.assert_allclose(network[1].running_var, seen.var(axis=(0, 2, 3), ddof=1), rtol=1e-4)
    assert not network.training


def test_two_runs_become_one_calibrated_network(tmp_path, store, runs):
    out = tmp_path / "between.onnx"
    result = export(*runs, "--interpolate", 0.7, "--data", tmp_path / "data", "--out", out)
    assert result.exit_code == 0, result.output
    bundle, rows = Bundle.load(out), store.rows_of("PublicTest")
    logits, labels = bundle.logits(store.faces[rows]), store.labels[rows]
    assert bundle.card.temperature == pytest.approx(fit_temperature(logits, labels), rel=1e-3)
    assert bundle.card.public_test["accuracy"] == (logits.argmax(1) == labels).mean()
    mixed = bundle.card.training["interpolated"]
    assert (mixed["share"], [parent["seed"] for parent in mixed["parents"]]) == (0.7, [0, 1])
    again = export(*runs, "--interpolate", 0.7, "--data", tmp_path / "data", "--out", tmp_path / "b.safetensors")
    assert again.exit_code == 0, again.output
    network, card = load_network(tmp_path / "b.safetensors")
    assert card.temperature == bundle.card.temperature
    with torch.no_grad():
        expected = network(torch.from_numpy(SPEC.apply(store.faces)))
    np.testing.assert_allclose(expected, bundle.logits(store.faces), atol=1e-4)


def test_weights_to_train_on_can_be_stored_in_half_precision(tmp_path, runs):
    whole, halved = tmp_path / "whole.safetensors", tmp_path / "halved.safetensors"
    for path, options in ((whole, ()), (halved, ("--half",))):
        result = export(runs[0], "--out", path, *options)
        assert result.exit_code == 0, result.output
    assert halved.stat().st_size < 0.6 * whole.stat().st_size
    (expected, card), (found, its_card) = load_network(whole), load_network(halved)
    assert its_card == card
    torch.testing.assert_close(found.state_dict(), expected.state_dict(), rtol=2**-10, atol=1e-7)


def test_one_run_is_measured_anew_as_its_file_answers(tmp_path, store, runs):
    out = tmp_path / "halved.onnx"
    result = export(runs[0], "--half", "--data", tmp_path / "data", "--out", out)
    assert result.exit_code == 0, result.output
    bundle, rows = Bundle.load(out), store.rows_of("PublicTest")
    logits, labels = bundle.logits(store.faces[rows]), store.labels[rows]
    assert bundle.card.public_test["accuracy"] == (logits.argmax(1) == labels).mean()
    assert bundle.card.temperature == pytest.approx(fit_temperature(logits, labels), rel=1e-3)
    assert bundle.card.training["calibrated_on"]["source"] == "x"


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        (["--interpolate", "1"], UsageError, "expected more than 0 and less than 1"),
        (["--drop-rows", "rows.txt"], UsageError, "--drop-rows is for --interpolate"),
    ],
)
def test_wrong_use_is_said(tmp_path, store, runs, arguments, kind, words):
    result = export(*runs, "--data", tmp_path / "data", "--out", tmp_path / "out.onnx", *arguments)
    assert isinstance(result.exception, kind)
    assert words in str(result.exception)
    assert not (tmp_path / "out.onnx").exists()


def test_two_networks_with_other_preprocessing_are_refused(tmp_path, store, runs):
    other, out = tmp_path / "other.safetensors", tmp_path / "out.onnx"
    save_network(other, normalised(), card_of(PreprocessSpec(frame_size=16, input_size=14)))
    result = export(runs[0], other, "--interpolate", 0.5, "--data", tmp_path / "data", "--out", out)
    assert isinstance(result.exception, ExportError)
    assert "one network, preprocessing and set of classes" in str(result.exception)
