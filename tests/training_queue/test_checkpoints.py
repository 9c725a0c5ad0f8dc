"""Packed checkpoints: cut, compressed, restored to the byte, or refused; and what half precision costs."""

import hashlib
import json
import zlib

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from training_queue.checkpoints import PART_BYTES, pack, pack_hours, packs, restore, restore_missing
from training_queue.home import Home, Outcome, QueueError

from mien.data.store import FaceStore, write_store
from mien.networks.saved import load_network, load_tensors
from mien.training.config import config_from_dict
from mien.training.data import TrainingData
from mien.training.engine import train


@pytest.fixture
def homes(tmp_path):
    made = Home(tmp_path / "one"), Home(tmp_path / "two")
    for home in made:
        home.make()
    return made


def fill_run(home, name="net", size=5000):
    run = home.run(name)
    run.mkdir()
    contents = {
        "last.safetensors": np.random.default_rng(1).bytes(size),
        "best.safetensors": np.random.default_rng(2).bytes(size // 2),
        "log.jsonl": b'{"epoch": 0}\n{"epoch": 1}\n',
        "config.toml": b"epochs = 2\n",
    }
    for file, content in contents.items():
        (run / file).write_bytes(content)
    return contents


def contents_of(run):
    return {path.name: path.read_bytes() for path in run.iterdir()}


def test_parts_are_small_whole_and_restored_to_the_byte(homes, tmp_path):
    first, second = homes
    contents = fill_run(first)
    first.set_outcome("net", Outcome("failed", "f" * 64, "said so"))
    size = pack(first, "net", tmp_path / "packs", part_bytes=1000)
    parts = sorted((tmp_path / "packs" / "net").glob("last.safetensors.zlib.*"))
    assert len(parts) == 6
    assert [path.stat().st_size <= 1000 for path in parts] == [True] * 6
    joined = b"".join(path.read_bytes() for path in parts)
    assert zlib.decompress(joined) == contents["last.safetensors"]
    manifest = json.loads((tmp_path / "packs" / "net" / "manifest.json").read_text())
    stated = [part for file in manifest["files"] for part in file["parts"]]
    assert size == sum(part["bytes"] for part in stated)
    for part in stated:
        data = (tmp_path / "packs" / "net" / part["name"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (part["bytes"], part["sha256"])
    assert restore(second, "net", tmp_path / "packs") == 2
    restored = contents_of(second.run("net"))
    assert restored == contents
    assert second.outcome("net") == first.outcome("net")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300), part_bytes=st.integers(1, 50))
def test_any_bytes_come_back_from_any_cut(tmp_path_factory, content, part_bytes):
    folder = tmp_path_factory.mktemp("cut")
    first, second = Home(folder / "one"), Home(folder / "two")
    for home in (first, second):
        home.make()
    first.run("net").mkdir()
    (first.run("net") / "last.safetensors").write_bytes(content)
    pack(first, "net", folder / "packs", part_bytes=part_bytes)
    restore(second, "net", folder / "packs")
    assert contents_of(second.run("net")) == {"last.safetensors": content}


def test_parts_stay_below_what_travels():
    assert PART_BYTES < 16_000_000


def test_a_finished_training_leaves_its_checkpoint_behind(homes, tmp_path):
    first, second = homes
    fill_run(first)
    first.set_outcome("net", Outcome("done", "f" * 64))
    pack(first, "net", tmp_path / "packs")
    assert list(restore_missing(second, tmp_path / "packs")) == ["net: restored, 2 epochs done"]
    assert sorted(contents_of(second.run("net"))) == ["best.safetensors", "config.toml", "log.jsonl"]
    assert second.outcome("net") == Outcome("done", "f" * 64)


def test_a_later_pack_replaces_the_earlier_one(homes, tmp_path):
    first, _ = homes
    fill_run(first, size=5000)
    pack(first, "net", tmp_path / "packs", part_bytes=1000)
    (first.run("net") / "last.safetensors").write_bytes(b"short")
    pack(first, "net", tmp_path / "packs", part_bytes=1000)
    assert len(list((tmp_path / "packs" / "net").glob("last.*"))) == 1
    assert packs(tmp_path / "packs") == ["net"]
    assert [path.name for path in (tmp_path / "packs").iterdir()] == ["net"]


def test_what_is_there_is_never_replaced(homes, tmp_path):
    first, second = homes
    fill_run(first)
    pack(first, "net", tmp_path / "packs")
    second.run("net").mkdir()
    assert list(restore_missing(second, tmp_path / "packs")) == []
    with pytest.raises(QueueError, match="exists already"):
        restore(second, "net", tmp_path / "packs")
    with pytest.raises(QueueError, match="no whole epoch"):
        pack(first, "other", tmp_path / "packs")


@pytest.mark.parametrize("damage", ["flip", "cut", "remove", "resized", "path", "file", "manifest"])
def test_a_damaged_pack_restores_nothing(homes, tmp_path, damage):
    first, second = homes
    fill_run(first)
    pack(first, "net", tmp_path / "packs", part_bytes=1000)
    part, manifest = (tmp_path / "packs/net" / name for name in ("last.safetensors.zlib.002", "manifest.json"))
    data, document = part.read_bytes(), json.loads(manifest.read_text())
    last = next(file for file in document["files"] if file["name"] == "last.safetensors")
    match damage:
        case "flip":
            part.write_bytes(bytes([data[0] ^ 1]) + data[1:])
        case "cut":
            part.write_bytes(data[:-1])
        case "remove":
            part.unlink()
        case "resized":
            last["bytes"] -= 1
        case "path":
            last["parts"][0]["name"] = "../net/last.safetensors.zlib.000"
        case "file":
            last["name"] = "../../outcomes/net.json"
    manifest.write_text("{" if damage == "manifest" else json.dumps(document))
    with pytest.raises(QueueError) as caught:
        restore(second, "net", tmp_path / "packs")
    assert str(tmp_path / "packs" / "net") in str(caught.value)
    assert list(second.run("net").parent.iterdir()) == []


def test_hours_travel_too(homes, tmp_path):
    first, second = homes
    first.hours.write_text("{}\n")
    pack_hours(first, tmp_path / "packs")
    list(restore_missing(second, tmp_path / "packs"))
    assert second.hours.read_text() == "{}\n"


RECIPE = {
    "network": "mien_s",
    "batch_size": 14,
    "epochs": 4,
    "preprocess": {"frame_size": 16, "input_size": 16},
    "precision": "fp32",
    "ema_decay": 0.9,
    "select_on": "last",
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    random = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("data") / "tiny"
    faces, labels = random.integers(0, 256, (28, 48, 48), np.uint8), (np.arange(28) % 7).astype(np.uint8)
    write_store(path, faces, labels, np.zeros(28, np.uint8), source="made", source_sha256="0" * 64)
    store = FaceStore.open(path)
    return TrainingData(store, store.rows_of("Training"))


class _StoppedError(Exception):
    """Raised after the second epoch, in the place of a kill."""


class _StopAfterTwo:
    def begin(self, *_words):
        pass

    def advance(self, *_words):
        pass

    def end(self, reason):
        pass

    def epoch_done(self, entry):
        if entry["epoch"] == 2:
            raise _StoppedError


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_half_precision_goes_on_close_to_the_same(homes, tmp_path, tiny, optimizer):
    """Half of the bytes of average and optimizer; the weights after two more epochs differ by less than a step moves
    them, and by more than nothing.
    """
    rate = {"sgd": 0.01, "adam": 0.001}[optimizer]
    config = config_from_dict({**RECIPE, "optimizer": {"name": optimizer, "learning_rate": rate}})
    first, second = homes
    with pytest.raises(_StoppedError):
        train(config, tiny, first.run("net"), device="cpu", reporter=_StopAfterTwo())
    pack(first, "net", tmp_path / "whole")
    pack(first, "net", tmp_path / "half", half=True)
    assert json.loads((tmp_path / "half/net/manifest.json").read_text())["half"] is True
    start = load_tensors(first.run("net") / "last.safetensors")[0]
    restore(second, "net", tmp_path / "half")
    halved = load_tensors(second.run("net") / "last.safetensors")[0]
    assert size_of(halved, "network.") == size_of(start, "network.")
    for part in ("average.", "optimizer."):
        assert size_of(halved, part) == pytest.approx(size_of(start, part) / 2, rel=0.01)
    for home in homes:
        train(config, tiny, home.run("net"), device="cpu", resume=True)
    (whole, _), (half, _) = (load_network(home.run("net")) for home in homes)
    difference, moved = distance(whole.state_dict(), half.state_dict()), distance(whole.state_dict(), start, "average.")
    assert 0 < difference < 0.05 * moved


def size_of(tensors, prefix):
    return sum(tensor.nbytes for name, tensor in tensors.items() if name.startswith(prefix))


def distance(ours, theirs, prefix=""):
    pairs = [(ours[name].double(), theirs[prefix + name].double()) for name in ours if "num_batches" not in name]
    return float(torch.sqrt(sum(((mine - yours) ** 2).sum() for mine, yours in pairs)))
