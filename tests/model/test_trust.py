from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import distance

from mien.errors import ModelFileError, UsageError
from mien.model import onnx_model
from mien.model.trust import Trust

MODEL = b"the content of a model file"
LABELS = ("happy", "sad")


@pytest.fixture
def trust():
    random = np.random.default_rng(7)
    features = random.normal(size=(400, 3)).astype(np.float32)
    ways = features / np.linalg.norm(features, axis=1, keepdims=True)
    factor = np.linalg.cholesky(np.linalg.inv(np.cov(ways.T))).astype(np.float16).astype(np.float32)
    import hashlib

    return Trust(
        sha256=hashlib.sha256(MODEL).hexdigest(),
        labels=LABELS,
        data="planted",
        true_probabilities=(np.linspace(0.1, 1.0, 19, dtype=np.float32), np.array([0.5], np.float32)),
        mean=ways.mean(axis=0),
        factor=factor,
        distances=np.arange(1.0, 100.0, dtype=np.float32),
    )


def test_a_threshold_is_the_order_statistic_of_the_theory(trust):
    """Of 19 values that are 0.1, 0.15, ... the floor(20 (1 - level))-th from below."""
    assert trust.thresholds(0.9)[0] == pytest.approx(0.15)
    assert trust.thresholds(0.8)[0] == pytest.approx(0.25)
    assert trust.thresholds(0.95)[0] == pytest.approx(0.1)


def test_a_class_with_too_few_faces_is_in_every_set(trust):
    assert trust.thresholds(0.9)[1] == 0
    assert trust.sets(np.array([[1.0, 0.0]]), 0.9) == [("happy", "sad")]


def test_a_set_is_ordered_and_never_empty(trust):
    full = replace(trust, true_probabilities=(np.full(99, 0.7, np.float32), np.full(99, 0.7, np.float32)))
    assert full.sets(np.array([[0.6, 0.4], [0.2, 0.8]]), 0.5) == [("happy",), ("sad",)]
    low = replace(trust, true_probabilities=(np.full(99, 0.1, np.float32), np.full(99, 0.1, np.float32)))
    assert low.sets(np.array([[0.4, 0.6]]), 0.5) == [("sad", "happy")]


@pytest.mark.parametrize("level", [0, 1, 1.5, -0.1])
def test_a_level_out_of_range_is_refused(trust, level):
    with pytest.raises(UsageError, match="expected more than 0 and less than 1"):
        trust.thresholds(level)


def test_typicality_is_the_rank_of_mahalanobis_distance(trust):
    features = np.random.default_rng(8).normal(size=(50, 3)).astype(np.float32)
    inverse = trust.factor.astype(float) @ trust.factor.T.astype(float)
    for row, typicality in zip(features, trust.typicality(features), strict=True):
        found = distance.mahalanobis(row / np.linalg.norm(row), trust.mean, inverse) ** 2
        assert typicality == pytest.approx((1 + np.sum(trust.distances >= found)) / 100)


def test_a_file_comes_back(trust, tmp_path):
    trust.save(tmp_path / "model.trust.npz")
    back = Trust.load(tmp_path / "model.trust.npz", MODEL, LABELS)
    assert (back.sha256, back.labels, back.data) == (trust.sha256, trust.labels, trust.data)
    np.testing.assert_array_equal(back.thresholds(0.9), trust.thresholds(0.9))
    np.testing.assert_array_equal(back.factor, trust.factor)
    features = np.random.default_rng(9).normal(size=(5, 3)).astype(np.float32)
    np.testing.assert_array_equal(back.typicality(features), trust.typicality(features))


def test_a_file_of_another_model_or_none_is_named(trust, tmp_path):
    path = trust.save(tmp_path / "model.trust.npz")
    with pytest.raises(ModelFileError, match="belongs to another model file; make it with `mien evaluate"):
        Trust.load(path, b"another", LABELS)
    path.write_bytes(b"no archive")
    with pytest.raises(ModelFileError, match="not a trust file of mien"):
        Trust.load(path, MODEL, LABELS)
    with pytest.raises(ModelFileError, match="cannot be read"):
        Trust.load(tmp_path / "none.npz", MODEL, LABELS)


@pytest.mark.parametrize("change", ["missing", "damaged", "of another"])
def test_without_the_trust_file_of_an_embedded_model_mien_is_installed_again(trust, tmp_path, monkeypatch, change):
    installed = Path(onnx_model.__file__).parent / "weights"
    bundle = onnx_model.Bundle((installed / "mien_s-1.onnx").read_bytes(), "mien_s-1")
    if change == "damaged":
        (tmp_path / "mien_s-1.trust.npz").write_bytes((installed / "mien_s-1.trust.npz").read_bytes()[:-9])
    elif change == "of another":
        trust.save(tmp_path / "mien_s-1.trust.npz")
    monkeypatch.setattr(onnx_model, "trust_file", lambda version: tmp_path / f"{version}.trust.npz")
    with pytest.raises(ModelFileError, match=r"mien_s-1\.trust\.npz: .*; install mien again$"):
        repr(bundle.trust)
