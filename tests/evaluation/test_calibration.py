import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from scipy.stats import gamma, halfnorm

from mien.errors import UsageError
from mien.evaluation.calibration import calibrated_ece_band, expected_calibration_error
from mien.evaluation.temperature import TEMPERATURE_RANGE, fit_temperature, warn_at_end


def honest_sample(seed, n, scale=2.0):
    """Logits, and labels drawn from exactly the probabilities that they stand for."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, scale, (n, 7))
    below = random.random((n, 1)) > softmax(logits, axis=1).cumsum(axis=1)
    return logits, below.sum(axis=1).clip(max=6)


def loss(temperature, logits, labels):
    return -log_softmax(logits / temperature, axis=1)[np.arange(len(labels)), labels].mean()


@pytest.mark.parametrize("planted", [0.3, 1.0, 2.5, 7.0])
def test_a_planted_temperature_is_found(planted):
    logits, labels = honest_sample(0, 20_000)
    assert fit_temperature(logits * planted, labels) == pytest.approx(planted, rel=0.03)
    assert expected_calibration_error(softmax(logits, axis=1), labels) < 0.01


def posterior(log_temperature, logits, labels):
    """Minus the log density of T's posterior, but for a constant: by scipy, with gamma-distributed 1 / T."""
    inverse = np.exp(-log_temperature)
    return len(labels) * loss(1 / inverse, logits, labels) - gamma.logpdf(inverse, 2)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(0.2, 6), st.integers(1, 300))
def test_no_other_temperature_is_likelier(seed, planted, rows):
    logits, labels = honest_sample(seed, rows)
    logits = logits * planted
    found = fit_temperature(logits, labels)
    best = minimize_scalar(
        posterior,
        bounds=np.log(TEMPERATURE_RANGE),
        args=(logits, labels),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert found == pytest.approx(np.exp(best.x), rel=1e-4)


def test_the_rows_of_public_test_outweigh_the_prior():
    logits, labels = honest_sample(7, 3589)
    likeliest = minimize_scalar(loss, bounds=(0.5, 2), args=(logits * 0.8, labels), method="bounded")
    assert fit_temperature(logits * 0.8, labels) == pytest.approx(likeliest.x, rel=1e-3)


def test_two_errors_among_few_rows_do_not_make_every_answer_certain():
    """32 sure answers to two classes, of which two are narrowly wrong: the likeliest temperature is near 0."""
    margins = np.repeat([3.0, -0.01], [30, 2])
    logits = np.column_stack([margins, np.zeros(32)])
    found = [fit_temperature(np.abs(logits) * [[1, 0]] if right else logits, [0] * 32) for right in (True, False)]
    assert min(found) > 0.3
    assert found[0] == pytest.approx(found[1], rel=0.05)  # one mistake more or less is no other world


@pytest.mark.parametrize("planted", [0.5, 1.0, 2.0])
def test_few_rows_cost_little_likelihood(planted):
    """The mean loss on fresh faces, over 40 fits on 32 rows of a network that is right nine times in ten."""
    fresh = honest_sample(99, 2000, scale=12)
    fits = [fit_temperature(x * planted, y) for x, y in (honest_sample(seed, 32, scale=12) for seed in range(40))]
    found = [loss(fit, fresh[0] * planted, fresh[1]) for fit in fits]
    assert np.mean(found) < 1.25 * loss(planted, fresh[0] * planted, fresh[1])


def test_the_order_of_the_logits_is_shifted_away():
    logits, labels = honest_sample(4, 500)
    assert fit_temperature(logits + 1e4, labels) == pytest.approx(fit_temperature(logits, labels), rel=1e-6)


def test_rows_that_say_nothing_leave_it_at_1():
    assert fit_temperature(np.zeros((5, 7)), np.arange(5)) == pytest.approx(1)


def test_the_end_of_the_range_is_said(caplog):
    logits = 1e3 * np.eye(7)
    found = fit_temperature(logits, (np.arange(7) + 1) % 7)
    assert found == pytest.approx(TEMPERATURE_RANGE[1])
    warn_at_end(1.5, "runs/fine")
    warn_at_end(found, "runs/wrong")
    assert caplog.messages == [
        "runs/wrong: the temperature is 20, an end of its range: do not trust the probabilities; fit it on more "
        "faces, and check their labels"
    ]


def test_float32_logits_give_a_plain_float():
    logits, labels = honest_sample(5, 100)
    assert type(fit_temperature(logits.astype(np.float32), labels.astype(np.uint8))) is float


@pytest.mark.parametrize(("logits", "labels"), [([], []), ([[np.inf, 0]], [0]), ([[1.0, 2.0]], [2])])
def test_bad_arguments_are_refused(logits, labels):
    with pytest.raises(UsageError):
        fit_temperature(logits, labels)


def test_the_band_of_one_bin_is_that_of_the_folded_normal_distribution():
    """All confidences alike: the error is the distance of a share of 2,000 faces from 0.7."""
    low, high = calibrated_ece_band(np.full(2000, 0.7), draws=4000)
    error = np.sqrt(0.7 * 0.3 / 2000)
    assert low == pytest.approx(halfnorm.ppf(0.05) * error, abs=1e-3)
    assert high == pytest.approx(halfnorm.ppf(0.95) * error, rel=0.05)


def test_nine_of_ten_calibrated_models_lie_in_their_band_and_an_overconfident_one_does_not():
    inside = []
    for seed in range(60):
        logits, labels = honest_sample(seed, 1000)
        low, high = calibrated_ece_band(softmax(logits, axis=1).max(axis=1), draws=300)
        inside.append(low <= expected_calibration_error(softmax(logits, axis=1), labels) <= high)
        assert expected_calibration_error(softmax(2 * logits, axis=1), labels) > high
    assert 48 <= sum(inside) <= 59  # 54 expected, standard deviation 2.3


def test_confidence_of_one_leaves_no_room_for_chance():
    assert calibrated_ece_band(np.ones(50)) == (0.0, 0.0)
