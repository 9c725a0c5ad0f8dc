"""A model file or an embedded model alone: `mien export` copies it, or writes it under other terms."""

import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy.special import log_softmax
from typer.testing import CliRunner

from mien.cli.main import app
from mien.data.store import write_store
from mien.errors import ModelFileError
from mien.model.embedded import read_embedded, versioned_name
from mien.model.onnx_model import Bundle
from mien.networks.saved import load_network, save_network

FACES = np.random.default_rng(0).integers(0, 256, (40, 48, 48), np.uint8)
LABELS = np.arange(40).astype(np.uint8) % 7


def export(*arguments):
    result = CliRunner().invoke(app, ["export", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_an_embedded_model_is_copied_byte_for_byte(tmp_path):
    said = export("mien_s", "--out", tmp_path / "mine.onnx")
    assert "logits within 0.0e+00 of mien_s" in said
    assert (tmp_path / "mine.onnx").read_bytes() == read_embedded(versioned_name("mien_s"))
    export(tmp_path / "mine.onnx", "--out", tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == (tmp_path / "mine.onnx").read_bytes()


def test_it_may_be_given_another_name(tmp_path):
    export("mien_s-1", "--out", tmp_path / "mine.onnx", "--name", "ours")
    renamed, whole = Bundle.load(tmp_path / "mine.onnx"), Bundle.load("mien_s-1")
    assert (renamed.card.name, renamed.card.training) == ("ours", whole.card.training)
    np.testing.assert_array_equal(renamed.logits(FACES), whole.logits(FACES))


def test_it_is_calibrated_anew_on_other_data(tmp_path):
    usages = np.repeat([0, 1], 20).astype(np.uint8)
    answers = Bundle.load("mien_s").logits(FACES).argmax(axis=1).astype(np.uint8)
    labels = np.where(np.arange(40) % 3, answers, LABELS)
    write_store(tmp_path / "data", FACES, labels, usages, source="random", source_sha256="0" * 64)
    export("mien_s", "--out", tmp_path / "mine.onnx", "--data", tmp_path / "data", "--half")
    bundle = Bundle.load(tmp_path / "mine.onnx")
    logits, labels = bundle.logits(FACES[20:]).astype(float), labels[20:]
    losses = {
        temperature: -log_softmax(logits / temperature, axis=1)[range(20), labels].sum()
        + 1 / temperature
        + np.log(temperature)  # the prior
        for temperature in bundle.card.temperature * np.array([0.9, 1, 1.1])
    }
    assert min(losses, key=losses.get) == bundle.card.temperature
    assert (bundle.card.name, bundle.card.public_test["n"]) == ("mine", 20)
    assert bundle.card.training["calibrated_on"]["source"] == "random"


def test_weights_in_the_package_are_written_to_train_on_and_interpolated(tmp_path):
    export("mien_s", "--out", tmp_path / "whole.safetensors")
    network, card = load_network(tmp_path / "whole.safetensors")
    np.testing.assert_allclose(
        network(torch.from_numpy(card.preprocess.apply(FACES[:2]))).detach().numpy(),
        Bundle.load("mien_s").logits(FACES[:2]),
        atol=1e-3,
    )
    for parameter in network.parameters():
        parameter.data += 0.01
    save_network(tmp_path / "tuned.safetensors", network, card)
    usages = np.repeat([0, 1], 20).astype(np.uint8)
    write_store(tmp_path / "data", FACES, LABELS, usages, source="random", source_sha256="0" * 64)
    between = tmp_path / "between.safetensors"
    export(
        "mien_s", tmp_path / "tuned.safetensors", "--interpolate", 0.5, "--data", tmp_path / "data", "--out", between
    )
    first, last, mean = (load_file(tmp_path / f"{name}.safetensors") for name in ("whole", "tuned", "between"))
    weights = [name for name, _ in network.named_parameters()]
    for name in weights:
        np.testing.assert_allclose(mean[name], (first[name] + last[name]) / 2, atol=1e-6)


def test_a_run_that_is_called_like_an_embedded_model_is_the_run(tmp_path, monkeypatch):
    export("mien_s", "--out", tmp_path / "w.safetensors", "--name", "of the run")
    (tmp_path / "mien_s").mkdir()
    shutil.move(tmp_path / "w.safetensors", tmp_path / "mien_s" / "best.safetensors")
    monkeypatch.chdir(tmp_path)
    assert "of torch" in export("mien_s", "--out", "run.onnx")
    assert Bundle.load("run.onnx").card.name == "of the run"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mien_z", "--out", "a.onnx"], r"mien_z: no such file or run, nor the name of an embedded model \(mien_l"),
        (["mien_l-99", "--out", "a.onnx"], r"mien_l-99: no such file or run, nor .* \(mien_l, mien_l-1, mien_l-2, "),
        (["gone.onnx", "--out", "a.onnx"], r"gone\.onnx: no such file or run, nor the name"),
        (["mien_l", "--out", "a.safetensors"], "mien_l: has no weights to train from in the package"),
        (["b.onnx", "--out", "a.safetensors"], r"b\.onnx: an ONNX file has no weights to train from"),
        (["empty.onnx", "--out", "a.onnx"], r"empty\.onnx: not a usable ONNX file"),
    ],
)
def test_what_cannot_be_exported_is_named(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b.onnx").write_bytes(read_embedded("mien_s-1"))
    (tmp_path / "empty.onnx").write_bytes(b"")
    with pytest.raises(ModelFileError, match=message):
        export(*arguments)
    assert not list(tmp_path.glob("a.*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "s.pt"], "--out s.pt: expected a name that ends in .onnx, or in .safetensors for"),
        (["--out", "s"], "--out s: expected a name that ends in .onnx, or in .safetensors for"),
        (["mien_m", "--out", "s.safetensors"], "--out s.safetensors: the mean of several models has no weights"),
        (["--out", "s.onnx", "--name", ""], "--name is '': expected printable characters in one line"),
        (["--out", "s.onnx", "--name", " "], "--name is ' ': expected printable characters in one line"),
        (["--out", "s.onnx", "--name", "a\nb"], r"--name is 'a\nb': expected printable characters in one line"),
        (["--out", "s.safetensors", "--name", "\x1b[31m"], r"--name is '\x1b[31m': expected printable characters in"),
    ],
)
def test_other_suffixes_and_names_that_cannot_be_printed_are_refused(tmp_path, monkeypatch, mien, arguments, message):
    monkeypatch.chdir(tmp_path)
    done = mien("export", "mien_s-1", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"mien: {message}")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.glob("s*"))
