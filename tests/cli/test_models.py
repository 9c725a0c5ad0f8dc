"""`mien models` as a user runs it."""

import json
import subprocess
import sys
from importlib import resources

import onnx
import pytest
from typer.testing import CliRunner

from mien.cli.main import app
from mien.model.card import METADATA_KEY
from mien.networks import network_entry, network_names
from waiting import HANG

WITHOUT_TORCH = "import sys; sys.modules['torch'] = None; from mien.cli.main import run; run()"


def mien(*arguments, code="from mien.cli.main import run; run()"):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANG)


def shown(*arguments):
    """Standard output of a call that succeeds, in this process: torch is slow to import."""
    done = CliRunner().invoke(app, ["models", *arguments])
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(autouse=True)
def _narrow_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def test_json_lists_every_network():
    done = mien("models", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    listed = {network.pop("name"): network for network in json.loads(done.stdout)}
    assert sorted(listed) == list(network_names())
    assert listed["vggnet"] == {
        "parameters": 6_016_647,
        "macs": 48_905_216,
        "input": [1, 48, 48],
        "origin": network_entry("vggnet").origin,
    }


def test_the_table_lists_every_network_within_80_columns():
    lines = shown().splitlines()
    rows = [line.replace("│", " ").split() for line in lines]
    for name in network_names():
        assert [row[0] for row in rows if row].count(name) == 1
    assert ["cnn_small", "55,735,175", "121.8", "1x48x48"] in [row[:4] for row in rows]
    assert max(map(len, lines)) <= 80


def test_one_network_shows_its_layers_and_their_total():
    text = shown("vggnet")
    rows = [line.replace("│", " ").split() for line in text.splitlines()]
    assert ["0", "Conv2d", "32x48x48", "320", "663,552"] in rows
    assert ["total", "6,016,647", "48,905,216"] in rows
    assert "embedded" not in text


def test_json_of_one_network_holds_layers_that_sum_to_its_cost():
    network = json.loads(shown("deep_emotion", "--json"))
    first = {"name": "transformer.localization.conv1", "kind": "Conv2d", "output": [8, 42, 42]}
    assert network["layers"][0] == first | {"parameters": 400, "macs": 691_488}
    for cost in ("parameters", "macs"):
        assert sum(layer[cost] for layer in network["layers"]) == network[cost]
    assert network["preprocess"] == network_entry("deep_emotion").preprocess.to_dict()
    assert network["card"] is None


def test_an_embedded_model_shows_its_figures():
    with resources.as_file(resources.files("mien.model") / "weights" / "mien_s.onnx") as file:
        card = json.loads({p.key: p.value for p in onnx.load(file).metadata_props}[METADATA_KEY])
    found = json.loads(shown("mien_s", "--json"))["card"]
    found["preprocess"] = {key: found["preprocess"][key] for key in card["preprocess"]}
    assert found == card
    assert f"embedded model mien_s: accuracy {card['public_test']['accuracy']:.2%}" in shown("mien_s")


def test_an_unknown_name_lists_those_that_exist_and_the_nearest():
    done = mien("models", "resnet81")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mien: unknown network 'resnet81' (did you mean 'resnet")
    assert done.stderr.rstrip().endswith(", ".join(network_names()))
    assert done.stderr.count("\n") == 1


def test_without_the_train_extra_one_line_says_so():
    done = mien("models", code=WITHOUT_TORCH)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "mien: listing networks needs packages that are not installed: pip install 'mien[train]'\n"
