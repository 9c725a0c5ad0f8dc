"""`mien models` as a user runs it."""

import json
import subprocess
import sys

import onnx
import pytest
from typer.testing import CliRunner

from mien.cli.main import app
from mien.model.card import METADATA_KEY
from mien.model.embedded import embedded_models, embedded_versions, read_embedded, versioned_name
from mien.networks import network_entry, network_names
from waiting import HANG

WITHOUT_TORCH = "import sys; sys.modules['torch'] = None; from mien.cli.main import run; run()"


def without_torch(*arguments):
    """The command in a process that has no torch."""
    command = [sys.executable, "-c", WITHOUT_TORCH, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANG)


def shown(*arguments):
    """Standard output of a call that succeeds, in this process: torch is slow to import."""
    done = CliRunner().invoke(app, ["models", *arguments])
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(autouse=True)
def _narrow_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def test_json_lists_every_network(mien):
    done = mien("models", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    listed = {network.pop("name"): network for network in json.loads(done.stdout)["networks"]}
    assert sorted(listed) == list(network_names())
    assert listed["vggnet"] == {
        "parameters": 6_016_647,
        "macs": 48_905_216,
        "input": [1, 48, 48],
        "origin": network_entry("vggnet").origin,
    }


def test_what_model_takes_is_listed_before_every_network():
    models, networks = (
        [line.replace("│", " ").split() for line in part.splitlines()] for part in shown().split("networks: ")
    )
    for names, rows in ((embedded_versions(), models), (network_names(), networks)):
        for name in names:
            assert [row[0] for row in rows if row].count(name) == 1
    assert ["cnn_small", "55,735,175", "121.8", "1x48x48"] in [row[:4] for row in networks]
    assert ["mien_s-1", "883,035", "84.2", "1x44x44", "68.96%"] in [
        [cell for cell in row if cell != "mien_s"][:5] for row in models
    ]
    assert [versioned_name("mien_s"), "mien_s"] in [row[:2] for row in models]


def test_one_network_shows_its_layers_and_their_total():
    text = shown("vggnet")
    rows = [line.replace("│", " ").split() for line in text.splitlines()]
    assert ["0", "Conv2d", "32x48x48", "320", "663,552"] in rows
    assert ["total", "6,016,647", "48,905,216"] in rows
    assert "embedded" not in text


def test_json_of_one_network_holds_layers_that_sum_to_its_cost():
    network = json.loads(shown("deep_emotion", "--json"))
    first = {"name": "transformer.localization.conv1", "kind": "Conv2d", "output": [8, 42, 42]}
    assert network["layers"][0] == first | {"parameters": 400, "macs": 691_488, "bias_adds": 14_112}
    for cost in ("parameters", "macs"):
        assert sum(layer[cost] for layer in network["layers"]) == network[cost]
    assert network["preprocess"] == network_entry("deep_emotion").preprocess.to_dict()
    assert network["card"] is None
    assert network["memory"]["parameters"] == 4 * 66_877
    assert network["memory"]["input"] == 4 * 48 * 48


def test_costs_stand_below_the_layers_by_both_conventions():
    """The reproduced system that counts biases states 596.90 million."""
    text = " ".join(shown("emotion_net").split())
    assert "multiply-adds 595,161,088, with biases counted 596,897,799" in text
    assert "parameters 3.51 MB" in text


def test_an_embedded_model_shows_its_figures():
    model = onnx.load_from_string(read_embedded("mien_s-1"))
    card = json.loads({p.key: p.value for p in model.metadata_props}[METADATA_KEY]) | {"name": "mien_s-1"}
    found = json.loads(shown("mien_s-1", "--json"))["card"]
    found["preprocess"] = {key: found["preprocess"][key] for key in card["preprocess"]}
    assert found == card
    assert f"model mien_s-1: accuracy {card['public_test']['accuracy']:.2%}" in shown("mien_s-1")


def test_an_unknown_name_lists_those_that_exist_and_the_nearest(mien):
    done = mien("models", "resnet81")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mien: unknown model or network 'resnet81' (did you mean 'resnet")
    assert done.stderr.rstrip().endswith(", ".join(dict.fromkeys((*embedded_models(), *network_names()))))
    assert done.stderr.count("\n") == 1


def test_an_ensemble_and_a_model_file_are_described(tmp_path, write_linear_model):
    text = shown("mien_l-1")
    assert text.startswith("mien_l-1: input 1x44x44, network mien_s + mien_s + mien_m")
    assert "model mien_l-1: accuracy 69.63%" in text
    path = write_linear_model(tmp_path / "own.onnx")
    assert "model linear: not evaluated" in shown(str(path))
    assert json.loads(shown(str(path), "--json"))["card"]["temperature"] == 1.7


def test_without_the_train_extra_models_are_listed():
    done = without_torch("models")
    assert done.returncode == 0
    for name in (*embedded_models(), *embedded_versions()):
        assert f" {name} " in done.stdout
    needs = "listing the networks that can be trained needs packages that are not installed: pip install 'mien[train]'"
    assert done.stderr == f"{needs}\n"
    as_json = json.loads(without_torch("models", "--json").stdout)
    assert ([model["name"] for model in as_json["models"]], as_json["networks"]) == (list(embedded_versions()), None)
    assert "accuracy" in without_torch("models", "mien_l").stdout
    assert without_torch("models", "mien_s").returncode == 0
    unknown = without_torch("models", "vggnet")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "pip install 'mien[train]'" in unknown.stderr
