"""Hours at hand and hours trained, against sums by hand."""

import pytest
from training_queue.hours import Stretch, summary

from training_queue import hours

HOUR = 3600.0


def test_hours_run_from_the_first_start_of_each_session():
    stretches = [
        Stretch("old", "queue", 10 * HOUR, 14 * HOUR),
        Stretch("old", "training", 11 * HOUR, 14 * HOUR, "a", lost=0.5 * HOUR, epochs=(0, 3), result="stopped"),
        Stretch("new", "queue", 100 * HOUR, 101 * HOUR),
        Stretch("new", "training", 100 * HOUR, 101 * HOUR, "a", epochs=(3, 4), result="done"),
    ]
    found = summary(stretches, "new", 105 * HOUR)
    assert (found.at_hand, found.up, found.trained, found.lost) == pytest.approx((4 + 5, 4 + 1, 2.5 + 1, 0.5))
    assert found.share == pytest.approx(3.5 / 9)


def test_without_a_start_no_hour_was_at_hand():
    found = summary([], "new", 5.0)
    assert (found.at_hand, found.share) == (0.0, 0.0)


def test_the_log_is_read_back_without_a_line_that_was_cut(tmp_path):
    path = tmp_path / "hours.jsonl"
    assert hours.read(path) == []
    lines = [Stretch("s", "queue", 1.5, 2.25), Stretch("s", "training", 1.5, 2.0, "a", 0.25, (1, 2), "killed")]
    for line in lines:
        hours.append(path, line)
    with path.open("a") as file:
        file.write('{"session": "s"')
    assert hours.read(path) == lines


def test_a_session_has_one_name():
    assert hours.current_session() == hours.current_session() != ""
