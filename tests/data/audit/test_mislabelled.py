import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.data.audit.mislabelled import confident_classes, find_mislabelled
from mien.errors import DataError


def counted_by_the_paper(labels, probabilities):
    """Confident learning row by row, as Northcutt et al. write it (equation 2 and the collision rule)."""
    thresholds = {}
    for label in set(labels.tolist()):
        own = [row[label] for row, given in zip(probabilities, labels, strict=True) if given == label]
        thresholds[label] = sum(own) / len(own)
    classes = []
    for row in probabilities:
        reached = [label for label, threshold in thresholds.items() if row[label] >= threshold]
        classes.append(max(reached, key=lambda label, row=row: row[label]) if reached else -1)
    return classes


@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_counts_rows_as_the_paper_does(rows, seed):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 7, rows)
    probabilities = random.dirichlet(np.full(7, 0.4), rows)
    assert confident_classes(labels, probabilities).tolist() == counted_by_the_paper(labels, probabilities)


def planted(wrong):
    """100 rows of each class, sure and right; the first ``wrong`` of class 0 are labelled 3."""
    truth = np.repeat(np.arange(7), 100)
    probabilities = np.full((700, 7), 0.01)
    probabilities[np.arange(700), truth] = 0.94
    labels = truth.astype(np.uint8)
    labels[:wrong] = 3
    return labels, probabilities


def test_names_planted_wrong_labels_and_no_others():
    found = find_mislabelled(*planted(wrong=20), "planted")
    assert sorted(found.rows.tolist()) == list(range(20))
    assert set(found.suggested.tolist()) == {0}
    assert found.margins == pytest.approx(np.full(20, 0.93))
    assert (found.judged, found.doubtful, found.note) == (700, 20, "planted")


def test_the_clearest_come_first_and_doubtful_ones_are_only_counted():
    labels, probabilities = planted(wrong=3)
    probabilities[1] = [0.98, 0.0, 0.0, 0.0, 0.02, 0.0, 0.0]
    probabilities[2] = [0.6, 0.0, 0.0, 0.4, 0.0, 0.0, 0.0]
    probabilities[3:100, 0] = 0.5  # lowers the threshold of class 0 below 0.6
    probabilities[3:100, 1:] = 0.5 / 6
    found = find_mislabelled(labels, probabilities, "")
    assert found.rows.tolist() == [1, 0]
    assert found.doubtful == 3


def test_rows_without_probabilities_are_not_judged():
    labels, probabilities = planted(wrong=20)
    probabilities[:10] = np.nan
    found = find_mislabelled(labels, probabilities, "")
    assert sorted(found.rows.tolist()) == list(range(10, 20))
    assert found.judged == 690
    with pytest.raises(DataError, match="no row can be judged"):
        find_mislabelled(labels, np.full((700, 7), np.nan), "")
