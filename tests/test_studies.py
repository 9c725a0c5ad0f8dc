"""Tables of the documents are what their commands write today."""

import json
import sys
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from mien.data.store import FaceStore
from mien.training.data import TrainingData
from mien.training.engine import train
from mien.training.recipe import load_config

STUDIES = Path(__file__).parents[1] / "docs" / "studies"


@pytest.fixture
def study(monkeypatch):
    """Imports a program of the studies, which import each other by name."""
    monkeypatch.syspath_prepend(str(STUDIES))
    before = set(sys.modules)
    yield import_module
    for name in set(sys.modules) - before:
        if str(STUDIES) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_tables_are_those_of_the_figures_beside_them(study):
    tables = study("tables")
    for path, text in tables.pages().items():
        assert path.read_text(encoding="utf-8") == text, path


def test_kept_answers_come_to_the_accuracy_that_is_printed(study):
    for entry in study("tables").answers().values():
        for accuracy, right in zip(entry["accuracies"], entry.get("right", ()), strict=False):
            bits = np.unpackbits(np.frombuffer(bytes.fromhex(right), np.uint8), count=3589)
            assert bits.mean() == pytest.approx(accuracy)


def test_what_a_training_came_to_is_kept_with_what_it_did_otherwise(tmp_path, study, small_store):
    keep = study("keep")
    small = ["preprocess.frame_size=48", "precision=fp32", "batch_size=16", "select_on=PublicTest", "split=official"]
    config = load_config("deep_emotion", [*small, "epochs=2", "seed=4"])
    train(config, TrainingData.prepared(FaceStore.open(small_store), config), tmp_path / "run")
    kept = keep.answer(load_config("deep_emotion"), [tmp_path / "run"], "2026-11-26")
    answers = json.loads((tmp_path / "run/public_test.json").read_text())
    right = np.equal(answers["labels"], answers["predictions"])
    assert kept["accuracies"] == [right.mean()]
    assert np.unpackbits(np.frombuffer(bytes.fromhex(kept["right"][0]), np.uint8), count=90).tolist() == right.tolist()
    assert (kept["epochs"], kept["whole"], kept["seeds"], kept["precision"]) == (2, 200, [4], "fp32")
    assert kept["differs"] == [
        "batch_size 16, not 64", "select_on PublicTest, not held_out", "split official, not ordered_70_30"
    ]  # fmt: skip
    assert "torch" in kept["machine"]
    assert "held_out" not in kept
    assert study("tables").reached(kept)[0] == "2 of 200"


def test_a_run_that_no_claim_names_is_refused(study):
    with pytest.raises(
        SystemExit, match=r"cnn_smal: no run that claims/claims\.json names; expected one of cnn_small, "
    ):
        study("keep").recipe_of("cnn_smal")
    assert study("keep").recipe_of("deep_emotion-step").schedule.name == "step"


def test_every_claim_that_names_a_run_has_its_answer(study):
    tables = study("tables")
    named = {
        entry["run"] for section in tables.read("claims/claims.json").values() for entry in section if "run" in entry
    }
    assert named == set(tables.answers())


@pytest.mark.usefixtures("_operators_once")
def test_every_row_of_parity_works_or_differs_for_a_stated_reason(tmp_path, monkeypatch, study):
    parity = study("parity")
    monkeypatch.setattr(parity, "work", cache(lambda: tmp_path))
    written, missing = parity.table()
    assert missing == 0, written
    text = parity.CLAIMS.read_text(encoding="utf-8")
    assert text.split(parity.BEGIN)[1].split(parity.END)[0].strip() == written
