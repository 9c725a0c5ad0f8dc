from mien.training.checkpoint import CHECKPOINT_SHARE, CheckpointPace


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
