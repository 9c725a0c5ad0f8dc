import json
from pathlib import Path

import numpy as np
import pytest

from mien.cli.audit import audit
from mien.data.splits import read_row_list
from mien.data.store import FaceStore, write_store
from mien.errors import MienError


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Training 0..5, PublicTest 6 and 7: row 0 is a copy of 6, row 1 of row 2, row 3 is blank."""
    squares = np.random.default_rng(3).integers(0, 256, (6, 12, 12))
    pictures = np.kron(squares, np.ones((4, 4))).astype(np.uint8)
    faces = pictures[[0, 1, 1, 2, 3, 4, 0, 5]]
    faces[3] = 77
    folder = tmp_path_factory.mktemp("audit") / "store"
    labels, usages = np.array([3, 3, 3, 3, 0, 1, 3, 6], np.uint8), np.repeat(np.array([0, 1], np.uint8), [6, 2])
    write_store(folder, faces, labels, usages, source="planted.csv", source_sha256="ab" * 32)
    return folder


def test_prints_a_verdict_and_a_table(store, mien):
    done = mien("data", "audit", store)
    assert done.returncode == 0
    assert "leak: 1 of 2 PublicTest rows stand in Training" in done.stdout
    table = [line.replace("│", " ").split() for line in done.stdout.splitlines()]
    assert ["redundant", "rows", "2"] in [cells[:3] for cells in table]
    assert "comparing faces" in done.stderr


def test_json_is_one_document_and_the_same_as_in_the_folder(store, tmp_path, mien):
    done = mien("data", "audit", store, "--json", "--out", tmp_path / "report", "--faces")
    document = json.loads(done.stdout)
    assert document["duplicates"]["rows"] == [[0, 6], [1, 2]]
    assert 3 in document["no_face"]
    assert json.loads((tmp_path / "report" / "audit.json").read_text()) == document
    assert (tmp_path / "report" / "audit.html").read_text().startswith("<!doctype html>")
    assert "audit.html" in done.stderr


def test_writes_a_clean_data_set(store, tmp_path, mien):
    done = mien("data", "audit", store, "--write-clean", tmp_path / "clean")
    assert done.returncode == 0
    assert len(FaceStore.open(tmp_path / "clean")) == 5
    assert read_row_list(tmp_path / "clean.removed.txt", 8).tolist() == [0, 2, 3]


def test_judges_labels_by_probabilities(store, tmp_path, mien):
    probabilities = np.full((8, 7), 0.01)
    probabilities[np.arange(8), [3, 3, 6, 3, 0, 1, 3, 6]] = 0.94  # row 2 is labelled happy and looks neutral
    probabilities[4] = np.nan
    np.save(tmp_path / "p.npy", probabilities)
    found = json.loads(mien("data", "audit", store, "--json", "--labels", tmp_path / "p.npy").stdout)["mislabelled"]
    assert found["judged"] == 7
    assert found["rows"] == [{"row": 2, "label": "happy", "suggested": "neutral", "margin": 0.93}]
    assert "not checked" in found["note"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"remove": ["leaks"]}, "name a folder with --write-clean"),
        ({"write_clean": Path("x"), "remove": ["leak"]}, "did you mean 'leaks'"),
        ({"write_clean": Path("x"), "remove": ["no-face"]}, "the rule no-face needs --faces"),
        ({"write_clean": Path("x"), "remove": ["mislabelled"]}, "needs --labels"),
        ({"labels": ["gone.npy"]}, r"gone\.npy"),
        ({"labels": ["nobody"]}, "nobody"),
        ({"write_clean": Path(__file__)}, "exists already"),
        ({"out": Path(__file__)}, "cannot be made a folder"),
    ],
)
def test_refuses_wrong_use_before_anything_is_compared(store, capsys, options, message):
    with pytest.raises(MienError, match=message):
        audit(store, **options)
    assert capsys.readouterr() == ("", "")


def test_wrong_use_gets_one_line_and_status_2(store, mien):
    done = mien("data", "audit", store, "--remove", "leaks")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "--write-clean" in done.stderr


def test_no_data_set(tmp_path):
    with pytest.raises(MienError, match="no data set there"):
        audit(tmp_path)
