from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import UsageError
from mien.labels import EMOTIONS
from mien.recognition.smoothing import MARGIN, TIME_CONSTANT, WINDOW, Smoother, Smoothing
from mien.results import Box, Face, Frame

labels = st.lists(st.integers(0, 6), min_size=1, max_size=40)
steps = st.lists(st.tuples(st.integers(0, 6), st.floats(0.001, 2)), min_size=1, max_size=30)


def reading(label, sure=0.7, track=1):
    probabilities = (1 - sure) / 6 + (sure - (1 - sure) / 6) * np.eye(7)[label]
    return Face(Box(0, 0, 9, 9), 0.9, tuple((probabilities / probabilities.sum()).tolist()), track=track)


def smoothed(name, faces, times=None):
    smoother = Smoother(name)
    times = times or [number * 0.04 for number in range(len(faces))]
    frames = (Frame("a", number, times[number], 9, 9, (face,)) for number, face in enumerate(faces))
    return [smoother.smooth(frame).faces[0] for frame in frames]


@given(labels)
def test_none_leaves_every_face_as_it_is(numbers):
    faces = [reading(number) for number in numbers]
    assert smoothed("none", faces) == faces


@given(labels)
def test_mode_names_a_most_frequent_of_the_last_ten(numbers):
    for end, face in enumerate(smoothed("mode", [reading(number) for number in numbers]), start=1):
        counts = Counter(numbers[max(0, end - WINDOW) : end])
        assert counts[EMOTIONS.index(face.emotion)] == max(counts.values())
        shares = [counts[number] / counts.total() for number in range(7)]
        np.testing.assert_allclose(list(face.probabilities.values()), shares)


def test_mode_keeps_what_it_names_while_another_is_only_level():
    named = [face.emotion for face in smoothed("mode", [reading(number) for number in [3, 6, 3, 6, 6, 3, 3]])]
    assert named == ["happy", "happy", "happy", "happy", "neutral", "neutral", "happy"]


@given(steps)
def test_ema_is_the_exponentially_weighted_mean_of_pandas(readings):
    faces = [reading(number) for number, _ in readings]
    times = np.cumsum([step for _, step in readings]).tolist()
    found = np.array([list(face.probabilities.values()) for face in smoothed("ema", faces, times)])
    mean = pd.DataFrame([dict(face.probabilities) for face in faces]).ewm(
        halflife=pd.Timedelta(seconds=TIME_CONSTANT * np.log(2)), times=pd.to_datetime(times, unit="s"), adjust=False
    )
    np.testing.assert_allclose(found, mean.mean(), atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1)


@pytest.mark.parametrize("rate", [5, 25, 100])
def test_ema_follows_a_change_by_63_percent_in_its_time_constant_at_any_frame_rate(rate):
    frames = round(TIME_CONSTANT * rate)
    faces = [reading(0, 1.0)] * 3 + [reading(3, 1.0)] * frames
    last = smoothed("ema", faces, [number / rate for number in range(len(faces))])[-1]
    assert last.probabilities["happy"] == pytest.approx(1 - np.exp(-frames / rate / TIME_CONSTANT))


def test_what_is_named_does_not_flicker_between_two_that_are_level():
    random = np.random.default_rng(0)
    faces = [reading(int(label), 0.5) for label in random.choice([3, 6], 500)]
    raw = [face.emotion for face in faces]
    named = [face.emotion for face in smoothed("ema", faces)]
    assert changes(named) < changes(raw) / 10


@given(labels)
def test_another_expression_is_named_only_when_it_is_ahead_by_the_margin(numbers):
    faces = smoothed("ema", [reading(number) for number in numbers])
    for before, face in pairwise(faces):
        held = face.probabilities[before.emotion]
        ahead = max(face.probabilities.values()) - held
        if face.emotion == before.emotion:
            assert ahead <= MARGIN + 1e-9
        else:
            assert ahead > MARGIN
            assert face.probability == max(face.probabilities.values())


def test_people_are_smoothed_apart_and_faces_of_nobody_are_not():
    smoother = Smoother("mode")
    for number in range(12):
        faces = (reading(3, track=1), reading(4, track=2), reading(number % 7, track=None))
        frame = smoother.smooth(Frame("a", number, number * 0.04, 9, 9, faces))
        assert [face.emotion for face in frame.faces[:2]] == ["happy", "sad"]
        assert frame.faces[2] == faces[2]


def test_people_who_are_gone_are_forgotten():
    smoother = Smoother("ema")
    for number in range(50):
        smoother.smooth(Frame("a", number, float(number), 9, 9, (replace(reading(0), track=number),)))
    assert len(smoother._people) < 10


def test_an_unknown_smoothing_lists_what_exists():
    with pytest.raises(UsageError, match="'median': expected one of auto, symmetric, ema, mode, none"):
        Smoother("median")


def test_a_time_constant_of_ones_own_is_used_and_checked():
    faces = [reading(0, 1.0)] + [reading(3, 1.0)] * 25
    smoother = Smoother("auto", 2.0)
    frames = [smoother.smooth(Frame("a", n, n / 25, 9, 9, (face,))) for n, face in enumerate(faces)]
    assert frames[-1].faces[0].probabilities["happy"] == pytest.approx(1 - np.exp(-1 / 2))
    for smooth, seconds, words in (
        ("ema", 0.0, "is 0.0"),
        ("ema", np.nan, "is nan"),
        ("mode", 1.0, "is for smoothing"),
    ):
        with pytest.raises(UsageError, match=f"time_constant {words}"):
            Smoother(smooth, seconds)


def test_what_looks_ahead_is_refused_for_live_sources():
    with pytest.raises(UsageError, match="symmetric looks ahead"):
        Smoother("symmetric")


class Median(Smoothing):
    """The middle of all readings so far."""

    def __init__(self):
        self.readings = []

    def update(self, probabilities, time):
        self.readings.append(probabilities)
        middle = np.median(self.readings, axis=0)
        return middle / middle.sum()


def test_a_smoothing_of_ones_own_steadies_every_person_apart():
    found = [smoothed(Median, [reading(label) for label in labels])[-1] for labels in ([3, 3, 4], [4, 3, 4])]
    assert [face.emotion for face in found] == ["happy", "sad"]
    assert found[0].probabilities == reading(3).probabilities


def test_a_smoothing_that_gives_no_probabilities_is_told_what_was_expected():
    class Halved(Smoothing):
        def update(self, probabilities, time):
            return probabilities / 2

    with pytest.raises(UsageError, match="that sum to 1"):
        smoothed(Halved, [reading(3)])


def test_an_object_that_makes_nothing_is_no_smoothing():
    with pytest.raises(UsageError, match=r"a subclass of mien\.Smoothing"):
        Smoother(Median())


def changes(names):
    return sum(before != after for before, after in pairwise(names))
