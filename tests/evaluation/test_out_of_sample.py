import hashlib
from dataclasses import replace

import numpy as np
import pytest

from mien.data.splits import held_out_rows, training_rows
from mien.data.store import FaceStore
from mien.errors import DataError
from mien.evaluation.out_of_sample import Evidence, combined, model_evidence, read_probabilities
from mien.model.onnx_model import Bundle


class Model:
    """The linear model with another provenance."""

    sha256 = None

    def __init__(self, bundle, training):
        self.card = replace(bundle.card, training=training)
        self.logits_of_input = bundle.logits_of_input


@pytest.fixture
def store(small_store):
    return FaceStore.open(small_store)


@pytest.fixture
def bundle(tmp_path, write_linear_model):
    return Bundle.load(write_linear_model(tmp_path / "linear.onnx"))


def provenance(store, rows=None):
    digest = hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest() if rows is not None else None
    return {"source": store.meta.source, "source_sha256": store.meta.source_sha256, "rows_sha256": digest}


def judged(evidence):
    return np.flatnonzero(np.isfinite(evidence.probabilities).all(axis=1)).tolist()


def test_a_model_trained_here_judges_the_tests_only(store, bundle):
    evidence = model_evidence(Model(bundle, provenance(store)), store)
    assert judged(evidence) == list(range(60, 150))
    assert evidence.probabilities[60:] == pytest.approx(bundle.probabilities(store.faces[60:]))
    assert "trained on Training rows of this data set, so only the 90 test rows" in evidence.note


def test_a_model_from_elsewhere_judges_all_and_the_note_says_what_is_not_known(store, bundle):
    evidence = model_evidence(bundle, store)
    assert judged(evidence) == list(range(150))
    assert "whether it has seen these faces is not known" in evidence.note


def test_the_list_of_dropped_rows_lets_them_be_judged_when_the_card_agrees(store, bundle, tmp_path):
    fold = tmp_path / "fold.txt"
    fold.write_text("\n".join(map(str, range(20))))
    model = Model(bundle, provenance(store, training_rows(store, fold).rows))
    evidence = model_evidence(model, store, fold)
    assert judged(evidence) == [*range(20), *range(60, 150)]
    assert "hash of rows confirms" in evidence.note
    fold.write_text("1\n2\n")
    with pytest.raises(DataError, match=r"fold\.txt: linear was not trained on the Training rows that this list"):
        model_evidence(model, store, fold)


@pytest.mark.parametrize(
    "lineage",
    [
        lambda other: {"initial_weights": other},
        lambda other: {"teachers": [other]},
        lambda other: {"members": [other]},
        lambda other: {"members": [{**other, "initial_weights": {**other, "teachers": [other]}}]},
    ],
)
def test_rows_that_a_network_of_the_lineage_has_seen_are_not_judged(store, bundle, tmp_path, lineage):
    fold = tmp_path / "fold.txt"
    fold.write_text("1\n2\n")
    own = provenance(store, training_rows(store, fold).rows)
    same = Model(bundle, {**own, **lineage(own)})
    assert judged(model_evidence(same, store, fold)) == [1, 2, *range(60, 150)]
    saw_all = provenance(store, training_rows(store, None).rows)
    for other in (saw_all, {"source": "unknown"}):
        with pytest.raises(DataError, match="was not trained on the Training rows that this list"):
            model_evidence(Model(bundle, {**own, **lineage(other)}), store, fold)
    assert "only the 90 test rows" in model_evidence(Model(bundle, lineage(saw_all)), store).note


def held_out_by(store, fold, **more):
    held = held_out_rows(store, "stratified_folds", 7, folds=3, fold=fold)
    kept = provenance(store, training_rows(store, None, held).rows)
    return held, {**kept, "split": "stratified_folds", "split_seed": 7, "folds": 3, "fold": fold, **more}


def test_rows_that_the_training_held_out_are_judged(store, bundle):
    """So the folds of a data set without test rows judge all of it; a lineage that has seen them does not."""
    first, own = held_out_by(store, 0, initial_weights={"source": "fer2013.csv", "source_sha256": "0" * 64})
    tests = list(range(60, 150))
    evidence = model_evidence(Model(bundle, own), store)
    assert judged(evidence) == [*first.tolist(), *tests]
    assert f"only the 90 test and {len(first)} held-out rows are judged" in evidence.note
    _, other = held_out_by(store, 1)
    for seen in ({"teachers": [other]}, {"initial_weights": other}, {"rows_sha256": "0" * 64}, {"groups_sha256": "0"}):
        assert judged(model_evidence(Model(bundle, {**own, **seen}), store)) == tests


def test_a_dropped_row_whose_copy_was_trained_on_is_not_judged(store, bundle, tmp_path):
    faces = store.faces.copy()
    faces[5] = faces[30]
    store = replace(store, faces=faces)
    fold = tmp_path / "fold.txt"
    fold.write_text("5\n6\n")
    evidence = model_evidence(Model(bundle, provenance(store, training_rows(store, fold).rows)), store, fold)
    assert judged(evidence) == [6, *range(60, 150)]


def test_folds_complete_each_other():
    first, second = np.full((3, 7), np.nan), np.full((3, 7), np.nan)
    first[0], first[1], second[1] = np.eye(7)[0], np.eye(7)[1], np.eye(7)[2]
    whole = combined([Evidence(first, "a"), Evidence(second, "b")])
    assert whole.probabilities[:2].tolist() == [np.eye(7)[0].tolist(), [0, 0.5, 0.5, 0, 0, 0, 0]]
    assert np.isnan(whole.probabilities[2]).all()
    assert whole.note == "a; b"


def test_reads_probabilities(tmp_path):
    values = np.full((4, 7), 1 / 7, np.float32)
    values[2] = np.nan
    np.save(tmp_path / "p.npy", values)
    assert judged(read_probabilities(tmp_path / "p.npy", 4, 7)) == [0, 1, 3]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (np.full((3, 7), 1 / 7), r"float64 \(3, 7\): expected floats \(4, 7\)"),
        (np.ones((4, 7), int), "int64"),
        (np.full((4, 7), 0.5), "row 0 is no probabilities"),
        (np.array([[1.0, *[0.0] * 6]] * 3 + [[2.0, -1.0, *[0.0] * 5]]), "row 3 is no probabilities"),
        (np.array([[1.0, *[0.0] * 6]] * 3 + [[np.nan, 1.0, *[0.0] * 5]]), "row 3 is no probabilities"),
        (np.array([{}]), "no array can be read"),
    ],
)
def test_refuses_what_is_no_probabilities(tmp_path, values, problem):
    np.save(tmp_path / "p.npy", values, allow_pickle=True)
    with pytest.raises(DataError, match=problem):
        read_probabilities(tmp_path / "p.npy", 4, 7)


def test_refuses_a_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"gone\.npy"):
        read_probabilities(tmp_path / "gone.npy", 4, 7)
