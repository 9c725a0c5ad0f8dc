import csv
from dataclasses import replace

import numpy as np
import pytest

from mien.data.audit.cleaning import RULES, removals, write_clean
from mien.data.audit.findings import audit
from mien.data.splits import read_row_list
from mien.data.store import FaceStore, StoreMeta
from mien.defaults import DEFAULT_RULES
from mien.errors import DataError, UsageError

PICTURES = np.kron(np.random.default_rng(3).integers(0, 256, (12, 12, 12)), np.ones((4, 4))).astype(np.uint8)
FLAT = np.full((48, 48), 9, np.uint8)


def shifted(face):
    return np.pad(face, ((2, 0), (0, 0)), mode="edge")[:48]


FACES = [
    PICTURES[0],  # 0 Training: labels differ from 1
    PICTURES[0],  # 1 Training
    PICTURES[1],  # 2 Training: stands in PublicTest 10
    PICTURES[2],  # 3 Training: kept, 4 repeats it, 5 nearly so
    PICTURES[2],
    shifted(PICTURES[2]),
    FLAT,  # 6 Training
    shifted(PICTURES[3]),  # 7 Training: nearly PublicTest 11
    PICTURES[4],  # 8 Training: alone
    FLAT,  # 9 PublicTest
    PICTURES[1],  # 10 PublicTest
    PICTURES[3],  # 11 PublicTest
]
STORE = FaceStore(
    np.stack(FACES),
    np.array([0, 1, *[3] * 10], np.uint8),
    np.repeat(np.array([0, 1], np.uint8), [9, 3]),
    StoreMeta(12, "planted.csv", "ab" * 32),
)
FOUND = audit(STORE)


def removed(*rules):
    return {item.row: item.rule for item in removals(FOUND, rules)}


@pytest.mark.parametrize(
    ("rule", "rows"),
    [
        ("leaks", [2, 6]),
        ("conflicts", [0, 1]),
        ("constant", [6]),
        ("copies", [1, 4]),
        ("near-leaks", [7]),
        ("near-copies", [1, 4, 5]),
    ],
)
def test_each_rule_removes_its_rows(rule, rows):
    assert removed(rule) == dict.fromkeys(rows, rule)


def test_by_default_what_needs_no_judgement_goes_each_row_once_under_the_first_rule():
    assert removed(*DEFAULT_RULES) == {0: "conflicts", 1: "conflicts", 2: "leaks", 4: "copies", 6: "leaks"}


def test_no_test_row_is_ever_removed():
    found = replace(FOUND, no_face=np.arange(12))
    rows = [item.row for item in removals(found, [rule for rule in RULES if rule != "mislabelled"])]
    assert rows == list(range(9))


def test_reasons_name_the_evidence():
    reasons = {item.row: item.reason for item in removals(FOUND, ["leaks", "conflicts", "copies"])}
    assert reasons[2] == "identical to PublicTest row 10"
    assert reasons[1] == "2 identical rows are labelled angry and disgust"
    assert reasons[4] == "identical to Training row 3"


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("leak", r"unknown rule 'leak' \(did you mean 'leaks'\?\): expected some of leaks, conflicts"),
        ("no-face", "--faces"),
        ("mislabelled", "--labels"),
    ],
)
def test_refuses_rules_that_cannot_be_followed(rule, message):
    with pytest.raises(UsageError, match=message):
        removals(FOUND, [rule])


def test_writes_what_is_left_and_says_what_went(tmp_path):
    gone = removals(FOUND)
    paths = write_clean(STORE, gone, tmp_path / "new" / "clean")
    assert [path.name for path in paths] == ["clean", "clean.removed.csv", "clean.removed.txt"]
    clean, kept = FaceStore.open(paths[0]), [3, 5, 7, 8, 9, 10, 11]
    for name in ("faces", "labels", "usages"):
        assert np.array_equal(getattr(clean, name), getattr(STORE, name)[kept])
    assert clean.meta.source == "planted.csv without 5 rows"
    with paths[1].open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["row"], row["rule"], row["label"]) for row in rows][:2] == [
        ("0", "conflicts", "angry"),
        ("1", "conflicts", "disgust"),
    ]
    assert {row["usage"] for row in rows} == {"Training"}
    assert read_row_list(paths[2], len(STORE)).tolist() == [0, 1, 2, 4, 6]


def test_other_rows_make_another_hash(tmp_path):
    first, second = (write_clean(STORE, removals(FOUND, [rule]), tmp_path / rule)[0] for rule in ("leaks", "copies"))
    hashes = {FaceStore.open(path).meta.source_sha256 for path in (first, second)} | {STORE.meta.source_sha256}
    assert len(hashes) == 3


def test_votes_stay_with_their_rows(tmp_path):
    votes = np.arange(120, dtype=np.uint8).reshape(12, 10)
    (clean, *_) = write_clean(replace(STORE, votes=votes), removals(FOUND), tmp_path / "clean")
    assert np.array_equal(FaceStore.open(clean).votes, votes[[3, 5, 7, 8, 9, 10, 11]])


def test_writes_over_nothing_and_leaves_something(tmp_path):
    with pytest.raises(DataError, match="exists already"):
        write_clean(STORE, [], tmp_path)
    alone = FaceStore(STORE.faces[:2], STORE.labels[:2], STORE.usages[:2], StoreMeta(2, "two.csv", "cd" * 32))
    with pytest.raises(DataError, match="no row would be left"):
        write_clean(alone, removals(audit(alone)), tmp_path / "none")
