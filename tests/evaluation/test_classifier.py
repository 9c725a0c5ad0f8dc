import hashlib

import numpy as np
import pytest
import torch

from mien.errors import MissingExtraError, ModelFileError, UsageError
from mien.evaluation.classifier import TorchClassifier, open_classifier
from mien.evaluation.mapped import mapped
from mien.evaluation.tta import predict_logits
from mien.model.card import ModelCard
from mien.model.onnx_model import Bundle
from mien.networks.registry import network_entry
from mien.networks.saved import load_network, save_network
from mien.runs import BEST_FILE


@pytest.fixture
def faces():
    return np.random.default_rng(2).integers(0, 256, (300, 48, 48), np.uint8)


@pytest.fixture
def run(tmp_path):
    """A run folder with a network of random weights."""
    torch.manual_seed(0)
    entry = network_entry("mien_s")
    network = entry.build()
    card = ModelCard(name="mien_s", network="mien_s", parameters=1, macs=1, preprocess=entry.preprocess)
    (tmp_path / "run").mkdir()
    save_network(tmp_path / "run" / BEST_FILE, network, card)
    return tmp_path / "run", network


def test_a_torch_network_and_the_same_network_in_a_file_agree(
    tmp_path, write_linear_model, linear_card, linear_weights, faces
):
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.5), torch.nn.Linear(144, 7, bias=False))
    network[2].weight.data = torch.from_numpy(linear_weights.T.copy())
    bundle = Bundle.load(write_linear_model(tmp_path / "m.onnx"))
    ours = predict_logits(TorchClassifier(network, linear_card), faces, "tencrop")
    np.testing.assert_allclose(ours, predict_logits(bundle, faces, "tencrop"), atol=1e-4)


def test_a_torch_network_outside_a_file_has_no_hash_and_takes_no_faces_at_all(linear_card):
    model = TorchClassifier(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(144, 7)), linear_card)
    assert model.sha256 is None
    assert model.logits_of_input(np.empty((0, 1, 12, 12), np.float32)).shape == (0, 7)


@pytest.mark.parametrize("part", ["", BEST_FILE])
def test_a_run_is_opened_by_its_folder_or_its_file(run, faces, part):
    folder, network = run
    model = open_classifier(folder / part)
    inputs = model.card.preprocess.apply(faces[:4])
    with torch.inference_mode():
        expected = network.eval()(torch.from_numpy(inputs)).numpy()
    np.testing.assert_allclose(model.logits_of_input(inputs), expected, atol=1e-5)
    assert model.card.name == ("mien_s" if part else str(folder))  # of a run not what all runs of its network share
    assert model.sha256 == hashlib.sha256((folder / BEST_FILE).read_bytes()).hexdigest()


def test_a_model_file_is_opened_as_a_bundle(tmp_path, write_linear_model):
    path = write_linear_model(tmp_path / "m.onnx")
    model = open_classifier(str(path))
    assert isinstance(model, Bundle)
    assert model.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(UsageError, match="device 'mps': a model file takes one of auto, cpu, cuda, directml, coreml"):
        open_classifier(path, device="mps")


def test_a_run_refuses_what_only_onnxruntime_has(run):
    with pytest.raises(UsageError, match="device 'coreml': a run takes one of auto, cpu, cuda, mps"):
        open_classifier(run[0], device="coreml")


def test_a_run_is_computed_with_as_many_threads_as_asked_for(run):
    before = torch.get_num_threads()
    try:
        open_classifier(run[0], threads=3)
        assert torch.get_num_threads() == 3
        with pytest.raises(UsageError, match="threads is 0"):
            open_classifier(run[0], threads=0)
    finally:
        torch.set_num_threads(before)


def test_a_run_without_a_best_epoch_is_refused(tmp_path):
    with pytest.raises(ModelFileError, match=BEST_FILE):
        open_classifier(tmp_path)


def test_what_does_not_exist_is_refused(tmp_path):
    with pytest.raises(ModelFileError, match="no such model file"):
        open_classifier(tmp_path / "gone.onnx")
    with pytest.raises(ModelFileError, match="no such file"):
        open_classifier(tmp_path / "gone.safetensors")


def test_a_run_without_torch_asks_for_the_extra(run, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "mien.networks.saved", None)
    with pytest.raises(MissingExtraError, match=r"mien\[train\]"):
        open_classifier(run[0])


def test_features_of_torch_are_what_the_last_layer_was_given(faces, linear_card):
    torch.manual_seed(0)
    body = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1))
    network = torch.nn.Sequential(body, torch.nn.Flatten(), torch.nn.Dropout(), torch.nn.Linear(4, 7))
    model, inputs = TorchClassifier(network, linear_card), linear_card.preprocess.apply(faces)
    logits, features = model.features_of_input(inputs)
    with torch.inference_mode():
        expected = body(torch.from_numpy(inputs)).flatten(1)
    np.testing.assert_allclose(features, expected, atol=1e-6)
    np.testing.assert_array_equal(logits, model.logits_of_input(inputs))


def test_features_of_a_convolution_are_averaged_over_places(faces, linear_card):
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 7, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    inputs = linear_card.preprocess.apply(faces)
    _, features = TorchClassifier(network, linear_card).features_of_input(inputs)
    np.testing.assert_allclose(features, inputs.mean(axis=(2, 3)), atol=1e-6)


def test_a_model_file_is_no_file_of_weights(tmp_path, write_linear_model):
    with pytest.raises(ModelFileError, match=r"m\.onnx: an ONNX file, and weights are asked for: expected the run"):
        load_network(write_linear_model(tmp_path / "m.onnx"))


def test_a_model_of_other_classes_is_not_told_that_their_order_counts(run):
    with pytest.raises(UsageError, match=r"; expected the same classes$"):
        mapped(open_classifier(run[0]), ("yes", "no"), {}, advise=False)
