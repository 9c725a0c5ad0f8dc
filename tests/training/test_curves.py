"""What each epoch measures, against torch and scikit-learn, and the files and charts that show it."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from sklearn import metrics as sk
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.nn import functional as F

from mien.data.store import FaceStore, write_store
from mien.errors import DivergedError
from mien.evaluation.measured import MeasuredFaces
from mien.evaluation.run_chart import draw_run
from mien.networks.registry import network_entry
from mien.runs import LOG_COLUMNS, read_log
from mien.training.chart_reporter import ChartReporter, what_the_loss_holds
from mien.training.chosen import TRAINING_SAMPLE, ChosenNetwork, sample_rows
from mien.training.config import TrainConfig, config_from_dict
from mien.training.data import TrainingData
from mien.training.engine import train
from mien.training.objective import Objective
from mien.training.recipe import load_config
from mien.training.reporter import Reporters, SilentReporter
from mien.training.stopping import epochs_without_gain, reason_to_end

RECIPE = {
    "network": "mien_s",
    "epochs": 2,
    "batch_size": 28,
    "precision": "fp32",
    "preprocess": {"frame_size": 16, "input_size": 12},
    "schedule": {"warmup_epochs": 0.5},
    "ema_decay": 0.5,
}


class Told(SilentReporter):
    def __init__(self):
        self.events = []

    def begin(self, config, data, device, epochs_done, faces_per_epoch):
        self.events.append(("begin", epochs_done, faces_per_epoch))

    def epoch_done(self, entry):
        self.events.append(("epoch", entry["epoch"]))

    def end(self, reason):
        self.events.append(("end", reason))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The run of two epochs on 1,008 planted Training faces and 42 of PublicTest, its data and what it reported."""
    folder = tmp_path_factory.mktemp("curves")
    random = np.random.default_rng(0)
    labels = (np.arange(1050) % 7).astype(np.uint8)
    faces = random.integers(0, 90, (1050, 48, 48), np.uint8)
    for face, label in zip(faces, labels, strict=True):
        face[6 * label :][:6] += np.uint8(120)
    usages = np.repeat([0, 1], [1008, 42]).astype(np.uint8)
    write_store(folder / "store", faces, labels, usages, source="planted.csv", source_sha256="0" * 64)
    store = FaceStore.open(folder / "store")
    data, told = TrainingData(store, store.rows_of("Training")), Told()
    run = folder / "run"
    with ChartReporter(run) as chart:
        train(config_from_dict(RECIPE), data, run, device="cpu", reporter=Reporters(told, chart))
    return run, data, told


def test_an_epoch_measures_what_torch_and_scikit_learn_find(trained):
    run, data, _ = trained
    entry = read_log(run)[-1]
    network = network_entry("mien_s").build().eval()
    tensors = load_file(run / "last.safetensors")
    network.load_state_dict({name[8:]: tensors[name] for name in tensors if name.startswith("average.")})
    spec = config_from_dict(RECIPE).preprocess

    def answers(rows):
        with torch.inference_mode():
            logits = network(torch.from_numpy(spec.apply(data.store.faces[rows])))
        labels = torch.from_numpy(data.store.labels[rows]).long()
        return F.cross_entropy(logits, labels).item(), logits.argmax(1).numpy(), labels.numpy()

    loss, predicted, labels = answers(data.store.rows_of("PublicTest"))
    assert entry["validation_loss"] == pytest.approx(loss, rel=1e-5)
    assert entry["accuracy"] == pytest.approx(sk.accuracy_score(labels, predicted))
    assert entry["macro_f1"] == pytest.approx(sk.f1_score(labels, predicted, average="macro", zero_division=0))
    assert entry["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(labels, predicted))
    sample = sample_rows(data.rows)
    loss, predicted, labels = answers(sample)
    assert len(set(sample)) == TRAINING_SAMPLE
    assert set(sample) <= set(data.rows)
    assert entry["training_loss"] == pytest.approx(loss, rel=1e-5)
    assert entry["training_accuracy"] == pytest.approx(sk.accuracy_score(labels, predicted))


def test_measuring_moves_no_random_draw_and_no_weight(trained):
    run, data, _ = trained
    config = config_from_dict(RECIPE)
    chosen = ChosenNetwork(config, data, {}, run, torch.device("cpu"))
    network = network_entry("mien_s").build().eval()
    before, state = torch.get_rng_state(), {name: value.clone() for name, value in network.state_dict().items()}
    assert chosen.measure(network) == chosen.measure(network)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


def test_a_table_holds_what_the_log_holds(trained):
    run, _, told = trained
    entries = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [set(entry) for entry in entries] == [{"epoch", *LOG_COLUMNS}] * 2
    with (run / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["epoch", *LOG_COLUMNS]
    assert [{name: str(value) for name, value in entry.items()} for entry in entries] == rows
    assert told.events == [("begin", 0, 1008), ("epoch", 1), ("epoch", 2), ("end", "epoch 2 of 2 is done")]


def test_tensorboard_has_every_curve_the_settings_and_augmented_faces(trained):
    run, _, _ = trained
    board = EventAccumulator(str(run / "tensorboard")).Reload()
    for name in set(LOG_COLUMNS) - {"best"}:
        assert [event.value for event in board.Scalars(name)] == pytest.approx([e[name] for e in read_log(run)])
    assert [event.step for event in board.Scalars("macro_f1")] == [1, 2]
    (sheet,) = board.Images("augmented samples")
    assert (sheet.width, sheet.height) >= (4 * 12, 2 * 12)
    assert b"optimizer.learning_rate" in board.SummaryMetadata("_hparams_/session_start_info").plugin_data.content


def test_the_chart_is_drawn_while_it_trains_and_at_the_end(trained):
    run, _, _ = trained
    with Image.open(run / "curves.png") as picture:
        assert picture.size == (1350, 900)


def test_the_chart_shows_each_curve_and_marks_the_epoch_kept():
    history = [
        {"epoch": 1, "loss": 2.0, "training_loss": 1.5, "validation_loss": 1.6, "training_accuracy": 0.4,
         "accuracy": 0.35, "macro_f1": 0.3, "balanced_accuracy": 0.31, "learning_rate": 0.1, "best": True},
        {"epoch": 2, "loss": 1.0, "learning_rate": 0.05, "accuracy": 0.2, "best": False},
    ]  # fmt: skip
    figure = draw_run(history, "made up", "augmented, smoothed")
    lines = {line.get_label().split(":")[0].split(" (")[0]: line for axes in figure.axes for line in axes.get_lines()}
    assert {"training sample", "validation", "macro F1", "balanced accuracy", "minimised"} <= set(lines)
    assert list(lines["validation"].get_ydata()) == [0.35, 0.2]
    assert list(lines["macro F1"].get_xdata()) == [1]
    assert "2 epochs; epoch 1 is the best: validation accuracy 0.350" in figure.get_suptitle()
    assert any(line.get_label().startswith("minimised (augmented, smoothed): 1") for line in figure.axes[0].get_lines())
    assert "1 epoch; " in draw_run(history[:1], "made up").get_suptitle()


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [("face_cnn", []), ("vgg_s3", ["augmented"]), ("mien_s", ["augmented", "smoothed", "mixup"])],
)
def test_the_legend_says_what_the_minimised_loss_holds(recipe, expected):
    assert what_the_loss_holds(load_config(recipe)) == expected


def test_logs_that_count_from_zero_are_read_from_one(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"epoch": 0, "loss": 2.0}\n{"epoch": 1, "loss": 1.0}\n')
    assert [entry["epoch"] for entry in read_log(tmp_path)] == [1, 2]


def test_answers_that_are_no_numbers_end_the_training_in_one_line(trained, monkeypatch):
    run, data, _ = trained
    chosen = ChosenNetwork(config_from_dict(RECIPE), data, {}, run, torch.device("cpu"))
    monkeypatch.setattr(MeasuredFaces, "logits", lambda self, *_, **__: np.full((len(self.labels), 7), np.nan))
    with pytest.raises(DivergedError, match="answers are not finite"):
        chosen.measure(network_entry("mien_s").build())


@pytest.mark.parametrize(
    ("values", "expected"), [([], 0), ([0.5], 0), ([0.5, 0.5], 1), ([0.2, 0.6, 0.5, 0.6], 2), ([0.3, 0.2, 0.4], 0)]
)
def test_epochs_since_the_best(values, expected):
    assert epochs_without_gain([{"accuracy": value} for value in values], "accuracy") == expected
    losses = [{"validation_loss": -value, "accuracy": 0.1} for value in values]
    assert epochs_without_gain(losses, "validation_loss") == expected


def test_rows_keep_their_order_where_they_are_not_shuffled(trained, tmp_path, monkeypatch):
    """What each step was asked to train on; the rows beyond the last whole batch are left out."""
    _, data, _ = trained
    few, asked = replace(data, rows=data.rows[:66]), []
    draw = Objective.draw
    monkeypatch.setattr(Objective, "draw", lambda self, rows: (asked.append(rows.tolist()), draw(self, rows))[1])
    for shuffle in (False, True):
        config = replace(config_from_dict(RECIPE), epochs=1, shuffle=shuffle)
        train(config, few, tmp_path / str(shuffle), device="cpu")
    assert asked[:2] == [list(range(28)), list(range(28, 56))]
    assert len({*asked[2], *asked[3]}) == 56
    assert asked[2] != sorted(asked[2])


def test_early_stopping_watches_the_loss_where_it_is_told_to():
    config = TrainConfig(network="mien_s", epochs=9, early_stopping=2)
    history = [{"accuracy": 0.1 * epoch, "validation_loss": 1 + epoch} for epoch in range(3)]
    assert reason_to_end(config, history) is None
    stopped = reason_to_end(replace(config, stop_on="validation_loss"), history)
    assert stopped == "early stopping: no better validation loss for 2 epochs"
    assert reason_to_end(replace(config, epochs=3), history) == "epoch 3 of 3 is done"
