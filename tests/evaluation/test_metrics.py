"""Second implementations: scikit-learn, scipy, and a slow one for the calibration error."""

import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax
from scipy.stats import binomtest
from sklearn import metrics as sk

from mien.errors import UsageError
from mien.evaluation import calibration, metrics

CLASSES = range(7)
pairs = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=60)
seeds = st.integers(0, 2**32 - 1)


def random_scores(seed):
    random = np.random.default_rng(seed)
    n = random.integers(1, 200)
    return random.normal(0, random.uniform(0.1, 8), (n, 7)), random.integers(0, 7, n)


def softmax(logits):
    return np.exp(log_softmax(logits, axis=1))


@given(pairs)
def test_confusion_matrix_and_accuracy_agree_with_scikit_learn(pairs):
    predictions, labels = zip(*pairs, strict=True)
    expected = sk.confusion_matrix(labels, predictions, labels=CLASSES)
    np.testing.assert_array_equal(metrics.confusion_matrix(predictions, labels), expected)
    assert metrics.accuracy(predictions, labels) == pytest.approx(sk.accuracy_score(labels, predictions), abs=1e-15)


@given(pairs)
def test_class_scores_and_macro_f1_agree_with_scikit_learn(pairs):
    predictions, labels = zip(*pairs, strict=True)
    confusion = metrics.confusion_matrix(predictions, labels)
    scores = metrics.class_scores(confusion)
    expected = sk.precision_recall_fscore_support(labels, predictions, labels=CLASSES, zero_division=0)
    for ours, theirs in zip([scores.precision, scores.recall, scores.f1, scores.support], expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-15)
    macro = sk.f1_score(labels, predictions, average="macro", zero_division=0)
    assert metrics.macro_f1(confusion) == pytest.approx(macro, abs=1e-15)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # predicted classes without faces, which it leaves out too
        balanced = sk.balanced_accuracy_score(labels, predictions)
    assert metrics.balanced_accuracy(confusion) == pytest.approx(balanced, abs=1e-15)


def test_a_class_that_is_never_predicted_has_precision_zero_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = metrics.class_scores(metrics.confusion_matrix([0, 0, 0], [0, 1, 1]))
    assert scores.precision.tolist() == [pytest.approx(1 / 3), 0, 0, 0, 0, 0, 0]
    assert scores.recall.tolist() == [1, 0, 0, 0, 0, 0, 0]


@given(seeds, st.integers(1, 7))
def test_top_k_accuracy_agrees_with_scikit_learn(seed, k):
    scores, labels = random_scores(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sk._ranking.UndefinedMetricWarning)  # k = classes, which it finds too easy
        expected = sk.top_k_accuracy_score(labels, scores, k=k, labels=CLASSES)
    assert metrics.top_k_accuracy(scores, labels, k) == pytest.approx(expected)


def test_of_equal_scores_the_lower_class_ranks_first():
    scores = np.zeros((3, 7))
    assert metrics.top_k_accuracy(scores, [0, 1, 2], k=2) == pytest.approx(2 / 3)
    assert metrics.top_k_accuracy(scores, [0, 1, 2], k=1) == metrics.accuracy(scores.argmax(axis=1), [0, 1, 2])


@given(seeds)
def test_negative_log_likelihood_agrees_with_scipy(seed):
    logits, labels = random_scores(seed)
    ours = metrics.negative_log_likelihood(logits, labels)
    assert ours == pytest.approx(-log_softmax(logits, axis=1)[np.arange(len(labels)), labels].mean(), rel=1e-12)


def test_negative_log_likelihood_stays_finite_for_huge_logits():
    assert metrics.negative_log_likelihood([[1e5, 0.0], [0.0, 1e5]], [0, 0]) == pytest.approx(5e4)


def slow_calibration_error(probabilities, labels, bins):
    """Definition of Guo et al., face by face and bin by bin, with exact edges."""
    total = 0.0
    for m in range(1, bins + 1):
        inside = [
            (max(row), int(np.argmax(row)) == label)
            for row, label in zip(probabilities.tolist(), labels, strict=True)
            if Fraction(m - 1, bins) < Fraction(max(row)) <= Fraction(m, bins)
        ]
        if inside:
            confidence = sum(value for value, _ in inside) / len(inside)
            accuracy = sum(hit for _, hit in inside) / len(inside)
            total += len(inside) / len(labels) * abs(accuracy - confidence)
    return total


@given(seeds, st.integers(1, 25))
def test_calibration_error_agrees_with_a_slow_implementation(seed, bins):
    logits, labels = random_scores(seed)
    probabilities = softmax(logits)
    expected = slow_calibration_error(probabilities, labels, bins)
    assert calibration.expected_calibration_error(probabilities, labels, bins) == pytest.approx(expected, abs=1e-12)


def test_bins_are_open_below_and_closed_above():
    confidences = np.arange(8, 16) / 15
    probabilities = np.stack([confidences, 1 - confidences], axis=1)
    curve = calibration.reliability_curve(probabilities, np.zeros(8, int))
    assert curve.count.tolist() == [0] * 7 + [1] * 8  # the confidence m / 15 lies in bin m
    assert curve.edges.tolist() == [m / 15 for m in range(16)]
    assert np.isnan(curve.accuracy[:7]).all()
    np.testing.assert_allclose(curve.confidence[7:], confidences)


def test_calibration_error_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
    labels = [0, 1, 0, 1]  # right, wrong; right, right
    assert calibration.expected_calibration_error(probabilities, labels) == pytest.approx(0.5 * 0.4 + 0.5 * 0.4)


def test_perfectly_calibrated_predictions_have_a_small_error():
    random = np.random.default_rng(3)
    probabilities = random.dirichlet(np.ones(7), 20_000)
    labels = (random.random((20_000, 1)) > probabilities.cumsum(axis=1)).sum(axis=1).clip(max=6)
    assert calibration.expected_calibration_error(probabilities, labels) < 0.015


@given(st.integers(1, 4000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_agrees_with_scipy(counts):
    hits, n = counts
    expected = binomtest(hits, n).proportion_ci(method="wilson")
    assert metrics.wilson_interval(hits / n, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_standard_error_of_the_field():
    assert metrics.standard_error(0.73, 3589) == pytest.approx(0.0074, abs=5e-5)


@pytest.mark.parametrize(
    "call",
    [
        lambda: metrics.confusion_matrix([0, 1], [0]),
        lambda: metrics.confusion_matrix([], []),
        lambda: metrics.confusion_matrix([7], [0]),
        lambda: metrics.confusion_matrix([0], [-1]),
        lambda: metrics.accuracy([0.5], [0]),
        lambda: metrics.accuracy([[0]], [[0]]),
        lambda: metrics.top_k_accuracy([[0.1, 0.9]], [0], k=3),
        lambda: metrics.top_k_accuracy([[0.1, 0.9]], [0, 1]),
        lambda: metrics.negative_log_likelihood([[np.nan, 0.0]], [0]),
        lambda: metrics.negative_log_likelihood([0.0, 1.0], [0]),
        lambda: calibration.expected_calibration_error([[3.0, -1.0]], [0]),
        lambda: calibration.expected_calibration_error([[0.2, 0.2]], [0]),
        lambda: calibration.reliability_curve([[0.2, 0.8]], [0], bins=0),
        lambda: metrics.standard_error(1.2, 10),
        lambda: metrics.wilson_interval(0.5, 0),
    ],
)
def test_bad_arguments_are_refused(call):
    with pytest.raises(UsageError, match=r"expected|softmax"):
        call()
