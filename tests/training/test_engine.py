"""Whole trainings on a small set whose classes are planted, in this process and in one that is killed."""

import hashlib
import json
import logging
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from unittest import mock

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import small_network
from mien.data.store import FaceStore, write_store
from mien.errors import ConfigError, ModelFileError, TrainingError, UsageError
from mien.evaluation.classifier import TorchClassifier
from mien.evaluation.report import evaluate
from mien.model.onnx_model import softmax
from mien.networks import registry
from mien.networks.compact import CompactResNet
from mien.networks.registry import NetworkEntry, network_entry
from mien.networks.saved import load_network, save_tensors
from mien.runs import LOCK_FILE
from mien.toml_json import parse_toml, to_toml
from mien.training.checkpoint import read_progress
from mien.training.config import LossConfig, ScheduleConfig, config_from_dict
from mien.training.data import TrainingData
from mien.training.engine import train
from mien.training.precision import best_precision
from mien.training.recipe import load_config
from mien.training.reporter import SilentReporter
from waiting import HANG, wait_for

RECIPE = {
    "network": "small",
    "epochs": 6,
    "batch_size": 14,
    "precision": "fp32",
    "resolutions": [[0, 12], [3, 16]],
    "preprocess": {"frame_size": 16, "input_size": 16},
    "optimizer": {"learning_rate": 0.05},
    "schedule": {"warmup_epochs": 0.5},
    "augment": {"flip": 0, "rotate": 0, "shift": 0, "scale": 0, "erase": 0},
    "loss": {"mixup": 0.1},
    "ema_decay": 0.9,
}


def planted_faces(count, random):
    """Faces whose class shows as a bright spot at one of seven places."""
    labels = (np.arange(count) % 7).astype(np.uint8)
    faces = random.integers(0, 90, (count, 48, 48), np.uint8)
    for face, label in zip(faces, labels, strict=True):
        top, left = divmod(int(label), 3)
        face[4 + 14 * top :, 4 + 14 * left :][:12, :12] = 220
    return faces, labels


@pytest.fixture(scope="module", autouse=True)
def _registered():
    with mock.patch.dict(registry._ENTRIES, small=small_network.ENTRY):
        yield


@pytest.fixture(scope="module")
def store_path(tmp_path_factory):
    faces, labels = planted_faces(280, np.random.default_rng(0))
    usages = np.repeat([0, 1], [210, 70]).astype(np.uint8)
    path = tmp_path_factory.mktemp("data") / "planted"
    write_store(path, faces, labels, usages, source="planted", source_sha256="0" * 64)
    return path


@pytest.fixture(scope="module")
def data(store_path):
    store = FaceStore.open(store_path)
    return TrainingData(store, store.rows_of("Training"))


@pytest.fixture(scope="module")
def config():
    return config_from_dict(RECIPE)


@pytest.fixture(scope="module")
def finished(config, data, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "finished"
    return run, train(config, data, run, device="cpu")


def log_of(run):
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def test_learns_what_was_planted(finished):
    run, card = finished
    log = log_of(run)
    assert log[-1]["loss"] < log[0]["loss"]
    assert card.public_test["accuracy"] >= 0.9


def test_keeps_the_best_epoch_by_public_test(finished):
    run, card = finished
    accuracies = [entry["accuracy"] for entry in log_of(run)]
    assert card.training["best_epoch"] == int(np.argmax(accuracies)) + 1
    assert card.public_test["accuracy"] == pytest.approx(max(accuracies))


def test_card_is_what_evaluation_measures(finished, data):
    run, card = finished
    network, saved = load_network(run)
    assert saved == card
    found = evaluate(TorchClassifier(network, saved), data.store, "PublicTest").to_dict()
    for key in ("accuracy", "macro_f1", "ece", "n"):
        assert found[key] == pytest.approx(card.public_test[key], abs=1e-6), key


def test_the_card_says_where_it_was_trained_and_no_licence_that_nobody_stated(finished):
    _, card = finished
    machine = card.training["machine"]
    assert (machine["device"], machine["processes"], machine["torch"]) == ("cpu", 1, torch.__version__)
    assert machine["threads"] == torch.get_num_threads()
    assert machine["processor"]
    assert card.licence == "not stated"


def test_weights_of_data_with_terms_need_a_stated_licence(config, data, tmp_path):
    meta = replace(data.store.meta, terms="non-commercial research (RAF-DB)")
    bound = replace(data, store=replace(data.store, meta=meta))
    with pytest.raises(TrainingError, match=r"its owners' terms are 'non-commercial research \(RAF-DB\)': state the"):
        train(config, bound, tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()
    stated = replace(config, epochs=1, resolutions=(), licence="for research only")
    assert train(stated, bound, tmp_path / "run", device="cpu").licence == "for research only"


def test_temperature_is_the_best_on_public_test(finished, data):
    run, card = finished
    rows = data.store.rows_of("PublicTest")
    network, _ = load_network(run)
    with torch.inference_mode():
        logits = network(torch.from_numpy(card.preprocess.apply(data.store.faces[rows]))).numpy()

    def nll(temperature):
        own = softmax(logits / temperature)[np.arange(len(rows)), data.store.labels[rows]]
        return (1 / temperature + np.log(temperature) - np.log(own).sum()) / len(rows)  # with the prior

    assert all(nll(card.temperature) <= nll(card.temperature * factor) + 1e-7 for factor in (0.9, 0.99, 1.01, 1.1))


def test_run_folder_holds_configuration_and_curves(finished, config):
    run, _ = finished
    assert (run / "config.toml").read_text() == to_toml(config)
    board = EventAccumulator(str(run / "tensorboard")).Reload()
    assert [event.value for event in board.Scalars("accuracy")] == pytest.approx([e["accuracy"] for e in log_of(run)])
    assert [entry["input_size"] for entry in log_of(run)] == [12, 12, 12, 16, 16, 16]


def test_same_seed_same_weights_other_seed_other_weights(finished, config, data, tmp_path):
    run, _ = finished
    train(config, data, tmp_path / "again", device="cpu")
    train(replace(config, seed=1), data, tmp_path / "other", device="cpu")
    expected = load_file(run / "last.safetensors")
    assert_same_tensors(load_file(tmp_path / "again" / "last.safetensors"), expected)
    other = load_file(tmp_path / "other" / "last.safetensors")
    assert not torch.equal(other["network.head.weight"], expected["network.head.weight"])


def contents(run):
    return {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


def assert_same_tensors(found, expected):
    assert found.keys() == expected.keys()
    assert [name for name in expected if not torch.equal(found[name], expected[name])] == []


class InterruptionError(Exception):
    """Stands for the moment of a kill."""


class InterruptingReporter(SilentReporter):
    """Stops the training after a step, or after an epoch's checkpoint."""

    def __init__(self, epoch, step=None):
        self.epoch, self.step, self.steps = epoch, step, 0

    def advance(self, epoch, faces):
        self.steps = self.steps + 1 if epoch == self.epoch else 0
        if self.step is not None and self.steps == self.step:
            raise InterruptionError

    def epoch_done(self, entry):
        if self.step is None and entry["epoch"] == self.epoch:
            raise InterruptionError


def assert_same_run(found, expected):
    for name in ("last.safetensors", "best.safetensors"):
        assert_same_tensors(load_file(found / name), load_file(expected / name))
    cards = [load_network(run)[1] for run in (found, expected)]
    for card in cards:
        assert 0 < card.training.pop("seconds") < 3600
    assert cards[0] == cards[1]
    timed = {"seconds", "faces_per_second", "measuring_seconds"}
    logs = [[{k: v for k, v in e.items() if k not in timed} for e in log_of(run)] for run in (found, expected)]
    assert logs[0] == logs[1]


@pytest.mark.parametrize(("epoch", "step"), [(1, 3), (4, 1), (6, None)])
def test_interrupted_anywhere_and_resumed_ends_with_the_same_bits(finished, config, data, tmp_path, epoch, step):
    with pytest.raises(InterruptionError):
        train(config, data, tmp_path, device="cpu", reporter=InterruptingReporter(epoch, step))
    train(config, data, tmp_path, resume=True, device="cpu")
    assert_same_run(tmp_path, finished[0])


def test_adamw_resumes_as_well(config, data, tmp_path):
    config = replace(
        config, epochs=3, resolutions=(), optimizer=replace(config.optimizer, name="adamw", learning_rate=0.002)
    )
    train(config, data, tmp_path / "whole", device="cpu")
    with pytest.raises(InterruptionError):
        train(config, data, tmp_path / "cut", device="cpu", reporter=InterruptingReporter(2, 4))
    train(config, data, tmp_path / "cut", resume=True, device="cpu")
    assert_same_run(tmp_path / "cut", tmp_path / "whole")


def test_bf16_learns_as_float32_does(config, data, tmp_path):
    """In two small epochs: processors without bfloat16 take ten times as long for each."""
    brief = replace(config, epochs=2, resolutions=((0, 12),))
    for precision in ("bf16", "fp32"):
        train(replace(brief, precision=precision), data, tmp_path / precision, device="cpu")
    losses = [[entry["loss"] for entry in log_of(tmp_path / precision)] for precision in ("bf16", "fp32")]
    assert losses[0] != losses[1]
    np.testing.assert_allclose(*losses, rtol=0.03)


def training_words(store_path, run):
    recipe = run.parent / "recipe.toml"
    recipe.write_text(to_toml(config_from_dict(RECIPE)))
    return list(map(str, ("train", "--recipe", recipe, "--data", store_path, "--run", run, "--device", "cpu")))


def start_training(store_path, run, *options):
    command = [sys.executable, small_network.__file__, *training_words(store_path, run), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def has_ended(process):
    return process.poll() is not None


@pytest.mark.slow  # tests/training_queue/test_clone.py kills a process of `mien train` and compares the bits, too
def test_a_killed_process_resumes_to_the_same_bits(finished, store_path, tmp_path, mien):
    """Killed as soon as its first epoch is logged, wherever it then is; and resumed by another process, this one."""
    run = tmp_path / "killed"
    process = start_training(store_path, run)
    wait_for(lambda: has_ended(process) or ((run / "log.jsonl").exists() and log_of(run)), pause=0.001)
    assert not has_ended(process), process.communicate()
    process.kill()
    process.communicate()
    resumed = mien(*training_words(store_path, run), "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "PublicTest (70 faces, no augmentation, which chose the epoch): accuracy 1.0000" in resumed.stdout
    assert_same_run(run, finished[0])


@pytest.mark.slow  # tests/training/test_distributed.py trains in two processes, without batch normalisation
def test_two_processes_train_one_network_and_report_once(store_path, tmp_path):
    done = start_training(store_path, tmp_path / "two", "--devices", "2")
    output, errors = done.communicate(timeout=HANG)
    assert done.returncode == 0, errors
    assert output.count(" kept\n") == 1
    assert errors.count("training small on 210 faces") == 1
    network, card = load_network(tmp_path / "two")
    store = FaceStore.open(store_path)
    found = evaluate(TorchClassifier(network, card), store, "PublicTest")
    assert found.accuracy == pytest.approx(card.public_test["accuracy"])
    assert found.accuracy >= 0.9


def test_resuming_a_finished_run_changes_nothing(finished, config, data):
    run, card = finished
    before = contents(run)
    assert train(config, data, run, resume=True, device="cpu") == card
    assert contents(run) == before


def test_an_existing_run_is_never_overwritten(finished, config, data):
    with pytest.raises(TrainingError, match="holds a run already; go on with --resume"):
        train(config, data, finished[0], device="cpu")


@pytest.mark.parametrize(
    ("kept", "named"),
    [
        (("best.safetensors", "log.jsonl"), r"best\.safetensors and log\.jsonl"),
        (("best.safetensors",), r"best\.safetensors"),
        (("log.jsonl",), r"log\.jsonl"),
    ],
)
def test_a_run_without_its_checkpoint_is_never_overwritten(finished, config, data, tmp_path, kept, named):
    for name in kept:
        shutil.copy(finished[0] / name, tmp_path)
    before = contents(tmp_path)
    for resume in (False, True):
        with pytest.raises(TrainingError, match=rf"holds {named} of a run already, and no last\.safetensors to go on"):
            train(config, data, tmp_path, resume=resume, device="cpu")
    (tmp_path / LOCK_FILE).unlink()
    assert contents(tmp_path) == before


def test_a_run_killed_around_its_first_checkpoint_goes_on(config, data, tmp_path, monkeypatch):
    """Before it there may be a network beside an empty log, after it a checkpoint whose epoch the log lacks."""

    def kill(*_):
        raise InterruptionError

    brief = replace(config, epochs=1, resolutions=())
    for place, held in (("save_checkpoint", "best.safetensors"), ("RunLog.add", "last.safetensors")):
        run = tmp_path / place
        with monkeypatch.context() as moment:
            moment.setattr(f"mien.training.engine.{place}", kill)
            with pytest.raises(InterruptionError):
                train(brief, data, run, device="cpu")
        assert (run / held).exists()
        assert log_of(run) == []
        train(brief, data, run, resume=True, device="cpu")
        assert len(log_of(run)) == 1
    assert_same_run(tmp_path / "save_checkpoint", tmp_path / "RunLog.add")


def test_resuming_with_another_recipe_or_other_data_is_refused(finished, config, data):
    run, _ = finished
    with pytest.raises(TrainingError, match="'batch_size = 14' then, 'batch_size = 28' now"):
        train(replace(config, batch_size=28), data, run, resume=True, device="cpu")
    with pytest.raises(TrainingError, match="has 6 epochs behind it: expected epochs of at least that"):
        train(replace(config, epochs=5), data, run, resume=True, device="cpu")
    with pytest.raises(TrainingError, match="was started on other data"):
        train(config, replace(data, rows=data.rows[::-1]), run, resume=True, device="cpu")


def test_a_finished_run_is_extended_to_what_a_longer_one_would_be(config, data, tmp_path):
    """To the bit where nothing depends on the end; a cosine would."""
    brief = replace(config, epochs=2, resolutions=(), schedule=ScheduleConfig(name="constant", warmup_epochs=0.5))
    train(replace(brief, epochs=1), data, tmp_path / "extended", device="cpu")
    card = train(brief, data, tmp_path / "extended", resume=True, device="cpu")
    assert card.training["extended_from"] == [1]
    assert "epochs = 2\n" in (tmp_path / "extended" / "config.toml").read_text()
    train(brief, data, tmp_path / "whole", device="cpu")
    found, expected = (load_file(tmp_path / name / "last.safetensors") for name in ("extended", "whole"))
    assert_same_tensors(found, expected)
    assert train(brief, data, tmp_path / "extended", resume=True, device="cpu") == card


def test_a_run_of_a_shortened_recipe_is_extended_with_its_early_epochs_as_they_were(config, data, tmp_path, caplog):
    (tmp_path / "recipe.toml").write_text(to_toml(replace(config, epochs=4, resolutions=((0, 12), (2, 16)))))
    short, longer = (
        load_config(str(tmp_path / "recipe.toml"), [f"epochs={epochs}", "schedule.warmup_epochs=0.5"])
        for epochs in (2, 3)
    )
    assert (short.resolutions, longer.resolutions) == (((0, 12), (1, 16)), ((0, 12), (2, 16)))
    train(short, data, tmp_path / "run", device="cpu")
    with caplog.at_level(logging.INFO, logger="mien"):
        train(longer, data, tmp_path / "run", resume=True, device="cpu")
    assert [entry["input_size"] for entry in log_of(tmp_path / "run")] == [12, 16, 16]
    assert "resolutions=[[0, 12], [1, 16]] and schedule.warmup_epochs=0.5 stay as the run was begun" in caplog.text
    kept = config_from_dict(parse_toml((tmp_path / "run/config.toml").read_text()))
    assert kept == replace(longer, resolutions=short.resolutions)
    assert train(longer, data, tmp_path / "run", resume=True, device="cpu").training["extended_from"] == [2]


def change_configuration(checkpoint, before, after):
    progress = read_progress(checkpoint)
    assert before in progress.config
    config = progress.config.replace(before, after)
    save_tensors(checkpoint, load_file(checkpoint), json.dumps(asdict(replace(progress, config=config))))


def test_a_checkpoint_older_than_a_key_goes_on(finished, config, data, tmp_path):
    with pytest.raises(InterruptionError):
        train(config, data, tmp_path, device="cpu", reporter=InterruptingReporter(3))
    change_configuration(tmp_path / "last.safetensors", "vertical_flip = 0.0\n", "")
    train(config, data, tmp_path, resume=True, device="cpu")
    assert_same_run(tmp_path, finished[0])


def test_a_checkpoint_that_does_not_name_its_precision_is_refused(config, data, tmp_path):
    with pytest.raises(InterruptionError):
        train(replace(config, precision="fp32"), data, tmp_path, device="cpu", reporter=InterruptingReporter(1))
    change_configuration(tmp_path / "last.safetensors", 'precision = "fp32"\n', "")
    with pytest.raises(TrainingError, match="does not name the precision"):
        train(replace(config, precision="auto"), data, tmp_path, resume=True, device="cpu")


def test_precision_auto_is_settled_in_the_runs_configuration_and_card(config, data, tmp_path):
    card = train(replace(config, epochs=1, resolutions=(), precision="auto"), data, tmp_path / "run", device="cpu")
    assert card.training["precision"] == best_precision("cpu")
    assert f'precision = "{best_precision("cpu")}"' in (tmp_path / "run" / "config.toml").read_text()


def test_precision_auto_goes_on_in_what_the_run_was_begun_with(config, data, tmp_path):
    """Whatever this machine would choose: a run that moves to another one keeps its arithmetic."""
    brief = replace(config, epochs=2, resolutions=())
    for precision in ("bf16", "fp32"):
        run = tmp_path / precision
        with pytest.raises(InterruptionError):
            train(replace(brief, precision=precision), data, run, device="cpu", reporter=InterruptingReporter(1))
        card = train(replace(brief, precision="auto"), data, run, resume=True, device="cpu")
        assert card.training["precision"] == precision
        assert f'precision = "{precision}"' in (run / "config.toml").read_text()


def test_another_precision_than_the_runs_is_refused(finished, config, data):
    run, card = finished
    other = {"bf16": "fp32", "fp32": "bf16"}[card.training["precision"]]
    with pytest.raises(TrainingError, match=rf"another configuration \(.* then, 'precision = \"{other}\"' now"):
        train(replace(config, precision=other), data, run, resume=True, device="cpu")


def test_float16_on_a_processor_is_refused_in_one_line(config, data, tmp_path):
    with pytest.raises(TrainingError, match="precision is fp16 and the device is cpu: expected cuda"):
        train(replace(config, precision="fp16"), data, tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_a_log_that_cannot_be_written_is_an_error_in_one_line(config, data, tmp_path):
    (tmp_path / "log.jsonl").mkdir()
    with pytest.raises(TrainingError, match=r"log\.jsonl: cannot be written"):
        train(replace(config, epochs=1, resolutions=()), data, tmp_path, device="cpu")


def test_a_run_in_float16_does_not_go_on_in_another_precision_on_a_processor(config, data, tmp_path):
    with pytest.raises(InterruptionError):
        train(config, data, tmp_path, device="cpu", reporter=InterruptingReporter(1))
    change_configuration(tmp_path / "last.safetensors", 'precision = "fp32"', 'precision = "fp16"')
    with pytest.raises(TrainingError, match="precision is fp16 and the device is cpu: expected cuda"):
        train(replace(config, precision="auto"), data, tmp_path, resume=True, device="cpu")


def test_a_checkpoint_with_a_key_that_is_gone_is_refused(config, data, tmp_path):
    with pytest.raises(InterruptionError):
        train(config, data, tmp_path, device="cpu", reporter=InterruptingReporter(1))
    change_configuration(tmp_path / "last.safetensors", "vertical_flip", "sideways_flip")
    with pytest.raises(TrainingError, match=r"unknown key augment\.sideways_flip"):
        train(config, data, tmp_path, resume=True, device="cpu")


def test_damaged_checkpoint_is_named(finished, config, data, tmp_path):
    content = (finished[0] / "last.safetensors").read_bytes()
    (tmp_path / "last.safetensors").write_bytes(content[: len(content) // 3])
    with pytest.raises(ModelFileError, match="damaged"):
        train(config, data, tmp_path, resume=True, device="cpu")


def test_diverging_training_says_so(config, data, tmp_path):
    wild = replace(config, optimizer=replace(config.optimizer, learning_rate=1e30))
    with pytest.raises(TrainingError, match=r"the loss is (nan|inf) in epoch 1; lower optimizer.learning_rate"):
        train(wild, data, tmp_path / "wild", device="cpu")


def test_without_public_test_rows_the_epoch_cannot_be_chosen(config, data, tmp_path):
    store = data.store
    rows = store.rows_of("Training")
    only = FaceStore(store.faces[rows], store.labels[rows], store.usages[rows], replace(store.meta, rows=len(rows)))
    with pytest.raises(TrainingError, match=r"no PublicTest rows.*set select_on=last"):
        train(config, TrainingData(only, rows), tmp_path / "none", device="cpu")
    last = replace(config, select_on="last", epochs=1, resolutions=(), loss=LossConfig(mixup=0))
    card = train(last, TrainingData(only, rows), tmp_path / "last", device="cpu")
    assert (card.training["best_epoch"], card.public_test, card.temperature) == (1, {}, 1.0)


def test_rows_held_out_choose_the_epoch_and_public_test_is_only_measured(config, data, tmp_path):
    random = np.random.default_rng(1)
    faces = np.array(data.store.faces)
    public = data.store.rows_of("PublicTest")
    faces[public] = random.integers(0, 256, (len(public), 48, 48), np.uint8)
    store = FaceStore(faces, data.store.labels, data.store.usages, data.store.meta)
    held_out, rows = data.rows[:70], data.rows[70:]
    card = train(
        replace(config, split="stratified", select_on="held_out"),
        TrainingData(store, rows, held_out=held_out),
        tmp_path,
        device="cpu",
    )
    assert max(entry["accuracy"] for entry in log_of(tmp_path)) >= 0.9
    assert card.public_test["accuracy"] < 0.4
    assert (card.training["split"], card.training["selected_on"]) == ("stratified", "held_out")


@pytest.fixture(scope="module")
def voted(data):
    """The planted faces with wrong Training labels, and votes that are right but for 14 rows called unknown."""
    labels, training = data.store.labels.copy(), data.rows
    votes = np.zeros((len(labels), 10), np.uint8)
    votes[np.arange(len(labels)), labels] = 8
    votes[:, 7] = 2
    votes[training[:14]] = [0, 0, 0, 0, 0, 0, 0, 0, 10, 0]
    labels[training] = (labels[training] + 1) % 7
    return TrainingData(FaceStore(data.store.faces, labels, data.store.usages, data.store.meta, votes), training)


def test_votes_teach_what_wrong_labels_do_not(config, voted, tmp_path):
    loss = replace(config.loss, targets="ferplus_probability")
    card = train(replace(config, loss=loss), voted, tmp_path, device="cpu")
    assert card.public_test["accuracy"] >= 0.9
    assert card.training["rows"] == 196
    assert card.training["dropped"] == {"without a ferplus_probability target": 14}
    assert (card.training["targets"], card.training["fer2013_weight"]) == ("ferplus_probability", 0.0)
    rows = load_network(tmp_path)[1].training
    assert rows["votes_sha256"] == hashlib.sha256(voted.store.votes[voted.rows[14:]].tobytes()).hexdigest()
    changed = TrainingData(replace(voted.store, votes=voted.store.votes[::-1]), voted.rows[14:196])
    with pytest.raises(TrainingError, match="was started on other data"):
        train(replace(config, loss=loss), changed, tmp_path, resume=True, device="cpu")


def test_a_share_of_fer2013s_label_keeps_rows_without_votes(voted):
    kept = voted.with_targets(LossConfig(targets="ferplus_majority", fer2013_weight=0.1))
    assert (len(kept.rows), kept.dropped) == (210, {})
    dropped = voted.with_targets(LossConfig(targets="ferplus_majority"))
    assert (len(dropped.rows), dropped.dropped) == (196, {"without a ferplus_majority target": 14})
    assert voted.with_targets(LossConfig()) is voted


def test_the_reporter_is_told_of_the_rows_that_are_really_trained_on(config, voted, tmp_path):
    class Told(SilentReporter):
        def begin(self, config, data, device, epochs_done, faces_per_epoch):
            self.data, self.device, self.precision = data, device, config.precision

    told = Told()
    loss = LossConfig(targets="ferplus_majority")
    card = train(
        replace(config, epochs=1, resolutions=(), loss=loss), voted, tmp_path / "run", device="cpu", reporter=told
    )
    assert (len(told.data.rows), told.data.dropped) == (196, {"without a ferplus_majority target": 14})
    assert (card.training["rows"], card.training["dropped"]) == (196, told.data.dropped)
    assert (told.device, told.precision) == ("cpu", card.training["precision"])


def test_missing_votes_are_one_line_that_says_how_to_import_them(config, data, tmp_path):
    wanted = replace(config, loss=LossConfig(targets="ferplus_thresholded"))
    with pytest.raises(TrainingError, match=r"holds no FER\+ votes: import it again .*--ferplus fer2013new\.csv"):
        train(wanted, data, tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_absent_gpu_is_one_line(config, data, tmp_path):
    with pytest.raises(UsageError, match=r"^device cuda: "):
        train(config, data, tmp_path / "gpu", device="cuda")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network": "alexnet"}, "unknown network 'alexnet'"),
        ({"network": "vggnet"}, "vggnet does not take faces of 12 px: set preprocess.input_size=48 and resolutions"),
    ],
)
def test_a_network_that_cannot_serve_is_refused_before_the_run_begins(config, data, tmp_path, change, message):
    run = tmp_path / "run"
    with pytest.raises(ConfigError, match=message):
        train(replace(config, **change), data, run, device="cpu")
    assert not run.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "tpu"}, "device 'tpu'"),
        ({"device": "cpu", "threads": 0}, "threads is 0"),
        ({"device": "cpu", "devices": 3}, "processes are 3: expected at least 1, and a divisor of batch_size 14"),
        ({"device": "cpu", "devices": 0}, "processes are 0"),
    ],
)
def test_a_machine_that_cannot_serve_is_one_line(config, data, tmp_path, options, message):
    with pytest.raises((TrainingError, UsageError), match=message):
        train(config, data, tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_a_run_that_cannot_be_a_folder_is_named(config, data, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TrainingError, match="cannot be made a folder"):
        train(config, data, tmp_path / "file" / "run", device="cpu")


def test_fewer_faces_than_a_batch_are_one_step(config, data, tmp_path):
    few = replace(data, rows=data.rows[:9])
    train(replace(config, epochs=1, resolutions=(), batch_size=64), few, tmp_path / "few", device="cpu")
    assert np.isfinite(log_of(tmp_path / "few")[0]["loss"])


def test_no_training_rows_is_an_error(config, data, tmp_path):
    none = replace(data, rows=data.rows[:0], dropped={"held out": 210})
    with pytest.raises(TrainingError, match=r"no Training rows that may be used \(left out: \{'held out': 210\}\)"):
        train(config, none, tmp_path / "none", device="cpu")


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": {"name": "rmsprop", "learning_rate": 0.001}},
        {"optimizer": {"name": "adam", "learning_rate": 0.003, "clip_norm": 1.0}},
        {"optimizer": {"learning_rate": 0.05, "sam_radius": 0.05}},
        {"loss": {"name": "focal", "label_smoothing": 0, "mixup": 0, "class_weights": "balanced"}},
        {"schedule": {"name": "plateau", "patience": 0, "factor": 0.5}},
    ],
)
def test_every_way_to_train_learns_what_was_planted(data, tmp_path, settings):
    card = train(config_from_dict({**RECIPE, **settings}), data, tmp_path, device="cpu")
    assert card.public_test["accuracy"] >= 0.9


def test_early_stopping_ends_after_epochs_without_a_better_accuracy(config, data, tmp_path):
    still = replace(config, epochs=40, early_stopping=3, ema_decay=0.0)
    train(still, data, tmp_path, device="cpu")
    best = [entry["best"] for entry in log_of(tmp_path)]
    assert len(best) < 40
    assert best[-4:] == [True, False, False, False]
    before = contents(tmp_path)
    train(still, data, tmp_path, resume=True, device="cpu")
    assert contents(tmp_path) == before


def test_plateau_resumes_with_the_rate_it_had(data, tmp_path):
    config = config_from_dict({**RECIPE, "schedule": {"name": "plateau", "patience": 0, "factor": 0.5}})
    train(config, data, tmp_path / "whole", device="cpu")
    with pytest.raises(InterruptionError):
        train(config, data, tmp_path / "cut", device="cpu", reporter=InterruptingReporter(5, 2))
    train(config, data, tmp_path / "cut", resume=True, device="cpu")
    assert_same_run(tmp_path / "cut", tmp_path / "whole")
    rates = [entry["learning_rate"] for entry in log_of(tmp_path / "whole")]
    assert rates[-1] < rates[1]


def test_a_sam_radius_near_zero_trains_as_none_does(data, tmp_path):
    def still(classes, channels):
        """Without dropout, which draws again in the second pass."""
        return CompactResNet(12, ((24, 1), (48, 1)), dropout=0, drop_path=0, ends=(channels, classes))

    losses = {}
    with mock.patch.dict(registry._ENTRIES, small=NetworkEntry("small", still, small_network.SPEC, "tests")):
        for radius in (0.0, 1e-7, 0.5):
            optimizer = {"learning_rate": 0.05, "sam_radius": radius}
            config = config_from_dict({**RECIPE, "epochs": 2, "resolutions": [], "optimizer": optimizer})
            train(config, data, tmp_path / str(radius), device="cpu")
            losses[radius] = [entry["loss"] for entry in log_of(tmp_path / str(radius))]
    np.testing.assert_allclose(losses[1e-7], losses[0.0], rtol=1e-3)
    assert abs(losses[0.5][-1] / losses[0.0][-1] - 1) > 0.01


def test_clipping_bounds_the_step(data, tmp_path):
    settings = {
        "epochs": 1,
        "resolutions": [],
        "ema_decay": 0.0,
        "optimizer": {"clip_norm": 1e-9, "weight_decay": 0.0},
    }
    config = config_from_dict({**RECIPE, **settings, "schedule": {"name": "constant", "warmup_epochs": 0}})
    train(config, data, tmp_path, device="cpu")
    torch.manual_seed(config.seed)
    start = network_entry(config.network).build().head.weight
    end = load_file(tmp_path / "last.safetensors")["network.head.weight"]
    assert torch.allclose(start, end, atol=1e-6)
