"""What is said of the rows a model was trained on, against a store whose rows are known."""

from dataclasses import replace

import numpy as np
import pytest

from mien.data.splits import held_out_rows, rows_sha256, training_rows
from mien.data.store import FaceStore
from mien.errors import UsageError
from mien.evaluation.classifier import TorchClassifier
from mien.evaluation.provenance import TrainedOn, held_out_of, rows_to_evaluate, trained_on
from mien.evaluation.report import evaluate


@pytest.fixture
def store(small_store):
    return FaceStore.open(small_store)


def training(store, *, split="stratified", seed=3, **changes):
    rows = training_rows(store, None, held_out_rows(store, split, seed)).rows
    return {"source": "small.csv", "source_sha256": store.meta.source_sha256, "rows_sha256": rows_sha256(rows),
            "split": split, "split_seed": seed, "seed": 0, **changes}  # fmt: skip


def test_held_out_rows_are_those_the_training_set_aside(store, linear_card):
    card = replace(linear_card, training=training(store))
    rows = rows_to_evaluate(store, "held-out", card)
    np.testing.assert_array_equal(rows, held_out_rows(store, "stratified", 3))
    assert trained_on(card, store, rows) == TrainedOn(0, True)
    older = {key: value for key, value in training(store, seed=0).items() if key != "split_seed"}
    np.testing.assert_array_equal(
        held_out_of(replace(linear_card, training=older), store), held_out_rows(store, "stratified", 0)
    )


def test_held_out_rows_of_a_data_set_with_other_rows_of_the_same_source_are_refused(store, linear_card):
    told = {"rows": 52, "dropped": {"held out": 5, "named in few.txt": 3}}
    held_out_of(replace(linear_card, training=training(store, **told)), store)
    for changed in ({"rows": 53}, {"dropped": {"held out": 5}}):
        card = replace(linear_card, training=training(store, **{**told, **changed}))
        with pytest.raises(UsageError, match=r"the data set has 60 Training rows.*chose among (61|57); import"):
            held_out_of(card, store)


def test_rows_that_were_trained_on_are_counted(store, linear_card):
    card = replace(linear_card, training=training(store))
    held_out = held_out_rows(store, "stratified", 3)
    whole = store.rows_of("Training")
    assert trained_on(card, store, whole) == TrainedOn(len(whole) - len(held_out), True)
    assert trained_on(card, store, store.rows_of("PublicTest")) == TrainedOn(0, True)


def test_what_the_card_does_not_tell_to_the_row_is_a_bound(store, linear_card):
    some = replace(linear_card, training=training(store, rows_sha256="0" * 64))
    found = trained_on(some, store, store.rows_of("Training"))
    assert found == TrainedOn(60 - len(held_out_rows(store, "stratified", 3)), False)


def test_members_and_initial_weights_count(store, linear_card):
    start = training(store, split="official")
    tuned = replace(linear_card, training=training(store, initial_weights=start))
    assert trained_on(tuned, store, store.rows_of("Training")) == TrainedOn(60, True)
    several = replace(linear_card, training={"members": [training(store), training(store, seed=4)]})
    held = np.intersect1d(held_out_rows(store, "stratified", 3), held_out_rows(store, "stratified", 4))
    assert trained_on(several, store, store.rows_of("Training")) == TrainedOn(60 - len(held), True)
    with pytest.raises(UsageError, match="its members held out different rows"):
        held_out_of(several, store)


def test_rows_that_a_model_of_other_data_was_tuned_on_count(store, linear_card):
    began = training(store, source_sha256="0" * 64)
    tuned = replace(linear_card, training=training(store, initial_weights=began))
    held_out = held_out_rows(store, "stratified", 3)
    assert trained_on(tuned, store, store.rows_of("Training")) == TrainedOn(60 - len(held_out), True)
    assert trained_on(tuned, store, held_out) is None  # whether the parent has seen them is not known


def test_nothing_is_said_of_other_data_or_of_models_without_a_card(store, linear_card):
    assert trained_on(linear_card, store, store.rows_of("Training")) is None
    other = replace(linear_card, training=training(store, source_sha256="0" * 64))
    assert trained_on(other, store, store.rows_of("Training")) is None
    with pytest.raises(UsageError, match=r"small\.csv: the model was trained on this data set, not on"):
        held_out_of(other, store)
    official = replace(linear_card, training=training(store, split="official"))
    with pytest.raises(UsageError, match="held no rows out"):
        held_out_of(official, store)


def test_a_report_says_so(store, linear_card):
    import torch

    class Always(torch.nn.Module):
        def forward(self, faces):
            return torch.zeros(len(faces), 7)

    classifier = TorchClassifier(Always(), replace(linear_card, training=training(store)))
    held_out = evaluate(classifier, store, "held-out").to_dict()
    assert (held_out["usage"], held_out["trained_on"]) == ("held-out", {"rows": 0, "exact": True})
    whole = evaluate(classifier, store, "Training").to_dict()
    assert whole["trained_on"]["rows"] == whole["n"] - held_out["n"]
    with pytest.raises(UsageError, match="leave drop_seen out"):
        evaluate(classifier, store, "held-out", drop_seen=True)
