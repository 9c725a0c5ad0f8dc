"""Smoothing that moves nothing: planted onsets stay where they are."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from mien.errors import InputError
from mien.labels import EMOTIONS
from mien.output.recognized import Recognized
from mien.recognition.smoothing import MARGIN, TIME_CONSTANT
from mien.recognition.symmetric import Symmetric
from mien.results import Box, Face, Frame, Probabilities


def seen(index, time, values, track=1):
    face = Face(Box(0, 0, 9, 9), 0.9, Probabilities.of(values), track=track)
    return Recognized(Frame("a", index, time, 9, 9, (face,)), None)


def smoothed(values, times, track=lambda _: 1, **options):
    """The smoothed probabilities (N, 7) of readings (N, 7), and the expressions named."""
    images = [seen(n, times[n], row.tolist(), track(n)) for n, row in enumerate(np.asarray(values, float))]
    frames = [image.frame for image in Symmetric(**options).steadied(images)]
    assert [frame.index for frame in frames] == list(range(len(images)))
    faces = [frame.faces[0] for frame in frames]
    return np.array([list(face.probabilities.values()) for face in faces]), [face.emotion for face in faces]


def readings(labels, sure=0.7, noise=0.0, seed=0):
    random = np.random.default_rng(seed)
    values = np.full((len(labels), 7), (1 - sure) / 6)
    values[np.arange(len(labels)), labels] = sure
    values = np.abs(values + random.normal(0, noise, values.shape))
    return values / values.sum(axis=1, keepdims=True)


def onsets(labels):
    return [number for number, (before, after) in enumerate(pairwise(labels), 1) if before != after]


@pytest.mark.parametrize("rate", [10, 25, 30, 60])
@pytest.mark.parametrize("sure", [0.95, 0.6])
def test_an_onset_stays_in_its_frame(rate, sure):
    lengths = [rate * 2, rate, rate * 3, rate // 2, rate]
    labels = np.repeat([6, 3, 6, 5, 4], lengths)
    _, named = smoothed(readings(labels, sure), np.arange(len(labels)) / rate)
    assert onsets(named) == onsets(labels.tolist())
    assert named == [EMOTIONS[label] for label in labels]


def test_onsets_in_noise_stay_within_a_frame_and_nothing_flickers():
    labels = np.repeat([6, 3, 6, 4], 50)
    planted = onsets(labels.tolist())
    for seed in range(10):
        _, named = smoothed(readings(labels, 0.5, 0.08, seed), np.arange(200) / 25)
        assert np.abs(np.subtract(onsets(named), planted)).max() <= 1


def test_two_that_are_level_do_not_flicker():
    labels = np.random.default_rng(0).choice([3, 6], 500)
    _, named = smoothed(readings(labels, 0.5), np.arange(500) / 25)
    assert len(onsets(named)) < len(onsets(labels.tolist())) / 10


def test_it_is_a_convolution_with_a_symmetric_kernel():
    """Away from the ends; scipy's convolution is the other implementation."""
    values = np.random.default_rng(1).dirichlet(np.ones(7), 200)
    offsets = np.arange(-12, 13) / 25
    kernel = np.exp(-2 * np.abs(offsets) / TIME_CONSTANT)
    expected = signal.convolve(values, (kernel / kernel.sum())[:, None], mode="valid")
    found, _ = smoothed(values, np.arange(200) / 25)
    np.testing.assert_allclose(found[12:-12], expected, atol=1e-12)
    np.testing.assert_allclose(found[[0, -1]], values[[0, -1]])  # it reaches as far to both sides


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 17)), min_size=1, max_size=60))
def test_backwards_it_is_the_same(steps):
    labels = np.array([label for label, _ in steps])
    times = np.cumsum([step for _, step in steps]) / 25
    found, _ = smoothed(readings(labels), times.tolist())
    mirrored, _ = smoothed(readings(labels)[::-1], (times[-1] - times[::-1]).tolist())
    np.testing.assert_allclose(found, mirrored[::-1], atol=1e-9)
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_nearly_as_much_noise_is_taken_away_as_by_the_causal_mean():
    values = np.random.default_rng(2).dirichlet(np.ones(7), 4000)
    found, _ = smoothed(values, np.arange(4000) / 25)
    kept = np.exp(-0.04 / TIME_CONSTANT)
    causal = signal.lfilter([1 - kept], [1, -kept], values, axis=0)[100:]
    assert found.std(axis=0).mean() == pytest.approx(causal.std(axis=0).mean(), rel=0.2)


def test_nobody_is_smoothed_with_another_nor_across_an_absence():
    values = readings(np.repeat([3, 4], 20), 1.0)
    apart, _ = smoothed(values, np.arange(40) / 25, track=lambda number: 1 + (number >= 20))
    np.testing.assert_allclose(apart, values, atol=1e-12)
    times = np.arange(40) / 25 + np.repeat([0, 1.0], 20)
    np.testing.assert_allclose(smoothed(values, times)[0], values, atol=1e-12)


def test_frames_come_once_what_follows_is_known_and_before_an_error():
    def images():
        for number, row in enumerate(readings(np.zeros(50, int))):
            given.append(number)
            yield seen(number, number / 25, row.tolist())
        raise InputError("broken")

    given, ahead = [], []
    steadied = Symmetric().steadied(images())
    for number in range(50):
        assert next(steadied).frame.index == number
        ahead.append(len(given) - number)
    with pytest.raises(InputError, match="broken"):
        next(steadied)
    assert max(ahead[:30]) <= 1.75 * TIME_CONSTANT * 25 + 4  # each of three waits ends with a frame


@given(st.lists(st.integers(0, 6), min_size=1, max_size=60))
def test_another_expression_is_named_only_when_it_leads(numbers):
    """In the mean, up to half a time constant away from the change."""
    times = np.arange(len(numbers)) / 25
    found, named = smoothed(readings(np.array(numbers)), times)
    changes = times[onsets(named)]
    for time, mean, name in zip(times, found, named, strict=True):
        if np.all(np.abs(changes - time) > TIME_CONSTANT / 2):
            assert mean.max() - mean[EMOTIONS.index(name)] <= MARGIN + 1e-9
    for change, number in zip(changes, onsets(named), strict=True):
        leads = found.argmax(axis=1) == EMOTIONS.index(named[number])
        assert leads[np.abs(times - change) <= TIME_CONSTANT / 2 + 1e-9].any()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("strong", "weak"), [(0.95, 0.4), (0.9, 0.3)])
def test_a_strong_expression_does_not_outlast_itself(strong, weak, seed):
    """The mean goes over late to a weak expression, and back too early: by 3 to 5 frames here."""
    labels = np.repeat([3, 6, 3, 4, 6, 3], [50, 50, 40, 30, 25, 40])
    values = np.where((labels == 3)[:, None], readings(labels, strong), readings(labels, weak))
    values = np.abs(values + np.random.default_rng(seed).normal(0, 0.03, values.shape))
    _, named = smoothed(values / values.sum(axis=1, keepdims=True), np.arange(len(labels)) / 25)
    assert len(onsets(named)) == 5
    assert np.abs(np.subtract(onsets(named), onsets(labels.tolist()))).max() <= 1
