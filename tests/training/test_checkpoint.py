from mien.training.checkpoint import CHECKPOINT_SHARE, LONGEST_WAIT, CheckpointPace


def test_writing_takes_its_share_of_the_time_and_no_more():
    now = 0.0
    pace = CheckpointPace(clock=lambda: now)
    assert pace.is_due()
    with pace.writing():
        now += 2.0
    now += 2.0 / CHECKPOINT_SHARE - 0.01
    assert not pace.is_due()
    now += 0.02
    assert pace.is_due()


def test_one_slow_write_does_not_put_off_the_next_for_hours():
    now = 0.0
    pace = CheckpointPace(clock=lambda: now)
    with pace.writing():
        now += 170.0
    now += LONGEST_WAIT - 1
    assert not pace.is_due()
    now += 2
    assert pace.is_due()
