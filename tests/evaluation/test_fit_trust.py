import hashlib
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn.decomposition import PCA

from mien.data.store import FaceStore
from mien.errors import UsageError
from mien.evaluation.evaluated import Evaluation
from mien.evaluation.fit_trust import MOST_FEATURES, MOST_WHOLE, PRINCIPAL_COMPONENTS, fit_trust, reference_rows
from mien.evaluation.provenance import TrainedOn
from mien.model.trust import Trust, directions, mahalanobis


def evaluation(n, **changes):
    random = np.random.default_rng(1)
    values = {
        "model": "planted",
        "model_sha256": "ab" * 32,
        "source": "planted.csv",
        "source_sha256": "",
        "usage": "PublicTest",
        "tta": "none",
        "rows": np.arange(n),
        "labels": random.integers(0, 7, n).astype(np.uint8),
        "logits": random.normal(size=(n, 7)).astype(np.float32),
        "temperature": 1.0,
    }
    return Evaluation(**values | changes)


def features(n, seed):
    """Correlated, of unequal spread, and off the origin, as those of networks are."""
    random = np.random.default_rng(seed)
    mixed = random.normal(size=(n, 12)) * np.linspace(0.2, 2, 12)
    return np.abs(mixed @ np.random.default_rng(0).normal(size=(12, 12)) + 4).astype(np.float32)


@pytest.mark.parametrize("reference", [features(3000, 2), features(0, 2)])
def test_typicality_of_faces_like_the_known_ones_is_uniform(reference):
    """So that a threshold flags the share of them that it says; what points elsewhere is at the bottom."""
    trust = fit_trust(evaluation(1200), features(1200, 3), reference)
    fresh = trust.typicality(features(2000, 4))
    assert stats.kstest(fresh, "uniform").statistic < 0.08
    strange = trust.typicality(-features(50, 5))
    assert strange.max() <= 1.1 / len(trust.distances)


def test_of_many_features_the_principal_components_are_looked_at(tmp_path):
    """By scikit-learn's: faces are as far from the mean there, with the same shrinkage."""
    random = np.random.default_rng(6)
    spread = np.geomspace(3, 0.03, 300)
    place = random.normal(size=(300, MOST_WHOLE + 100))
    many = lambda n, seed: (np.random.default_rng(seed).normal(size=(n, 300)) * spread @ place + 9).astype(np.float32)  # noqa: E731
    trust = fit_trust(evaluation(400), many(400, 7), many(900, 8))
    assert trust.factor.shape == (MOST_WHOLE + 100, PRINCIPAL_COMPONENTS)

    found = PCA(PRINCIPAL_COMPONENTS, svd_solver="full").fit(directions(many(900, 8)).astype(float))
    shares = found.explained_variance_ / found.explained_variance_.mean()
    fresh = many(200, 9)
    expected = (found.transform(directions(fresh)) ** 2 / (0.98 * shares + 0.02)).sum(1)
    np.testing.assert_allclose(mahalanobis(fresh, trust.mean, trust.factor), expected, rtol=0.02)

    kept = replace(trust, sha256=hashlib.sha256(b"model").hexdigest()).save(tmp_path / "x.trust.npz")
    back = Trust.load(kept, b"model", trust.labels)
    np.testing.assert_array_equal(back.factor, trust.factor)


def test_more_features_than_a_trust_file_holds_are_left_out():
    many = np.ones((60, MOST_FEATURES + 1), np.float32)
    trust = fit_trust(evaluation(60), many, many)
    assert not trust.has_features
    assert trust.thresholds(0.5).shape == (7,)


def test_rows_that_taught_the_model_calibrate_nothing():
    with pytest.raises(UsageError, match="the model was trained on some of these rows"):
        fit_trust(evaluation(100, trained_on=TrainedOn(3, exact=True)), features(100, 1), features(0, 1))


def test_few_faces_are_refused():
    with pytest.raises(UsageError, match="39 faces: expected at least 40"):
        fit_trust(evaluation(39), features(39, 1), features(0, 1))


def test_the_reference_is_training_rows(small_store):
    assert reference_rows(FaceStore.open(small_store)).tolist() == list(range(60))
