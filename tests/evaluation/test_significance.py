"""Against scipy, and Holm's correction against its definition by closed testing."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mien.evaluation.significance import holm, paired_seeds, t_quantile, two_sided_t


@given(st.floats(-60, 60), st.integers(1, 30))
def test_students_t_is_scipys(t, degrees):
    assert two_sided_t(t, degrees) == pytest.approx(2 * stats.t.sf(abs(t), degrees), abs=1e-12)


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 9, 30])
def test_quantiles_are_scipys(degrees):
    assert t_quantile(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), rel=1e-9)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=8))
def test_paired_seeds_are_scipys_paired_t_test(pairs):
    one, other = np.array(pairs).T
    found = paired_seeds(one, other)
    if np.ptp(one - other) > 1e-6:
        expected = stats.ttest_rel(one, other)
        interval = expected.confidence_interval()
        assert found.share == pytest.approx((one - other).mean(), abs=1e-12)
        assert found.p_value == pytest.approx(expected.pvalue, abs=1e-9)
        assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([0.5, 0.6], [0.5, 0.6]),
        ([0.75, 0.75], [2 / 3, 2 / 3]),
        ([0.7, 0.8, 0.9], [0.6, 0.7, 0.8]),  # 0.1 each, but for the last bits
    ],
)
def test_seeds_that_all_differ_by_as_much_say_nothing_of_other_seeds(one, other):
    assert paired_seeds(one, other) is None
    assert paired_seeds([*one, 0.5], [*other, 0.4999]) is not None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_the_closed_test_of_bonferroni(p_values):
    """A hypothesis falls at a level when Bonferroni rejects every set of hypotheses that holds it."""
    places = range(len(p_values))
    sets = [chosen for size in range(1, len(p_values) + 1) for chosen in combinations(places, size)]
    expected = [
        max(min(1, len(chosen) * min(p_values[k] for k in chosen)) for chosen in sets if place in chosen)
        for place in places
    ]
    assert holm(p_values) == pytest.approx(expected)
