"""What a training says while it runs, and what is left after Ctrl-C."""

import io
import signal
import subprocess
import sys

import numpy as np
from rich.console import Console
from rich.progress import Progress

from mien.cli.train_progress import LINE_SECONDS, ProgressReporter
from mien.data.store import FaceStore
from mien.training.config import TrainConfig
from mien.training.data import TrainingData
from waiting import HANG, wait_for


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def told(store, config, epochs_done=0):
    """A reporter that has begun, what it writes, and its clock."""
    text, clock = io.StringIO(), Clock()
    progress = Progress(console=Console(file=text, width=200), get_time=clock)
    reporter = ProgressReporter(progress, clock)
    reporter.begin(config, TrainingData(store, np.arange(60), {"held out": 3}), "cpu", epochs_done, 60)
    return reporter, progress, text, clock


def test_a_line_comes_every_thirty_seconds_where_there_is_no_terminal(small_store):
    config = TrainConfig(network="mien_s", epochs=4, resolutions=((0, 20), (2, 40)), precision="fp32")
    reporter, _, text, clock = told(FaceStore.open(small_store), config)
    for _ in range(6):
        clock.now += LINE_SECONDS / 3
        reporter.advance(1, 10)
    lines = text.getvalue().splitlines()
    assert lines[:2] == [
        "training mien_s on 60 faces, device cpu, precision fp32",
        "left out of training: 3 rows held out",
    ]
    # 30 and 60 s of 600 s: 2 epochs at 20 px cost 60 s each, 2 at 40 px four times as much
    assert lines[2:] == [
        "epoch 1 of 4: 5.0 % of the training, 1 faces/s, left 0:09:30",
        "epoch 1 of 4: 10.0 % of the training, 1 faces/s, left 0:09:00",
    ]


def test_a_resumed_training_begins_where_its_work_stood(small_store):
    config = TrainConfig(network="mien_s", epochs=4, resolutions=((0, 20), (2, 40)))
    _, progress, _, _ = told(FaceStore.open(small_store), config, epochs_done=3)
    assert progress.tasks[0].percentage == 60


def test_an_epoch_is_one_line_and_the_end_says_how_to_go_on(small_store):
    config = TrainConfig(network="mien_s", split="stratified", select_on="held_out")
    reporter, _, text, _ = told(FaceStore.open(small_store), config)
    entry = {"epoch": 7, "loss": 1.5, "training_loss": 1.25, "training_accuracy": 0.5, "validation_loss": 1.4,
             "accuracy": 0.45, "best": True, "faces_per_second": 100.0, "learning_rate": 0.01}  # fmt: skip
    reporter.epoch_done(entry)
    reporter.end("epoch 7 of 7 is done")
    assert text.getvalue().splitlines()[2:] == [
        "epoch 7: loss 1.5000; training 0.5000 (loss 1.250), held-out 0.4500 (loss 1.400) best; 100 faces/s, "
        "learning rate 0.01",
        "ended: epoch 7 of 7 is done; train further with --resume --set epochs=N",
    ]


RECIPE = """
network = "mien_s"
epochs = 400
batch_size = 20
precision = "fp32"
[preprocess]
frame_size = 16
input_size = 12
"""


def test_after_ctrl_c_one_line_says_how_to_go_on_and_the_chart_is_there(small_store, tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE)
    words = ["train", "--recipe", "recipe.toml", "--data", small_store, "--run", "run", "--device", "cpu"]
    process = subprocess.Popen(
        [sys.executable, "-m", "mien", *map(str, words)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    log = tmp_path / "run" / "log.jsonl"
    wait_for(lambda: process.poll() is not None or (log.exists() and log.read_text()))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=HANG)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == (
        "mien: interrupted; go on with the same command and --resume: whole epochs are kept"
    )
    assert (tmp_path / "run" / "curves.png").stat().st_size > 10_000
