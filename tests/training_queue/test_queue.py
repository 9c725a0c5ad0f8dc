"""The queue as its users meet it: real processes, a real git repository, a tiny data set, kills."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

ROOT = Path(__file__).parents[2]
EPOCHS = 40
SETTINGS = [
    f"epochs={EPOCHS}",
    "batch_size=14",
    "preprocess.frame_size=16",
    "preprocess.input_size=16",
    "resolutions=[]",
    "precision=fp32",
    "loss.mixup_last_epochs=0",
]

LIST = """
commit = "{commit}"
data = "tiny"

[data_sets.tiny]
csv = "QUEUE_CSV"

[[trainings]]
name = "broken"
recipe = "mien_s"
set = ["epochs=none"]

[[trainings]]
name = "pupil-of-broken"
recipe = "mien_s"
depends = ["broken"]

[[trainings]]
name = "whole"
recipe = "mien_s"
set = {settings}
after = [["models", "mien_s", "--json"], ["evaluate", "{{run}}", "--data", "nowhere", "--usage", "PublicTest"]]
"""


def git(folder, *words):
    name = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    done = subprocess.run(["git", "-C", folder, *name, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    """A git repository with this code, and a list that is pinned to it."""
    root = tmp_path / "repository"
    ignored = shutil.ignore_patterns("__pycache__", "*.onnx", "checkpoints")
    for name in ("src/mien", "training_queue"):
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    for name in ("pyproject.toml", "constraints.txt", ".gitignore"):
        shutil.copy(ROOT / name, root)
    git(tmp_path, "init", "--quiet", root)
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "code")
    listed = LIST.format(commit=git(root, "rev-parse", "HEAD"), settings=json.dumps(SETTINGS))
    (root / "training_queue" / "trainings.toml").write_text(listed)
    git(root, "commit", "--quiet", "-am", "list")
    return root


@pytest.fixture
def csv(tmp_path):
    random = np.random.default_rng(0)
    faces = random.integers(0, 256, (98, 48 * 48), np.uint8)
    usages = ["Training"] * 56 + ["PublicTest"] * 42
    rows = (f"{row % 7},{' '.join(map(str, face))},{usage}" for row, (face, usage) in enumerate(zip(faces, usages)))
    path = tmp_path / "tiny.csv"
    path.write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n")
    return path


class Queue:
    """The command line in a repository."""

    def __init__(self, root, csv):
        self.root, self.home = root, root / "runs" / "queue"
        self._environ = {**os.environ, "QUEUE_CSV": str(csv)}

    def begin(self, command, *words):
        line = [sys.executable, "-m", "training_queue", "--python", sys.executable, "--nice", "0", command, *words]
        return subprocess.Popen(
            line, cwd=self.root, env=self._environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def __call__(self, command, *words, status=0):
        process = self.begin(command, *words)
        output, errors = process.communicate(timeout=300)
        assert process.returncode == status, output + errors
        return output + errors

    def status(self):
        document = json.loads(self("status", "--json"))
        return {row["name"]: row for row in document["trainings"]}, document

    def epochs(self, name="whole"):
        log = self.home / "runs" / name / "log.jsonl"
        return log.read_text().count("\n") if log.exists() else 0

    def running(self):
        return json.loads((self.home / "running.json").read_text())


def wait_for(condition):
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def tensors(path):
    with safe_open(path, framework="np") as file:
        return {name: file.get_tensor(name) for name in file.keys()}


def test_killed_cloned_and_resumed_it_ends_with_the_same_weights(repository, csv, tmp_path):
    """Against a training that nothing interrupted: `mien train` itself, without the queue."""
    first = Queue(repository, csv)
    process = first.begin("run")
    wait_for(lambda: first.epochs() >= 2)
    process.kill()
    os.killpg(first.running()["process"], signal.SIGKILL)
    process.communicate()
    killed_after = first.epochs()
    assert 2 <= killed_after < EPOCHS
    rows, document = first.status()
    assert document["queue"] is None
    assert {name: row["state"] for name, row in rows.items()} == {
        "broken": "failed",
        "pupil-of-broken": "blocked",
        "whole": "ready",
    }
    assert "epochs is 'none': expected a whole number" in rows["broken"]["message"]

    first("pack")
    git(repository, "add", "training_queue/checkpoints")
    git(repository, "commit", "--quiet", "-m", "checkpoints")
    git(tmp_path, "clone", "--quiet", repository, tmp_path / "clone")
    second = Queue(tmp_path / "clone", csv)
    assert not second.home.exists()
    output = second("run", status=1)
    assert "whole: restored" in output
    assert "broken: begins" not in output
    (trained,) = [line for line in map(json.loads, (second.home / "hours.jsonl").open()) if line["kind"] == "training"]
    assert 2 <= trained["epochs"][0] <= killed_after + 1
    assert trained["epochs"][1] == EPOCHS
    rows, document = second.status()
    assert rows["whole"]["state"] == "done"
    assert "nowhere" in rows["whole"]["message"]
    assert '"name": "mien_s"' in (second.home / "logs" / "whole.log").read_text()
    assert 0 < document["hours"]["trained"] <= document["hours"]["up"] <= document["hours"]["at_hand"]

    whole = tmp_path / "uninterrupted"
    sets = [word for setting in SETTINGS for word in ("--set", setting)]
    words = ["train", "--recipe", "mien_s", "--data", second.home / "data" / "tiny", "--run", whole, *sets]
    subprocess.run([sys.executable, "-m", "mien", *words], check=True, capture_output=True)
    for name in ("last.safetensors", "best.safetensors"):
        expected, found = tensors(whole / name), tensors(second.home / "runs" / "whole" / name)
        assert expected.keys() == found.keys()
        for key, value in expected.items():
            assert value.tobytes() == found[key].tobytes(), (name, key)
