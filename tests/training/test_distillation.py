from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import softmax

from mien.data.store import FaceStore
from mien.errors import ConfigError, ModelFileError, TrainingError
from mien.model.card import ModelCard
from mien.networks import network_entry
from mien.networks.saved import load_network, save_network
from mien.preprocess import PreprocessSpec
from mien.toml_json import to_toml
from mien.training.config import config_from_dict
from mien.training.data import TrainingData
from mien.training.distillation import Teachers, distillation_loss
from mien.training.engine import train
from mien.training.recipe import load_config

SPEC = PreprocessSpec(frame_size=16, input_size=16)
RECIPE = {
    "network": "mien_s",
    "epochs": 2,
    "batch_size": 10,
    "precision": "fp32",
    "ema_decay": 0,
    "preprocess": {"frame_size": 16, "input_size": 16},
    "loss": {"mixup": 0, "label_smoothing": 0},
}


def save_teacher(path, seed, spec=SPEC):
    torch.manual_seed(seed)
    network = network_entry("mien_s").build().eval()
    card = ModelCard(name="teacher", network="mien_s", parameters=1, macs=1, preprocess=spec)
    save_network(path, network, card)
    return network


@pytest.fixture
def store(small_store):
    return FaceStore.open(small_store)


def test_an_ensemble_answers_with_the_mean_of_its_softened_probabilities(tmp_path):
    paths = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    networks = [save_teacher(path, seed) for seed, path in enumerate(paths)]
    inputs = torch.randn(5, 1, 16, 16)
    with torch.no_grad():
        logits = [network(inputs).numpy().astype(float) for network in networks]
    expected = np.mean([softmax(values / 2.5, axis=1) for values in logits], axis=0)
    found = Teachers(list(map(str, paths)), SPEC).probabilities(inputs, 2.5)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_teacher_sees_smaller_faces_at_its_own_side(tmp_path):
    network = save_teacher(tmp_path / "a.safetensors", 0)
    inputs = torch.randn(3, 1, 8, 8)
    larger = torch.nn.functional.interpolate(inputs, (16, 16), mode="bilinear", align_corners=False)
    with torch.no_grad():
        expected = torch.softmax(network(larger), -1)
    found = Teachers([str(tmp_path / "a.safetensors")], SPEC).probabilities(inputs, 1)
    torch.testing.assert_close(found, expected)


def test_a_teacher_sees_grey_levels_on_its_own_scale(tmp_path):
    theirs = replace(SPEC, mean=0.3, std=0.7)
    network = save_teacher(tmp_path / "a.safetensors", 0, theirs)
    grey = torch.randint(0, 256, (3, 1, 16, 16)).float()
    with torch.no_grad():
        expected = torch.softmax(network(theirs.scale(grey)), -1)
    found = Teachers([str(tmp_path / "a.safetensors")], SPEC).probabilities(SPEC.scale(grey), 1)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_gradient_is_the_papers(temperature):
    """Hinton et al., equation 2: (q - p) / T for each face, times T squared."""
    logits = torch.randn(6, 7, dtype=torch.float32, requires_grad=True)
    taught = torch.softmax(torch.randn(6, 7), -1)
    distillation_loss(logits, taught, temperature).backward()
    answered = softmax(logits.detach().numpy() / temperature, axis=1)
    expected = temperature * (answered - taught.numpy()) / len(logits)
    np.testing.assert_allclose(logits.grad, expected, atol=1e-6)


def test_a_pupil_with_all_of_its_loss_from_the_teacher_ignores_the_labels(store, tmp_path):
    save_teacher(tmp_path / "teacher.safetensors", 3)
    loss = {**RECIPE["loss"], "teachers": [str(tmp_path / "teacher.safetensors")], "teacher_weight": 1.0}
    config = config_from_dict({**RECIPE, "loss": loss})
    labels = (store.labels + 1) % 7
    other = FaceStore(store.faces, np.where(store.usages == 0, labels, store.labels), store.usages, store.meta)
    for name, data in (("right", store), ("wrong", other)):
        card = train(config, TrainingData(data, data.rows_of("Training")), tmp_path / name, device="cpu")
        assert len(card.training["teachers"][0]["sha256"]) == 64
    right, wrong = (load_network(tmp_path / name)[0].state_dict() for name in ("right", "wrong"))
    assert all(torch.equal(tensor, wrong[name]) for name, tensor in right.items())


def test_a_teacher_without_weight_changes_nothing(store, tmp_path):
    save_teacher(tmp_path / "teacher.safetensors", 3)
    data = TrainingData(store, store.rows_of("Training"))
    plain = config_from_dict(RECIPE)
    taught = replace(
        plain, loss=replace(plain.loss, teachers=(str(tmp_path / "teacher.safetensors"),), teacher_weight=0)
    )
    train(plain, data, tmp_path / "plain", device="cpu")
    train(taught, data, tmp_path / "taught", device="cpu")
    found, expected = (load_network(tmp_path / name)[0].state_dict() for name in ("taught", "plain"))
    assert all(torch.equal(tensor, expected[name]) for name, tensor in found.items())


def test_wrong_teachers_are_refused_before_a_run_is_made(store, tmp_path):
    data = TrainingData(store, store.rows_of("Training"))
    save_teacher(tmp_path / "other.safetensors", 0, PreprocessSpec(frame_size=16, input_size=12))
    for path, error, message in (
        ("missing.safetensors", ModelFileError, "no such file"),
        ("other.safetensors", TrainingError, "was trained with"),
    ):
        config = config_from_dict({**RECIPE, "loss": {"teachers": [str(tmp_path / path)]}})
        with pytest.raises(error, match=message):
            train(config, data, tmp_path / "run", device="cpu")
        assert not (tmp_path / "run").exists()


def test_teachers_survive_the_file_of_the_configuration(tmp_path):
    config = config_from_dict({"network": "mien_s", "loss": {"teachers": ['runs/a "quoted"', "b\\c"]}})
    (tmp_path / "recipe.toml").write_text(to_toml(config))
    assert load_config(str(tmp_path / "recipe.toml")) == config


def test_teachers_that_are_no_texts_are_refused():
    with pytest.raises(ConfigError, match=r"loss\.teachers is \[1\]: expected texts"):
        config_from_dict({"network": "mien_s", "loss": {"teachers": [1]}})
