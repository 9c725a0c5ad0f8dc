import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import UsageError
from mien.evaluation.selective import risk_coverage

ANSWERS = st.lists(st.tuples(st.sampled_from([0.2, 0.4, 0.6, 0.8, 0.9]), st.booleans()), min_size=1, max_size=30)


def test_the_curve_of_four_answers_by_hand():
    curve = risk_coverage(np.array([0.6, 0.9, 0.8, 0.7]), np.array([False, True, False, True]))
    np.testing.assert_allclose(curve.coverage, [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(curve.risk, [0, 1 / 2, 1 / 3, 1 / 2])
    assert curve.area == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert curve.least_area == pytest.approx((0 + 0 + 1 / 3 + 1 / 2) / 4)


@given(ANSWERS)
def test_the_area_is_the_mean_over_all_orders_of_equal_confidences(answers):
    """Against a simulation that shuffles the faces, so that ties fall in any order."""
    confidence, right = (np.array(values) for values in zip(*answers, strict=True))
    random, areas = np.random.default_rng(0), []
    for _ in range(400):
        order = random.permutation(len(right))
        ranked = order[np.argsort(-confidence[order], kind="stable")]
        areas.append(np.mean(np.cumsum(~right[ranked]) / np.arange(1, len(right) + 1)))
    error = np.std(areas) / 20
    assert abs(risk_coverage(confidence, right).area - np.mean(areas)) <= 5 * error + 1e-9


@given(ANSWERS, st.sampled_from([0.9, 0.8, 0.7, 0.05, 1.0]))
def test_a_threshold_answers_what_it_says(answers, coverage):
    confidence, right = (np.array(values) for values in zip(*answers, strict=True))
    found = risk_coverage(confidence, right).at(coverage)
    answered = confidence >= found.threshold
    assert found.n == answered.sum()
    assert found.coverage == pytest.approx(answered.mean())
    assert found.coverage >= coverage - 1e-9
    assert found.accuracy == pytest.approx(right[answered].mean())
    above = confidence > found.threshold  # the next higher threshold answers too few
    assert above.mean() < coverage


def test_a_wrong_shape_is_refused():
    with pytest.raises(UsageError, match="expected \\(N,\\) twice"):
        risk_coverage(np.array([0.5, 0.4]), np.array([True]))
