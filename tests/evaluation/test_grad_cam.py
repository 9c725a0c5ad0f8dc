import json

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from torch import nn

from mien.errors import ModelFileError
from mien.evaluation.classifier import TorchClassifier
from mien.evaluation.grad_cam import GradCam, grad_cam
from mien.model.card import ModelCard
from mien.networks.registry import network_entry
from mien.networks.saved import save_network
from mien.preprocess import PreprocessSpec


def network():
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 7)).eval()


def test_of_a_mean_and_a_linear_layer_it_is_the_class_activation_map():
    """Zhou et al., arXiv 1512.04150: sum over k of the weight of map k for the class, divided by the places."""
    model, inputs = network(), torch.randn(1, 1, 12, 12)
    with torch.inference_mode():
        maps = model[:2](inputs)[0]
        expected = torch.einsum("ck,khw->chw", model[4].weight, maps).clamp(min=0) / maps[0].numel()
    np.testing.assert_allclose(grad_cam(model, inputs), expected, atol=1e-6)


def test_the_margin_that_the_network_does_not_see_says_nothing():
    spec = PreprocessSpec(frame_size=48, input_size=32)
    card = ModelCard(name="small", network="small", parameters=1, macs=1, preprocess=spec)
    face = np.random.default_rng(1).integers(0, 256, (48, 48), np.uint8)
    found = GradCam(TorchClassifier(network(), card)).evidence(face)
    assert found.shape == (7, 48, 48)
    assert found.max() > 0
    border = np.ones((48, 48), bool)
    border[8:40, 8:40] = False
    assert np.abs(found[:, border]).max() == 0


def test_a_network_without_maps_is_named():
    with pytest.raises(ModelFileError, match="model flat: no maps of features"):
        grad_cam(nn.Sequential(nn.Flatten(), nn.Linear(144, 7)).eval(), torch.randn(1, 1, 12, 12), "flat")


@pytest.mark.parametrize(("options", "method"), [([], "grad-cam"), (["--method", "rise"], "rise")])
def test_the_command_explains_a_network_in_torch(mien, tmp_path, options, method):
    torch.manual_seed(0)
    spec = PreprocessSpec(frame_size=64, input_size=64)
    card = ModelCard(name="tiny", network="mini_xception", parameters=1, macs=1, preprocess=spec)
    save_network(tmp_path / "tiny.safetensors", network_entry("mini_xception").build(), card)
    Image.fromarray(data.astronaut()).save(tmp_path / "a.png")
    done = mien(
        "explain", tmp_path / "a.png", "--model", tmp_path / "tiny.safetensors", "--out", tmp_path, "--json", *options
    )
    document = json.loads(done.stdout)
    assert document["model"]["name"] == "tiny"
    assert document["pictures"][0]["faces"][0]["method"] == method
