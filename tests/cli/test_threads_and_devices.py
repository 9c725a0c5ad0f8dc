"""`--threads` and `--device` as users give them, in processes of their own."""

import os
import subprocess
import sys

import onnxruntime as ort
import pytest
from PIL import Image

TRAIN = "train --recipe mien_s --data store --run run --device cpu --threads 3"
SMALL = (
    "epochs=1", "batch_size=20", "preprocess.frame_size=16", "preprocess.input_size=16", "resolutions=[]",
    "schedule.warmup_epochs=0", "precision=fp32",
)  # fmt: skip
EVALUATE = "evaluate run --data store --usage PublicTest --json --threads 2"
PROGRAM = """
import sys
from mien.cli.main import app
import torch
found = []
for words in sys.argv[1:]:
    app(words.split(), standalone_mode=False)
    found.append(torch.get_num_threads())
print(found, file=sys.stderr)
"""


def run(folder, *command):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=kept, capture_output=True, text=True, timeout=300, check=False
    )


def test_training_and_evaluating_take_the_threads_that_are_asked_for(small_store):
    train = " ".join((TRAIN, *(f"--set {word}" for word in SMALL)))
    done = run(small_store.parent, "-c", PROGRAM, train, EVALUATE)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "[3, 2]"


@pytest.fixture
def picture(tmp_path):
    Image.new("L", (48, 48), 99).save(tmp_path / "a.png")
    return tmp_path


COMMANDS = [["predict", "a.png"], ["serve"], ["evaluate", "mien_s", "--data", "store", "--usage", "PublicTest"]]
TRAINING = ["train", "--recipe", "mien_s", "--data", "store", "--run", "run"]


@pytest.mark.usefixtures("small_store")
@pytest.mark.parametrize("words", [*COMMANDS, TRAINING])
def test_a_number_of_threads_out_of_range_is_one_line(picture, words):
    done = run(picture, "-m", "mien", *words, "--threads", "0")
    assert (done.returncode, done.stdout, done.stderr.strip()) == (2, "", "mien: threads is 0: expected 1..1024")


@pytest.mark.usefixtures("small_store")
@pytest.mark.parametrize("words", COMMANDS)
def test_a_device_that_is_not_there_ends_every_command_with_one_line(picture, words):
    if "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    done = run(picture, "-m", "mien", *words, "--device", "cuda")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mien: device cuda: ")
    assert len(done.stderr.splitlines()) == 1
