"""Clustered errors, intervals and tests against second implementations and planted truths."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mien.data.store import FaceStore
from mien.errors import UsageError
from mien.evaluation.classifier import open_classifier
from mien.evaluation.clustered import (
    clustered_interval,
    clustered_mcnemar,
    clustered_standard_error,
    number_of_groups,
    redrawn_group_means,
)
from mien.evaluation.comparison import Run, difference, variants_of
from mien.evaluation.contenders import read_report
from mien.evaluation.metrics import standard_error, wilson_interval
from mien.evaluation.report import evaluate
from mien.evaluation.report_folder import ReportFolder
from mien.evaluation.significance import mcnemar

ANSWERS = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 7)), min_size=2, max_size=40)


def people(random, count, *, spread=0.25, mean=0.6):
    """Answers about people who differ in how easy they are, some with more faces than others."""
    ease = np.clip(random.normal(mean, spread, count), 0, 1)
    sizes = random.integers(1, 15, count)
    return random.random(sizes.sum()) < np.repeat(ease, sizes), np.repeat(np.arange(count), sizes).astype(np.str_)


@given(ANSWERS)
def test_the_error_is_the_double_sum_over_pairs_of_a_group(rows):
    right, _, groups = map(np.array, zip(*rows, strict=True))
    count = len(np.unique(groups))
    if count < 2:
        assert number_of_groups(groups.astype(np.str_)) == 0
        return
    off = right - right.mean()
    pairs = sum(off[i] * off[j] for i in range(len(off)) for j in range(len(off)) if groups[i] == groups[j])
    expected = np.sqrt(count / (count - 1) * max(0.0, pairs)) / len(off)
    assert clustered_standard_error(right, groups.astype(np.str_)) == pytest.approx(expected, abs=1e-9)


def test_with_a_face_in_each_group_the_error_is_that_of_faces():
    right, groups = np.arange(200) % 3 > 0, np.arange(200).astype(np.str_)
    share = right.mean()
    error = clustered_standard_error(right, groups)
    assert error == pytest.approx(standard_error(share, 200) * np.sqrt(200 / 199))
    low, high = clustered_interval(right, groups)
    assert (low, high) == pytest.approx(wilson_interval(share, 200, stats.t.ppf(0.975, 199)), abs=4e-4)


def test_ten_copies_of_each_face_count_as_one():
    once, groups = np.arange(60) % 4 > 0, np.arange(60).astype(np.str_)
    copies = np.repeat(once, 10), np.repeat(groups, 10)
    assert clustered_standard_error(*copies) == pytest.approx(clustered_standard_error(once, groups))
    assert clustered_interval(*copies)[1] - clustered_interval(*copies)[0] > 2.5 * np.subtract(
        *wilson_interval(0.75, 600)[::-1]
    )


def test_the_interval_agrees_with_drawing_people_one_by_one():
    random = np.random.default_rng(3)
    right, groups = people(random, 106)
    by_person = [right[groups == name] for name in np.unique(groups)]
    means = []
    for _ in range(4000):
        drawn = [by_person[number] for number in random.integers(0, 106, 106)]
        means.append(np.concatenate(drawn).mean())
    assert clustered_standard_error(right, groups) == pytest.approx(np.std(means), rel=0.06)
    assert clustered_interval(right, groups) == pytest.approx(np.percentile(means, [2.5, 97.5]), abs=0.006)
    ours = redrawn_group_means(right.astype(float), groups, 25_000, random)
    assert np.percentile(ours, [2.5, 50, 97.5]) == pytest.approx(np.percentile(means, [2.5, 50, 97.5]), abs=0.004)
    assert len(ours) == 25_000


def test_intervals_hold_the_truth_nineteen_times_in_twenty():
    random = np.random.default_rng(8)
    truth = people(np.random.default_rng(0), 40_000, spread=0.3)[0].mean()
    clustered = faces = 0
    for _ in range(400):
        right, groups = people(random, 40, spread=0.3)
        low, high = clustered_interval(right, groups)
        clustered += low <= truth <= high
        low, high = wilson_interval(right.mean(), len(right))
        faces += low <= truth <= high
    assert 0.92 <= clustered / 400 <= 0.98
    assert faces / 400 < 0.88


def test_all_right_counts_groups_and_not_faces():
    groups = np.repeat(np.arange(12), 20).astype(np.str_)
    low, high = clustered_interval(np.ones(240, bool), groups)
    assert high == 1
    assert low == pytest.approx(wilson_interval(1.0, 12, stats.t.ppf(0.975, 11))[0])
    halves = np.tile([True, False], 120)
    assert clustered_interval(halves, groups) == pytest.approx(wilson_interval(0.5, 240, stats.t.ppf(0.975, 11)))


@settings(deadline=None)
@given(ANSWERS)
def test_the_test_is_that_of_trying_all_names(rows):
    first, second, groups = map(np.array, zip(*rows, strict=True))
    gains = first.astype(int) - second
    sums = [gains[groups == name].sum() for name in np.unique(groups)]
    swapped = [abs(np.dot(signs, sums)) >= abs(sum(sums)) for signs in product([-1, 1], repeat=len(sums))]
    assert clustered_mcnemar(first, second, groups.astype(np.str_)) == pytest.approx(np.mean(swapped))


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_with_a_face_in_each_group_the_test_is_mcnemars(rows):
    first, second = map(np.array, zip(*rows, strict=True))
    groups = np.arange(len(rows)).astype(np.str_)
    assert clustered_mcnemar(first, second, groups) == pytest.approx(mcnemar(first, second))


def test_other_shapes_are_refused():
    with pytest.raises(UsageError, match=r"\(2,\) values and \(1,\) groups"):
        clustered_standard_error([1, 0], np.array(["a"]))


def test_a_comparison_draws_groups_where_all_runs_know_them():
    random = np.random.default_rng(2)
    right, groups = people(random, 60)
    other = right ^ np.isin(groups, np.unique(groups)[:6])
    labels = np.zeros(len(right), np.intp)
    runs = [Run(name, 0, ({},), labels, (~answers).astype(np.intp), groups=groups)
            for name, answers in (("a", right), ("b", other))]  # fmt: skip
    base, variant = variants_of(runs)
    gain = difference(variant, base)
    assert gain.over == "groups"
    assert gain.p_value == pytest.approx(clustered_mcnemar(other, right, groups))
    gains = other.astype(float) - right
    expected = np.percentile(redrawn_group_means(gains, groups, 50_000, random), [2.5, 97.5])
    assert (gain.low, gain.high) == pytest.approx(expected, abs=0.003)
    blind = [Run(run.name, 0, ({},), labels, run.predictions) for run in runs]
    assert difference(*reversed(variants_of(blind))).over == "faces"
    mixed = variants_of([runs[0], blind[1]])
    assert difference(mixed[1], mixed[0]).p_value == pytest.approx(mcnemar(other, right))


def test_a_report_keeps_groups_and_its_interval_is_over_them(tmp_path, small_store, write_linear_model):
    store = FaceStore.open(small_store)
    groups = (np.arange(150) // 5).astype(np.str_)
    people = FaceStore(store.faces, store.labels, store.usages, store.meta, None, groups)
    result = evaluate(open_classifier(str(write_linear_model(tmp_path / "model.onnx"))), people, "PublicTest")
    right = result.predictions == result.labels
    values = result.to_dict()
    assert values["groups"] == 18
    assert values["standard_error"] == clustered_standard_error(right, groups[60:])
    assert tuple(values["accuracy_interval"]) == clustered_interval(right, groups[60:])
    ReportFolder(tmp_path / "report").write(result)
    assert read_report(tmp_path / "report").groups.tolist() == groups[60:].tolist()
