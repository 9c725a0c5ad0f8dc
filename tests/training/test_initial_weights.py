import hashlib
from dataclasses import replace

import pytest
import torch

from mien.data.store import FaceStore
from mien.errors import ModelFileError, TrainingError
from mien.model.card import ModelCard
from mien.networks import network_entry
from mien.networks.saved import load_network, provenance, save_network
from mien.preprocess import PreprocessSpec
from mien.training.config import config_from_dict
from mien.training.data import TrainingData
from mien.training.engine import train

RECIPE = {
    "network": "mien_s",
    "epochs": 1,
    "batch_size": 10,
    "precision": "fp32",
    "schedule": {"warmup_epochs": 0},
    "preprocess": {"frame_size": 16, "input_size": 16},
}


@pytest.fixture
def data(small_store):
    store = FaceStore.open(small_store)
    return TrainingData(store, store.rows_of("Training"))


def save(path, network_name="mien_s"):
    torch.manual_seed(7)
    network = network_entry(network_name).build().eval()
    save_network(
        path,
        network,
        ModelCard(
            name="a",
            network=network_name,
            parameters=1,
            macs=1,
            preprocess=PreprocessSpec(frame_size=16, input_size=16),
        ),
    )
    return network


def test_a_training_without_steps_of_any_length_keeps_the_weights_it_started_from(data, tmp_path):
    """A learning rate of next to nothing moves no parameter; only running statistics may differ."""
    parent = dict(save(tmp_path / "parent.safetensors").named_parameters())
    config = config_from_dict(
        {**RECIPE, "initial_weights": str(tmp_path / "parent.safetensors"), "optimizer": {"learning_rate": 1e-30}}
    )
    card = train(config, data, tmp_path / "run", device="cpu")
    child = load_network(tmp_path / "run")[0]
    for name, tensor in child.named_parameters():
        torch.testing.assert_close(tensor, parent[name], rtol=1e-6, atol=1e-7)
    saved = load_network(tmp_path / "parent.safetensors")[1]
    told = {"name": "a", "licence": saved.licence} | provenance(tmp_path / "parent.safetensors", saved)
    assert card.training["initial_weights"] == told


def test_a_run_goes_on_from_the_weights_that_another_run_chose(data, tmp_path):
    config = config_from_dict(RECIPE)
    train(config, data, tmp_path / "first", device="cpu")
    second = replace(config, initial_weights=str(tmp_path / "first"), seed=1)
    card = train(second, data, tmp_path / "second", device="cpu")
    parent = load_network(tmp_path / "first")[1]
    first = parent.training
    sha256 = hashlib.sha256((tmp_path / "first" / "best.safetensors").read_bytes()).hexdigest()
    assert card.training["initial_weights"] == {
        **{"name": "mien_s", "licence": parent.licence, "network": "mien_s", "sha256": sha256},
        **first,
    }
    assert first["rows"] == 60


def test_wrong_initial_weights_are_refused_before_a_run_is_made(data, tmp_path):
    save(tmp_path / "other.safetensors", "deep_emotion")
    (tmp_path / "empty").mkdir()
    for path, error, message in (
        ("missing.safetensors", ModelFileError, "no such file or run: expected one of mien_m"),
        ("empty", ModelFileError, "a folder without best.safetensors"),
        ("other.safetensors", TrainingError, "are those of deep_emotion: expected those of mien_s"),
    ):
        config = config_from_dict({**RECIPE, "initial_weights": str(tmp_path / path)})
        with pytest.raises(error, match=message):
            train(config, data, tmp_path / "run", device="cpu")
        assert not (tmp_path / "run").exists()
