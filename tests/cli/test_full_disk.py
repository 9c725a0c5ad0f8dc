"""Commands whose disk is full: /dev/full, and files that may grow no further, as real processes meet them."""

import csv
import json
import os
import resource
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from mien.data.store import write_store
from waiting import HANG

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
FULL = "mien: standard output: cannot be written (No space left on device)"


@pytest.fixture
def workplace(tmp_path, monkeypatch, write_linear_model):
    monkeypatch.chdir(tmp_path)
    write_linear_model(tmp_path / "model.onnx")
    Image.fromarray(data.astronaut()).save("face.png")
    for number in range(30):
        Image.new("L", (48, 48), number).save(f"face-{number:02}.png")
    return tmp_path


@pytest.fixture
def store(workplace):
    zeros = np.zeros(3, np.uint8)
    write_store(workplace / "store", np.zeros((3, 48, 48), np.uint8), zeros, zeros, source="a", source_sha256="0" * 64)


def mien(*arguments, limit=None, **streams):
    """The command as installed; with a limit no file grows beyond so many bytes."""
    limited = None if limit is None else partial(resource.setrlimit, resource.RLIMIT_FSIZE, (limit, limit))
    return subprocess.run(
        [sys.executable, "-m", "mien", *arguments],
        text=True,
        timeout=HANG,
        check=False,
        preexec_fn=limited,
        **{"stderr": subprocess.PIPE, **streams},
    )


def predict(*arguments, **options):
    return mien("predict", *arguments, "--model", "model.onnx", "--detector", "none", **options)


@pytest.mark.parametrize("form", ["table", "csv", "parquet"])
def test_a_full_standard_output_is_one_line(workplace, form):
    with Path("/dev/full").open("w") as full:
        done = predict("face.png", "face-01.png", "--format", form, stdout=full)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "No space left on device" in line
    assert line.startswith("mien: ")
    assert line == FULL or form == "parquet"


@pytest.mark.parametrize(
    "command",
    [
        ["--help"],
        ["--version"],
        ["data", "info", "store"],
        ["data", "stats", "store"],
    ],
)
@pytest.mark.usefixtures("store")
def test_so_it_is_of_other_commands(command):
    with Path("/dev/full").open("w") as full:
        done = mien(*command, stdout=full)
    assert (done.returncode, done.stderr.splitlines()) == (1, [FULL])


@pytest.mark.parametrize("form", ["json", "jsonl", "csv"])
def test_rows_in_a_full_file_are_whole(workplace, form):
    with Path("rows").open("w") as rows:
        done = predict("*.png", "--format", form, limit=2_500, stdout=rows)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line == "mien: standard output: cannot be written (File too large)"
    text = Path("rows").read_text()
    read = {
        "json": lambda: [frame["source"] for frame in json.loads(text)["frames"]],
        "jsonl": lambda: [json.loads(line)["source"] for line in text.splitlines()],
        "csv": lambda: [row["source"] for row in csv.DictReader(text.splitlines()) if None not in row.values()],
    }[form]()
    assert 1 < len(read) < 31
    assert read == sorted(map(str, Path().glob("*.png")))[: len(read)]


def test_rows_are_appended_to_a_file_that_holds_others(workplace):
    Path("rows").write_text("before\n")
    with Path("rows").open("a") as rows:
        done = predict("*.png", "--format", "jsonl", limit=2_000, stdout=rows)
    assert done.returncode == 1
    first, *lines = Path("rows").read_text().splitlines()
    assert (first, len([json.loads(line) for line in lines]) > 1) == ("before", True)


def test_a_full_out_folder_is_a_line_for_each_file_and_keeps_the_rows(workplace):
    done = predict("face-01.png", "face.png", "--out", "out", "--format", "jsonl", limit=20_000, stdout=subprocess.PIPE)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 2
    assert "mien: out/face.mien.png: cannot be written (File too large)" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in Path("out").iterdir()) == ["face-01.mien.png", "results.mien.json"]
    Image.open("out/face-01.mien.png").load()


def test_messages_that_cannot_be_written_end_nothing(workplace):
    with Path("/dev/full").open("w") as full:
        done = predict("face.png", "gone.png", "--out", "out", "--format", "csv", stdout=subprocess.PIPE, stderr=full)
    assert (done.returncode, len(done.stdout.splitlines())) == (1, 3)
    assert Path("out/face.mien.png").exists()


def closed(*numbers):
    """What closes streams in a process before its command begins, as ``>&-`` does."""
    return lambda: [os.close(number) for number in numbers]


PREDICT = ["predict", "face.png", "--detector", "none", "--model", "model.onnx"]


@pytest.mark.parametrize(
    "command",
    [
        PREDICT,
        [*PREDICT, "--format", "parquet"],
        ["data", "info", "store"],  # the printer of tables and texts
        ["--help"],
    ],
)
@pytest.mark.usefixtures("store")
def test_a_closed_standard_output_is_said(command):
    done = subprocess.run(
        [sys.executable, "-m", "mien", *command],
        preexec_fn=closed(1), stderr=subprocess.PIPE, text=True, timeout=HANG, check=False,
    )  # fmt: skip
    lines = done.stderr.splitlines()
    assert [line.startswith("mien: ") and "Bad file descriptor" in line for line in lines] == [True] * len(lines)
    assert (done.returncode, lines[-1]) == (1, "mien: standard output: cannot be written (Bad file descriptor)")


def test_a_closed_standard_error_ends_nothing(workplace):
    arguments = ["predict", "face.png", "gone.png", "--detector", "none", "--model", "model.onnx", "--format", "csv"]
    done = subprocess.run(
        [sys.executable, "-m", "mien", *arguments, "--out", "out"],
        preexec_fn=closed(2), stdout=subprocess.PIPE, text=True, timeout=HANG, check=False,
    )  # fmt: skip
    assert (done.returncode, len(done.stdout.splitlines())) == (1, 3)
    assert Path("out/face.mien.png").exists()
