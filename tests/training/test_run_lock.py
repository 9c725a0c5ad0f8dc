"""One training at a time in a run folder: real processes, one of which is killed."""

import json
import subprocess
import sys

import pytest

from waiting import HANG, run, wait_for

RECIPE = """
network = "mien_s"
epochs = 100000
batch_size = 20
precision = "fp32"
resolutions = [[0, 8]]
[preprocess]
frame_size = 16
input_size = 8
[schedule]
name = "constant"
"""


@pytest.fixture
def words(small_store, tmp_path):
    """A training that does not end by itself."""
    (tmp_path / "recipe.toml").write_text(RECIPE)
    command = [sys.executable, "-m", "mien", "train", "--recipe", str(tmp_path / "recipe.toml")]
    return [*command, "--data", str(small_store), "--run", str(tmp_path / "run"), "--device", "cpu"]


def epochs(folder):
    log = folder / "log.jsonl"
    return [json.loads(line)["epoch"] for line in log.read_text().splitlines()] if log.exists() else []


def test_a_second_training_is_refused_until_the_first_has_ended_even_by_a_kill(words, tmp_path):
    folder = tmp_path / "run"
    first = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: epochs(folder) or first.poll() is not None)
        second = run([*words, "--resume"], capture_output=True, text=True)
        assert first.poll() is None
    finally:
        first.kill()
        first.wait(HANG)
    assert second.returncode == 1
    assert second.stderr.splitlines()[-1] == f"mien: {folder} is in use by process {first.pid}: wait or stop it"
    end = len(epochs(folder)) + 1
    third = run([*words, "--resume", "--set", f"epochs={end}"], capture_output=True, text=True)
    assert third.returncode == 0, third.stderr
    assert epochs(folder) == list(range(1, end + 1))
