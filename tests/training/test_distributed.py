"""Several processes train as one does: a network from a file of the user's own, on one machine and on two."""

import contextlib
import importlib
import json
import random
import socket
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from safetensors.torch import load_file

from mien.data.store import FaceStore, write_store
from mien.evaluation.classifier import TorchClassifier
from mien.evaluation.report import evaluate
from mien.networks import registry
from mien.networks.saved import load_network
from mien.training.data import TrainingData
from mien.training.engine import train
from mien.training.recipe import load_config
from waiting import HANG

# Neither dropout nor batch normalisation: what a process draws, or which faces it sees, leaves no trace but the sum.
NETWORK = """
from torch import nn

from mien.networks import register
from mien.preprocess import PreprocessSpec


@register(preprocess=PreprocessSpec(frame_size=16, input_size=16), origin="a test")
def tiny() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(256, 24), nn.Tanh(), nn.Linear(24, 7))
"""
PROGRAM = """
import tiny_network
from mien.cli.main import run

run()
"""
RECIPE = """
network = "tiny"
epochs = 3
batch_size = 12
precision = "fp32"
ema_decay = 0

[preprocess]
frame_size = 16
input_size = 16

[augment]
flip = 0
rotate = 0
scale = 0
shift = 0
brightness = 0
contrast = 0
erase = 0

[loss]
mixup = 0
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The network's file, a program that knows it, a recipe, and a data set of 12 x 9 Training rows and one more."""
    folder = tmp_path_factory.mktemp("distributed")
    (folder / "tiny_network.py").write_text(NETWORK)
    (folder / "program.py").write_text(PROGRAM)
    (folder / "recipe.toml").write_text(RECIPE)
    generator = np.random.default_rng(0)
    faces = generator.integers(0, 256, (145, 48, 48), np.uint8)
    usages = np.repeat([0, 1], [109, 36]).astype(np.uint8)
    labels = generator.integers(0, 7, 145).astype(np.uint8)
    write_store(folder / "data", faces, labels, usages, source="random", source_sha256="0" * 64)
    return folder


def words(place: Path, run: str, *options: str) -> list[str]:
    return ["train", "--recipe", "recipe.toml", "--data", "data", "--run", run, "--device", "cpu", *options]


def finish(*processes: subprocess.Popen) -> list[tuple[str, str]]:
    """What processes said, once they have ended well."""
    said = [process.communicate(timeout=HANG) for process in processes]
    for process, (_, errors) in zip(processes, said, strict=True):
        assert process.returncode == 0, errors
    return said


def start(place: Path, *command: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, *command], cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def trained(run: Path) -> tuple[list[float], dict]:
    losses = [json.loads(line)["loss"] for line in (run / "log.jsonl").read_text().splitlines()]
    return losses, load_file(run / "last.safetensors")


@pytest.fixture(scope="module")
def network(place):
    """The user's network is known in this process, too."""
    with pytest.MonkeyPatch.context() as patch, mock.patch.dict(registry._ENTRIES):
        patch.syspath_prepend(place)
        importlib.import_module("tiny_network")
        yield
        del sys.modules["tiny_network"]


@pytest.fixture(scope="module")
def alone(place, network):
    """What one process makes of it: this one."""
    store = FaceStore.open(place / "data")
    config = load_config(str(place / "recipe.toml"))
    train(config, TrainingData(store, store.rows_of("Training")), place / "alone", device="cpu", threads=1)
    return trained(place / "alone")


def assert_same_training(found, expected):
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-5)
    assert found[1].keys() == expected[1].keys()
    for name, tensor in expected[1].items():
        np.testing.assert_allclose(found[1][name], tensor, rtol=1e-3, atol=1e-6, err_msg=name)


def test_a_network_of_ones_own_needs_one_file_and_one_import(alone):
    losses, _ = alone
    assert len(losses) == 3
    assert losses[-1] < losses[0]


def test_two_processes_have_the_loss_curve_of_one_and_report_once(place, alone):
    ((output, errors),) = finish(start(place, "program.py", *words(place, "two", "--devices", "2")))
    assert_same_training(trained(place / "two"), alone)
    assert output.count(" kept\n") == 1
    assert errors.count("training tiny on 109 faces") == 1
    network, card = load_network(place / "two")
    found = evaluate(TorchClassifier(network, card), FaceStore.open(place / "data"), "PublicTest")
    assert found.accuracy == pytest.approx(card.public_test["accuracy"])
    assert card.training["machine"]["processes"] == 2


def free_port() -> int:
    """One below those that the system gives away, which a process beside this one could get before it is used."""
    while True:
        port = random.SystemRandom().randrange(20_000, 30_000)
        with socket.socket() as free, contextlib.suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port


@pytest.mark.slow  # two processes on one machine show the same curve
def test_two_machines_under_torchrun_have_the_loss_curve_of_one(place, alone):
    torchrun = ["-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1"]
    torchrun += ["--master-addr", "127.0.0.1", "--master-port", str(free_port())]
    training = ["--", "program.py", *words(place, "machines")]
    finish(*[start(place, *torchrun, "--node-rank", rank, *training) for rank in ("0", "1")])
    assert_same_training(trained(place / "machines"), alone)
