"""A sweep over a small set, killed, resumed and compared, as a user would."""

import json
import subprocess
import sys

import numpy as np
import pytest

from mien.cli.compare import _cells_of_all
from mien.data.store import write_store
from waiting import wait_for

SWEEP = """
seeds = [0, 1]
set = ["epochs=2", "batch_size=14", "preprocess.frame_size=16", "preprocess.input_size=16", "resolutions=[]",
       "schedule.warmup_epochs=0", "precision=fp32"]
[variants.plain]
recipe = "mien_s"
[variants.wild]
recipe = "mien_s"
set = ["optimizer.learning_rate=1e30"]
"""


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A folder with a data set and a sweep; the current one."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    faces, labels = random.integers(0, 256, (98, 48, 48), np.uint8), (np.arange(98) % 7).astype(np.uint8)
    usages = np.repeat([0, 1], [56, 42]).astype(np.uint8)
    write_store(tmp_path / "data", faces, labels, usages, source="made", source_sha256="0" * 64)
    (tmp_path / "sweep.toml").write_text(SWEEP)
    return tmp_path


def test_a_sweep_survives_a_kill_and_compares_what_can_be_compared(work, mien):
    words = ("sweep", "sweep.toml", "--data", "data", "--out", "out")
    command = [sys.executable, "-m", "mien", *words]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: first.poll() is not None or (work / "out/plain/seed-0/best.safetensors").exists())
    assert first.poll() is None, first.communicate()
    first.kill()
    first.communicate()
    second = mien(*words)
    assert second.returncode == 1
    assert "2 of 4 runs failed" in second.stderr
    assert "the loss is nan in epoch 1" in second.stderr
    assert "epoch 2 of 2 is done; train further with epochs=N in sweep.toml, for all its runs, and" in second.stderr
    assert "--resume" not in second.stderr
    assert "plain" in second.stdout
    assert "over seeds" in second.stdout
    (row,) = json.loads((work / "out/comparison.json").read_text())
    assert (row["name"], row["seeds"], row["epochs"]) == ("plain", [0, 1], [2, 2])
    assert (work / "out/curves.png").stat().st_size > 10_000
    assert (work / "out/accuracy.png").stat().st_size > 5_000
    compared = mien("compare", "out/plain/seed-0", "out/plain/seed-1", "--json")
    assert compared.returncode == 0, compared.stderr
    assert json.loads(compared.stdout) == [row]


@pytest.mark.slow  # tests/training/test_engine.py extends a run of a shortened recipe, in this process
def test_a_finished_sweep_is_trained_further_as_its_last_line_says(work, mien):
    words, brief = ("sweep", "sweep.toml", "--data", "data", "--out", "out"), SWEEP.partition("[variants.wild]")[0]
    for epochs in (1, 2):
        text = brief.replace("seeds = [0, 1]", "seeds = [0]").replace("epochs=2", f"epochs={epochs}")
        (work / "sweep.toml").write_text(text)
        assert mien(*words).returncode == 0
    (row,) = json.loads((work / "out/comparison.json").read_text())
    log = [json.loads(line) for line in (work / "out/plain/seed-0/log.jsonl").read_text().splitlines()]
    assert (row["epochs"], [entry["epoch"] for entry in log]) == ([2], [1, 2])


SEARCH = """
[search]
recipe = "mien_s"
draws = 2
halvings = 1
set = ["epochs=2", "batch_size=14", "preprocess.frame_size=16", "preprocess.input_size=16",
       "schedule.warmup_epochs=0", "precision=fp32"]
[search.values]
"optimizer.learning_rate" = { low = 0.01, high = 0.1, log = true }
"""


def test_a_search_halves_and_says_that_it_chose(work, mien):
    (work / "search.toml").write_text(SEARCH)
    done = mien("sweep", "search.toml", "--data", "data", "--out", "found")
    assert done.returncode == 0, done.stderr
    document = json.loads((work / "found/search.json").read_text())
    first, last = (rung["accuracies"] for rung in document["rungs"])
    (chosen,) = last
    assert (document["drawn"], first[chosen]) == (2, max(first.values()))
    assert [len((work / folder / "seed-0/log.jsonl").read_text().splitlines())
            for folder in ("found/rung-1/draw-1", "found/rung-1/draw-2", f"found/{chosen}")] == [1, 1, 2]  # fmt: skip
    assert "were chosen by the accuracy on the very faces" in done.stderr
    assert "train further" not in done.stderr  # a rung's runs stay as they are
    assert done.stderr.count("resolutions follows and is []") == 1  # of four settings
    assert chosen in done.stdout


FOLDED = """
seeds = [0, 1]
folds = 3
set = ["epochs=1", "batch_size=14", "preprocess.frame_size=16", "preprocess.input_size=16", "resolutions=[]",
       "schedule.warmup_epochs=0", "precision=fp32", "split=grouped_folds", "split_seed=0", "select_on=last"]
[variants.plain]
recipe = "mien_s"
"""


@pytest.mark.slow  # tests/data/test_folds.py shows that groups stay whole, the other sweeps what is judged
def test_a_sweep_over_folds_judges_every_row_once_and_keeps_groups_together(work, mien):
    random = np.random.default_rng(1)
    faces, labels = random.integers(0, 256, (84, 48, 48), np.uint8), (np.arange(84) % 7).astype(np.uint8)
    groups = np.array([f"person {number}" for number in np.arange(84) // 12 + 10 * (np.arange(84) % 2)])
    write_store(
        work / "people", faces, labels, np.zeros(84, np.uint8), source="made", source_sha256="1" * 64, groups=groups
    )
    (work / "sweep.toml").write_text(FOLDED)
    done = mien("sweep", "sweep.toml", "--data", "people", "--out", "out")
    assert done.returncode == 0, done.stderr
    assert "over 3 folds" in done.stdout
    (row,) = rows = json.loads((work / "out/comparison.json").read_text())
    assert (row["name"], row["n"], row["seeds"]) == ("plain", 84, [0, 1])
    parts = [json.loads((work / f"out/plain/seed-0/fold-{fold}/held_out.json").read_text()) for fold in range(3)]
    assert sorted(row for part in parts for row in part["rows"]) == list(range(84))
    owners = [set(groups[part["rows"]]) for part in parts]
    assert not any(owners[one] & owners[other] for one, other in ((0, 1), (0, 2), (1, 2)))
    accuracies = [
        [np.mean(np.equal(part["labels"], part["predictions"])) for part in (
            json.loads((work / f"out/plain/seed-{seed}/fold-{fold}/held_out.json").read_text()) for fold in range(3)
        )]
        for seed in (0, 1)
    ]  # fmt: skip
    over_folds = np.mean(accuracies, axis=0)
    assert row["folds"]["accuracies"] == pytest.approx(over_folds.tolist())
    assert row["folds"]["mean"] == pytest.approx(over_folds.mean())
    assert row["folds"]["deviation"] == pytest.approx(over_folds.std(ddof=1))
    header, cells = _cells_of_all(rows)
    table = dict(zip(header, cells[0], strict=True))
    assert (table["folds"], table["mean over folds, %"]) == ("3", f"{100 * over_folds.mean():.2f}")
    compared = mien("compare", *(f"out/plain/seed-0/fold-{fold}" for fold in range(3)), "--json")
    assert compared.returncode == 0, compared.stderr
    assert json.loads(compared.stdout)[0]["accuracy"] == pytest.approx(row["accuracies"][0])
    compared = mien("compare", *(f"out/plain/seed-0/fold-{fold}" for fold in range(2)))
    assert "plain, seed 0: has folds [0, 1]: expected each of 3 once" in compared.stderr


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("split=grouped_folds", "split=grouped_folds", "no groups for split=grouped_folds"),
        ("split=grouped_folds", "split=stratified", "folds is 3 and variants.plain has split=stratified"),
        ("folds = 3", "folds = 1", "folds is 1"),
    ],
)
def test_folds_that_cannot_be_made_are_refused_before_training(work, mien, before, after, message):
    (work / "sweep.toml").write_text(FOLDED.replace(before, after))
    done = mien("sweep", "sweep.toml", "--data", "data", "--out", "out")
    assert done.returncode != 0
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (work / "out").exists()
