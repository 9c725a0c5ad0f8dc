"""Every recipe trains one epoch on faces, is exported, and answers as its ONNX file does."""

import os
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import mien
from mien.data.store import FaceStore, write_store
from mien.export.onnx import export_onnx, probe_faces
from mien.model.onnx_model import Bundle
from mien.networks import densenet, dla, dpn, efficientnet_lite, network_entry, network_names, registry, residual
from mien.networks.layers import conv3x3, pooled_head
from mien.networks.saved import load_network
from mien.training.data import TrainingData
from mien.training.engine import train
from mien.training.recipe import load_config, recipe_names

FACES, JUDGED = 16, 8
"""One step is all that must be seen here: what training makes of many is tests/training's."""

BRIEF = ("epochs=1", "resolutions=[]", "schedule.warmup_epochs=0", "precision=fp32", "optimizer.learning_rate=0.001")
"""A small step: one at full rate from random weights makes logits of thousands, which float32 holds to 1e-3 at best."""


TWINS = {"resnet34", "preact_resnet34", "mien_m", "mien_teacher", "efficientnet_lite1", "efficientnet_lite2"}
"""Deeper or wider than another network of the same blocks: exporting them shows nothing new."""


def narrow(make):
    """A network whose linear layers, which hold nearly all of its weights, have 32 outputs but for the last."""

    def build(classes, channels):
        with mock.patch.object(nn.Linear, "reset_parameters"):  # tens of millions of numbers that nobody sees
            network = make(classes, channels)
        *hidden, last = [name for name, layer in network.named_children() if isinstance(layer, nn.Linear)]
        for name, before in zip(hidden, (None, *hidden), strict=False):
            inputs = 32 if before else getattr(network, name).in_features
            setattr(network, name, nn.Linear(inputs, 32))
        setattr(network, last, nn.Linear(32, classes))
        return network

    return build


def shallow_residual(make):
    """A network of two stages of one block each."""

    def build(classes, channels):
        with mock.patch.multiple(residual, _DEPTHS_18=(1, 1), _WIDTHS=(16, 16, 32)):
            return make(classes, channels)

    return build


def shallow_densenet(classes, channels):
    with mock.patch.object(densenet, "_DEPTHS", (2, 1)):
        return densenet.densenet(classes, channels)


def shallow_dla(classes, channels):
    trees = dla.Tree(8, 16, stride=1), dla.DeepTree(16, 32, stride=2)
    return nn.Sequential(conv3x3(channels, 8), *trees, pooled_head(32, classes))


def shallow_dpn(classes, channels):
    with mock.patch.object(dpn, "_STAGES", (dpn.Paths(32, 32, 8), dpn.Paths(32, 64, 8))):
        return dpn.dpn(classes, channels)


def shallow_efficientnet(classes, channels):
    with mock.patch.object(efficientnet_lite, "_STAGES", efficientnet_lite._STAGES[:3]):
        return efficientnet_lite.efficientnet_lite0(classes, channels)


SHALLOW = {
    "densenet": shallow_densenet,
    "dla": shallow_dla,
    "dpn": shallow_dpn,
    "efficientnet_lite0": shallow_efficientnet,
    **{name: narrow(network_entry(name).make) for name in ("cnn_small", "face_cnn", "vgg_s3")},
    **{name: shallow_residual(network_entry(name).make) for name in ("resnet18", "preact_resnet18", "senet18")},
}
"""Each kind of block of the networks that take longest: to export, for their many layers, or to save, for their many
weights. tests/networks has all of them whole.
"""

SLOW_RECIPES = {"resnet34", "preact_resnet34", "efficientnet_lite1", "efficientnet_lite2"}
"""Twins that train for long; tests/networks has their gradients."""

RECIPE_OF_NETWORK = {
    network: recipe for recipe in reversed(recipe_names()) if (network := load_config(recipe).network) not in TWINS
}


def drawn_faces(count):
    """Faces as smooth as real ones, where there is no real data set."""
    random = np.random.default_rng(0)
    coarse = torch.from_numpy(random.uniform(0, 255, (count, 1, 7, 7)))
    return torch.nn.functional.interpolate(coarse, 48, mode="bicubic").clamp(0, 255).byte()[:, 0].numpy()


@pytest.fixture(scope="module")
def store(request, tmp_path_factory):
    """A few Training and PublicTest rows, of FER2013 where it is at hand, and ten votes each for their labels."""
    folder = tmp_path_factory.mktemp("faces")
    rows = FACES + JUDGED
    if "MIEN_FER2013" in os.environ:
        whole = request.getfixturevalue("fer2013")
        chosen = np.concatenate((whole.rows_of("Training")[:FACES], whole.rows_of("PublicTest")[:JUDGED]))
        faces, labels = whole.faces[chosen], whole.labels[chosen]
    else:
        faces, labels = drawn_faces(rows), (np.arange(rows) % 7).astype(np.uint8)
    usages = np.repeat([0, 1], [FACES, JUDGED]).astype(np.uint8)
    votes = 10 * np.eye(10, dtype=np.uint8)[labels]
    write_store(folder / "few", faces, labels, usages, source="few", source_sha256="0" * 64, votes=votes)
    return FaceStore.open(folder / "few")


@pytest.fixture
def brief_folder():
    """A folder that is removed at once: the files of all networks together take gigabytes."""
    with TemporaryDirectory() as folder:
        yield Path(folder)


def settle(network, inputs):
    """Give batch normalisation the statistics of these inputs, as many steps would: after one, answers ignore faces."""
    for module in network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.reset_running_stats()
            module.momentum = None  # their plain mean
    with torch.no_grad():
        network.train()(inputs)
    network.eval()


def test_every_network_has_a_recipe():
    assert {load_config(recipe).network for recipe in recipe_names()} == set(network_names())


def brief_training(recipe, store, run):
    config = load_config(recipe, [*BRIEF, "split=official", "select_on=PublicTest"])
    card = train(config, TrainingData(store, store.rows_of("Training")), run, device="cpu")
    assert card.training["rows"] == FACES
    assert card.public_test["n"] == JUDGED
    return card


def slow(recipe, slow_ones):
    return pytest.param(recipe, marks=[pytest.mark.slow] if recipe in slow_ones else [])


FURTHER = sorted(set(recipe_names()) - set(RECIPE_OF_NETWORK.values()) | {"emotion_net"})
"""Those that are not exported; emotion_net's export is slow."""


@pytest.mark.parametrize("recipe", [slow(recipe, SLOW_RECIPES) for recipe in FURTHER])
def test_further_recipes_of_a_network_train(recipe, store, brief_folder):
    assert brief_training(recipe, store, brief_folder / "run").network == load_config(recipe).network


SLOW_EXPORTS = {RECIPE_OF_NETWORK[network] for network in (*SHALLOW, "vgg19", "emotion_net")}
"""The blocks of vgg19 are those of vgg_s3 and resnet18, and those of emotion_net, 44 of them, those of resnet18."""


@pytest.mark.parametrize("recipe", [slow(recipe, SLOW_EXPORTS) for recipe in sorted(RECIPE_OF_NETWORK.values())])
def test_trains_exports_and_agrees_with_its_file(recipe, store, brief_folder):
    assert_export_agrees(recipe, store, brief_folder)


@pytest.mark.parametrize("network", sorted(SHALLOW))
def test_a_smaller_network_of_its_blocks_trains_exports_and_agrees(network, store, brief_folder, monkeypatch):
    monkeypatch.setitem(registry._ENTRIES, network, replace(network_entry(network), make=SHALLOW[network]))
    assert_export_agrees(RECIPE_OF_NETWORK[network], store, brief_folder)


def assert_export_agrees(recipe, store, brief_folder):
    card = brief_training(recipe, store, brief_folder / "run")
    spec = card.preprocess
    network, _ = load_network(brief_folder / "run")
    seen = np.concatenate((store.faces[:FACES], probe_faces(FACES)))  # those compared here, and those export compares
    settle(network, torch.from_numpy(spec.apply(seen)))
    export_onnx(network, card, brief_folder / "model.onnx")
    inputs = spec.apply(store.faces[:JUDGED])
    with torch.inference_mode():
        expected = network(torch.from_numpy(inputs)).numpy()
    bundle = Bundle.load(brief_folder / "model.onnx")
    assert bundle.card == card
    assert_no_path_is_named(bundle.content)
    # Against what tells faces apart, or a file that is blind to them could pass.
    assert np.abs(bundle.logits_of_input(inputs) - expected).max() < 0.05 * expected.std(axis=0).max()


def assert_no_path_is_named(content):
    """The file says nothing of the machine it was written on, as torch's exporter would."""
    model = onnx.load_from_string(content)
    for weight in model.graph.initializer:
        weight.ClearField("raw_data")  # any three bytes stand somewhere in millions of weights
    said = model.SerializeToString()
    assert b".py" not in said
    for package in (mien, torch):
        assert str(Path(package.__file__).parent.parent).encode() not in said
