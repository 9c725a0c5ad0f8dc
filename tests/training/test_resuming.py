"""`mien train --resume` without a recipe: a run goes on by its own configuration."""

import json

import pytest

from mien.toml_json import read_toml

RECIPE = """
network = "mien_s"
epochs = 2
batch_size = 20
precision = "fp32"
resolutions = [[0, 8], [1, 12]]
[preprocess]
frame_size = 16
input_size = 12
[schedule]
name = "constant"
warmup_epochs = 1
"""


@pytest.fixture
def train(mien, small_store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.toml").write_text(RECIPE)

    def run(*words):
        return mien("train", "--data", small_store, "--run", "run", "--device", "cpu", *words)

    return run


def losses(folder):
    return [json.loads(line)["loss"] for line in (folder / "log.jsonl").read_text().splitlines()]


def test_a_run_goes_on_by_its_own_configuration_and_what_is_set_now(train, tmp_path):
    begun = train("--recipe", "recipe.toml", "--set", "optimizer.learning_rate=0.05", "--set", "seed=3")
    assert begun.returncode == 0, begun.stderr
    (tmp_path / "recipe.toml").write_text("gone")
    longer = train("--resume", "--set", "epochs=3")
    assert longer.returncode == 0, longer.stderr
    config = read_toml(tmp_path / "run" / "config.toml")
    assert (config["epochs"], config["seed"], config["optimizer"]["learning_rate"]) == (3, 3, 0.05)
    assert len(losses(tmp_path / "run")) == 3
    unchanged = train("--resume")
    assert unchanged.returncode == 0, unchanged.stderr
    assert len(losses(tmp_path / "run")) == 3


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_by_its_configuration(train, tmp_path):
    settings = ("--recipe", "recipe.toml", "--set", "epochs=1", "--set", "seed=3")
    assert train(*settings).returncode == 0
    whole = losses(tmp_path / "run")
    for name in ("last.safetensors", "best.safetensors", "log.jsonl"):
        (tmp_path / "run" / name).unlink()
    resumed = train("--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert losses(tmp_path / "run") == whole


def test_what_cannot_change_is_refused_in_one_line(train, tmp_path):
    nothing = train("--resume")
    assert nothing.returncode == 1
    assert nothing.stderr == (
        "mien: run: no run to go on with: begin one with --recipe, or with --from what is to be fine-tuned\n"
    )
    assert train("--recipe", "recipe.toml", "--set", "epochs=1", "--set", "seed=3").returncode == 0
    for words, difference in (
        (["--set", "network=mien_m"], """'network = "mien_s"' then, 'network = "mien_m"' now"""),
        (["--recipe", "recipe.toml", "--set", "epochs=2"], "'seed = 3' then, 'seed = 0' now"),
    ):
        refused = train("--resume", *words)
        assert refused.returncode == 1
        assert refused.stderr.splitlines()[-1] == (
            f"mien: run: was started with another configuration ({difference}): only epochs, early_stopping, stop_on "
            "may change when it goes on; leave out the --set, --recipe or --from that changes more, or name a "
            "new folder"
        )
    (tmp_path / "rows.txt").write_text("3\n5\n")
    other = train("--resume", "--drop-rows", "rows.txt")
    assert other.stderr.splitlines()[-1] == (
        "mien: run: was started on other data (rows 60 then, 58 now): expected the same data set and --drop-rows"
    )
    unknown = train("--resume", "--set", "epoch=3")
    assert unknown.returncode == 2
    assert "unknown key epoch" in unknown.stderr
    assert len(losses(tmp_path / "run")) == 1


def test_a_checkpoint_that_was_cut_short_says_how_to_go_on(train, tmp_path):
    assert train("--recipe", "recipe.toml", "--set", "epochs=1").returncode == 0
    checkpoint = tmp_path / "run" / "last.safetensors"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    cut = train("--resume", "--set", "epochs=2")
    assert cut.returncode == 1
    assert cut.stderr.splitlines()[-1].endswith(
        "this run cannot go on; fine-tune its best network in a new folder with --from run/best.safetensors, or begin "
        "anew in a new folder"
    )
