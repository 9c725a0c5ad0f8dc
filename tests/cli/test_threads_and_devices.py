"""`--threads` and `--device` as users give them."""

import subprocess
import sys

import cv2
import onnxruntime as ort
import pytest
import torch
from PIL import Image

from waiting import HANG

TRAIN = "train --recipe mien_s --data store --run run --device cpu --threads 3"
SMALL = (
    "epochs=1", "batch_size=20", "preprocess.frame_size=16", "preprocess.input_size=16", "resolutions=[]",
    "schedule.warmup_epochs=0", "precision=fp32",
)  # fmt: skip
EVALUATE = "evaluate run --data store --usage PublicTest --json --threads 2"


@pytest.fixture
def _threads_stay():
    """What commands set of this process is set back."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


@pytest.mark.usefixtures("_threads_stay")
def test_training_and_evaluating_take_the_threads_that_are_asked_for(small_store, mien, monkeypatch):
    monkeypatch.chdir(small_store.parent)
    train = " ".join((TRAIN, *(f"--set {word}" for word in SMALL)))
    for line, threads in ((train, 3), (EVALUATE, 2)):
        done = mien(*line.split())
        assert done.returncode == 0, done.stderr
        assert torch.get_num_threads() == threads


@pytest.fixture
def place(small_store, monkeypatch):
    """A folder with a picture and a data set; the current one."""
    monkeypatch.chdir(small_store.parent)
    Image.new("L", (48, 48), 99).save("a.png")


EVALUATING = ["evaluate", "mien_s", "--data", "store", "--usage", "PublicTest"]
COMMANDS = [["predict", "a.png"], EVALUATING]
TRAINING = ["train", "--recipe", "mien_s", "--data", "store", "--run", "run"]


def serve(*options):
    """`mien serve` in a process of its own, which can be ended where it serves instead of refusing."""
    command = [sys.executable, "-m", "mien", "serve", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=False)


@pytest.mark.usefixtures("place", "_threads_stay")
@pytest.mark.parametrize("words", [*COMMANDS, TRAINING, ["serve"]])
def test_a_number_of_threads_out_of_range_is_one_line(mien, words):
    done = serve("--threads", "0") if words == ["serve"] else mien(*words, "--threads", "0")
    assert (done.returncode, done.stdout, done.stderr.strip()) == (2, "", "mien: threads is 0: expected 1..1024")


@pytest.mark.usefixtures("place", "_threads_stay")
@pytest.mark.parametrize("words", [*COMMANDS, ["serve"]])
def test_a_device_that_is_not_there_ends_every_command_with_one_line(mien, words):
    if "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    done = serve("--device", "cuda") if words == ["serve"] else mien(*words, "--device", "cuda")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mien: device cuda: ")
    assert len(done.stderr.splitlines()) == 1
