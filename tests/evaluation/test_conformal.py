import numpy as np
import pytest
from scipy import stats

from mien.evaluation import conformal

CLASSES = ("happy", "sad", "disgust")
SHARES = (0.55, 0.4, 0.05)


def planted(n, seed):
    """Faces of a model whose true answer probabilities are known."""
    random = np.random.default_rng(seed)
    labels = random.choice(3, n, p=SHARES).astype(np.uint8)
    logits = random.normal(size=(n, 3)) + 1.2 * np.eye(3)[labels]
    powers = np.exp(logits)
    return powers / powers.sum(axis=1, keepdims=True), labels


def test_halves_hold_every_row_once_and_half_of_each_class():
    labels = np.repeat(np.arange(3, dtype=np.uint8), [7, 4, 1])
    first, second = conformal.halves(labels)
    assert sorted([*first, *second]) == list(range(12))
    assert np.bincount(labels[first], minlength=3).tolist() == [4, 2, 1]
    again, _ = conformal.halves(labels)
    assert first.tolist() == again.tolist()
    assert first.tolist() != conformal.halves(labels, seed=1)[0].tolist()


def test_classes_of_one_face_each_leave_nothing_to_test_on():
    assert (
        conformal.tested_sets(np.eye(50) * 0.5 + 0.01, np.arange(50, dtype=np.uint8), tuple(map(str, range(50))))
        is None
    )


@pytest.mark.parametrize(("fitted", "level", "tested"), [(29, 0.9, 27), (448, 0.8, 447), (19, 0.95, 1), (8, 0.9, 5)])
def test_the_chances_are_a_beta_binomial_distribution(fitted, level, tested):
    rank = int(np.floor((fitted + 1) * (1 - level) + 1e-9))
    chances = conformal.covered_chances(fitted, level, tested)
    if rank == 0:
        assert chances.tolist() == [0.0] * tested + [1.0]
    else:
        expected = stats.betabinom(tested, fitted + 1 - rank, rank).pmf(np.arange(tested + 1))
        np.testing.assert_allclose(chances, expected, rtol=1e-9, atol=1e-15)


def test_sets_cover_each_class_as_often_as_the_theory_says():
    """Over 400 draws the covered share of every class has the mean of its beta-binomial distribution, and the interval
    holds it in 95 % of them.
    """
    inside, shares = {name: [] for name in (*CLASSES, "all")}, {name: [] for name in CLASSES}
    for seed in range(400):
        report = conformal.tested_sets(*planted(400, seed), CLASSES)
        level = report["levels"][1]
        assert level["level"] == 0.9
        for name, figures in [*level["per_class"].items(), ("all", level)]:
            low, high = figures["interval"]
            inside[name].append(low <= figures["coverage"] <= high)
        for name in CLASSES:
            shares[name].append(level["per_class"][name]["coverage"])
    for name in CLASSES:
        assert np.mean(shares[name]) >= 0.9 - 4 * np.std(shares[name]) / 20
    assert all(np.mean(found) >= 0.95 - 4 * np.sqrt(0.05 * 0.95 / 400) for found in inside.values()), {
        name: np.mean(found) for name, found in inside.items()
    }


def test_a_small_set_is_given_where_the_model_is_sure():
    report = conformal.tested_sets(*planted(6000, 1), CLASSES)
    sizes = [level["mean_size"] for level in report["levels"]]
    assert 1 <= sizes[0] < sizes[1] < sizes[2] < 3
