import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from mien.data.store import FaceStore, StoreMeta
from mien.data.votes import vote_targets
from mien.errors import TrainingError
from mien.training.config import LossConfig
from mien.training.targets import have_target, label_posterior, training_targets

ANGRY_AND_SAD = [3, 0, 0, 0, 6, 0, 0, 0, 1, 0]
NO_FACE = [0, 0, 0, 0, 0, 0, 0, 0, 0, 10]
ROWS = np.array([0, 1])


def store_of(votes, labels=(0, 6)):
    faces = np.zeros((2, 48, 48), np.uint8)
    votes = None if votes is None else np.array(votes, np.uint8)
    return FaceStore(faces, np.array(labels, np.uint8), np.zeros(2, np.uint8), StoreMeta(2, "made.csv", ""), votes)


def test_fer2013s_targets_are_its_labels():
    targets = training_targets(store_of(None), ROWS[::-1], LossConfig())
    assert targets.tolist() == [[0, 0, 0, 0, 0, 0, 1], [1, 0, 0, 0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ferplus_majority", [0, 0, 0, 0, 1, 0, 0]),
        ("ferplus_probability", [1 / 3, 0, 0, 0, 2 / 3, 0, 0]),
        ("ferplus_thresholded", [1 / 3, 0, 0, 0, 2 / 3, 0, 0]),
    ],
)
def test_votes_are_targets_and_rows_without_any_have_none(name, expected):
    targets = training_targets(store_of([ANGRY_AND_SAD, NO_FACE]), ROWS, LossConfig(targets=name))
    np.testing.assert_allclose(targets, [expected, [0] * 7], rtol=1e-6)


@given(st.floats(0.01, 1), st.sampled_from(["majority", "probability", "thresholded"]))
def test_the_label_has_its_share(weight, rule):
    store = store_of([ANGRY_AND_SAD, NO_FACE])
    targets = training_targets(store, ROWS, LossConfig(targets=f"ferplus_{rule}", fer2013_weight=weight))
    label, voted = np.eye(7)[0], vote_targets(store.votes[:1], rule)[0]
    np.testing.assert_allclose(targets[0], weight * label + (1 - weight) * voted, atol=1e-6)
    np.testing.assert_array_equal(targets[1], np.eye(7)[6])
    assert targets.dtype == np.float32


def test_a_store_without_votes_is_refused():
    with pytest.raises(TrainingError, match=r"data set of made\.csv holds no FER\+ votes"):
        training_targets(store_of(None), ROWS, LossConfig(targets="ferplus_majority"))


@pytest.fixture
def voted():
    """300 rows: ten votes each around a label that FER+'s voters would often call something else."""
    rng = np.random.default_rng(11)
    labels = rng.integers(0, 7, 300).astype(np.uint8)
    opinions = rng.dirichlet(np.full(10, 0.3), size=7)
    votes = np.array([rng.multinomial(10, opinions[label]) for label in labels], np.uint8)
    return votes, labels


def test_the_posterior_is_scikit_learns_logistic_regression_of_the_label_on_the_votes(voted):
    votes, labels = voted
    features = np.concatenate([votes / 10, np.log(votes + 0.5)], axis=1)
    oracle = LogisticRegression(C=1 / (2e-4 * len(labels)), tol=1e-10, max_iter=10_000).fit(features, labels)
    posterior = label_posterior(votes, labels)
    np.testing.assert_allclose(posterior, oracle.predict_proba(features), atol=2e-4)
    assert posterior.dtype == np.float32


def test_posterior_targets_give_every_row_one_and_blend_the_label_in(voted):
    votes, labels = voted
    store = FaceStore(
        np.zeros((300, 48, 48), np.uint8), labels, np.zeros(300, np.uint8), StoreMeta(300, "made.csv", ""), votes
    )
    rows = np.arange(50, 300)
    targets = training_targets(store, rows, LossConfig(targets="ferplus_posterior", fer2013_weight=0.25))
    expected = 0.25 * np.eye(7)[labels[rows]] + 0.75 * label_posterior(votes[rows], labels[rows])
    np.testing.assert_allclose(targets, expected, atol=1e-6)


@pytest.mark.parametrize("weight", [0.0, 0.5])
@pytest.mark.parametrize("rule", ["majority", "probability", "thresholded", "posterior"])
def test_rows_have_a_target_where_it_is_not_all_zeros(rule, weight):
    store = store_of([ANGRY_AND_SAD, NO_FACE])
    loss = LossConfig(targets=f"ferplus_{rule}", fer2013_weight=weight)
    expected = training_targets(store, ROWS, loss).any(axis=1)
    np.testing.assert_array_equal(have_target(store, ROWS, loss), expected)
