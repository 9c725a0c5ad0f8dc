"""The examples of the guide, run as they stand there."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = (Path(__file__).parents[2] / "docs/guide/service.md").read_text(encoding="utf-8")
DEFAULT = "127.0.0.1:8000"


@pytest.fixture
def run(address, astronaut_jpeg, picture, stage, write_clip, tmp_path):
    """Runs a program of the guide beside the files that it names, against the service of the tests."""
    (tmp_path / "party.jpg").write_bytes(astronaut_jpeg)
    (tmp_path / "park.png").write_bytes(picture("PNG"))
    write_clip(tmp_path / "clip.mp4", [stage((0, 40, 60))] * 3)

    def start(command, program):
        text = program.replace(DEFAULT, address)
        done = subprocess.run(command, input=text, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return start


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_curl(run, tmp_path):
    one, several, asked, drawn, video = (run(["bash"], line) for line in blocks("bash")[0].splitlines())
    assert [len(frame["faces"]) for frame in json.loads(one)] == [1]
    assert {frame["source"]: len(frame["faces"]) for frame in json.loads(several)} == {"party.jpg": 1, "park.png": 0}
    assert [face["certain"] for face in json.loads(asked)[0]["faces"]] == [True]
    assert drawn == ""
    assert (tmp_path / "party.mien.png").read_bytes().startswith(b"\x89PNG")
    assert [json.loads(line)["source"] for line in video.splitlines()] == ["clip.mp4"] * 3


def test_python(run):
    assert run([sys.executable, "-"], blocks("python")[0]).startswith("happy 0.9")


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_javascript(run):
    assert run(["node", "--input-type=module", "-"], blocks("javascript")[0]).startswith("happy ")


def test_every_option_of_the_guide_exists():
    options = set(re.findall(r"--[a-z][a-z-]+", GUIDE)) - {
        "--data-binary",
        "--soak",
        "--format",
        "--hostile",
        "--isolate",
        "--busy",
        "--save",
    }
    environment = {**os.environ, "COLUMNS": "200", "TERM": "dumb"}
    command = [sys.executable, "-m", "mien", "serve", "--help"]
    known = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    assert [option for option in options if option not in known] == []
