"""The clock alone: planted stamps, and what must hold for any stamps at all."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.media.clock import Clock

STEP = Fraction(1, 25)


def played(stamps, **options):
    """Times of stamps in frames of 1/25 s, in the same unit, and what was said."""
    said = []
    clock = Clock(STEP, warn=said.append, **options)
    return [clock.time(None if stamp is None else stamp * STEP) / STEP for stamp in stamps], said


@pytest.mark.parametrize("first", [-25, 0, 12, 90_000])
def test_times_count_from_the_first_stamp(first):
    assert played(range(first, first + 10)) == (list(range(10)), [])


@pytest.mark.parametrize(
    ("stamps", "said"),
    [
        ([*range(20), *range(20)], ["jumps back from 0.76 s to 0.00 s"]),
        ([*range(20), *range(100_000, 100_020)], ["jumps ahead from 0.76 s to 4000.00 s"]),
        ([*range(20), *range(100_000, 100_010), *range(5, 15)], None),
        ([*range(10), *[10] * 10, *range(20, 30)], ["stands still at 0.40 s"]),
        ([*range(10), *[10] * 10, *range(11, 21)], ["stands still at 0.40 s"]),
        ([0] * 20, ["stands still at 0.00 s"]),
        ([None] * 20, []),
        ([*range(10), *[None] * 5, *range(15, 20)], []),
        ([0, 0, 2, 2, 4, 4, 6, 6], []),
        ([*range(10), 9, *range(11, 20)], []),
    ],
)
def test_where_the_clock_jumps_or_stands_still_times_go_on_by_the_frame_rate(stamps, said):
    times, words = played(stamps)
    assert times == list(range(len(stamps)))
    assert said is None or words == said


def test_sound_may_share_stamps_within_a_tick_and_fall_a_little():
    shared = [number * 5 // 6 for number in range(60)]  # ticks of 1/25 s, packets of five sixths of that
    assert played(shared, tick=STEP) == (shared, [])
    guessed = [*range(10), *range(8, 18), *range(16, 30)]
    assert played(guessed, tick=STEP / 90) == (guessed, [])
    assert played(guessed)[0] == sorted(played(guessed)[0])


def test_sound_that_stands_still_for_longer_than_a_tick_goes_on():
    assert played([*range(10), *[10] * 10], tick=STEP / 40) == (list(range(20)), ["stands still at 0.40 s"])


@pytest.mark.parametrize(("gap", "jumps", "expected"), [(9, True, 9), (11, True, STEP), (500, False, 500)])
def test_a_pause_is_a_pause_until_it_is_too_long_for_the_format(gap, jumps, expected):
    times, _ = played([0, 1, 2, 3, 4, 4 + gap / STEP], jumps=jumps)
    assert (times[-1] - times[-2]) * STEP == expected


@given(st.lists(st.one_of(st.none(), st.fractions(-(10**6), 10**6)), max_size=60), st.booleans())
def test_no_stamps_make_times_fall(stamps, jumps):
    clock = Clock(STEP, jumps=jumps)
    times = [clock.time(stamp) for stamp in stamps]
    assert all(later > earlier for earlier, later in pairwise(times))
    assert not times or times[0] == 0
