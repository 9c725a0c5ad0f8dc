"""A queue in a git repository of its own, driven by its command line."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from waiting import HANG

ROOT = Path(__file__).parents[2]
LIST = Path("training_queue/trainings.toml")
PACKS = LIST.with_name("checkpoints")
LARGE = ("*.onnx", "*.safetensors", "*.npz", "*.xz")
"""What no test of the queue reads: git would compress it for each of them."""


def git(folder, *words):
    name = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    done = subprocess.run(["git", "-C", folder, *name, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(root):
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "state")


@pytest.fixture
def new_queue():
    """Makes the command line of a repository's queue."""
    return Queue


@pytest.fixture
def repository(tmp_path):
    """A git repository with this code, whose list of trainings is to be written."""
    root = tmp_path / "repository"
    ignored = shutil.ignore_patterns("__pycache__", *LARGE, PACKS.name, LIST.name)
    for name in ("src/mien", LIST.parent):
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    for name in ("pyproject.toml", "constraints.txt", ".gitignore"):
        shutil.copy(ROOT / name, root)
    git(tmp_path, "init", "--quiet", root)
    commit(root)
    return root


@pytest.fixture
def write_list(repository):
    """Writes the repository's list, pinned to its newest commit, and commits it."""

    def write(text):
        (repository / LIST).write_text(f'commit = "{git(repository, "rev-parse", "HEAD")}"\n{text}')
        commit(repository)

    return write


@pytest.fixture
def clone(repository, tmp_path):
    """Commits what lies in the repository, and clones it."""

    def make():
        commit(repository)
        git(tmp_path, "clone", "--quiet", repository, tmp_path / "clone")
        return tmp_path / "clone"

    return make


class Queue:
    """The command line in a repository."""

    def __init__(self, root, python=sys.executable, **environ):
        self.root, self.home = root, root / "runs" / "queue"
        self._python, self._environ = str(python), {**os.environ, **environ}

    def begin(self, command, *words):
        line = [sys.executable, "-m", "training_queue", "--python", self._python, "--nice", "0", command, *words]
        return subprocess.Popen(
            line, cwd=self.root, env=self._environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def __call__(self, command, *words, status=0):
        process = self.begin(command, *words)
        output, errors = process.communicate(timeout=HANG)
        assert process.returncode == status, output + errors
        return output + errors

    def status(self):
        document = json.loads(self("status", "--json"))
        return {row["name"]: row for row in document["trainings"]}, document

    def states(self):
        return {name: row["state"] for name, row in self.status()[0].items()}

    def epochs(self, name):
        log = self.home / "runs" / name / "log.jsonl"
        return log.read_text().count("\n") if log.exists() else 0

    def stretches(self, name):
        lines = (self.home / "hours.jsonl").read_text().splitlines()
        return [line for line in map(json.loads, lines) if line["name"] == name]

    def running(self):
        path = self.home / "running.json"
        return json.loads(path.read_text()) if path.exists() else None
