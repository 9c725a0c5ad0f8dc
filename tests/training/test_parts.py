"""Losses, schedule, averaging: each against a closed form or a second implementation."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss
from sklearn.utils.class_weight import compute_class_weight
from torch import nn
from torch.nn.functional import one_hot
from torch.optim.lr_scheduler import MultiStepLR, ReduceLROnPlateau, StepLR

from mien.training.averaging import WeightAverage
from mien.training.config import OptimizerConfig, ScheduleConfig
from mien.training.engine import in_channels_last
from mien.training.losses import balanced_weights, focal_loss, mixup, smooth, soft_cross_entropy
from mien.training.optimizers import make_optimizer
from mien.training.schedules import learning_rate_factor


def test_loss_without_smoothing_is_scikit_learns():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(50, 7, generator=generator)
    labels = torch.randint(0, 7, (50,), generator=generator)
    expected = log_loss(labels, logits.double().softmax(1), labels=range(7))
    assert soft_cross_entropy(logits, smooth(one_hot(labels, 7), 0)).item() == pytest.approx(expected, rel=1e-5)


@given(st.floats(0, 0.9), st.integers(0, 1000))
def test_smoothed_loss_is_torchs_own(smoothing, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(9, 7, generator=generator)
    labels = torch.randint(0, 7, (9,), generator=generator)
    expected = nn.functional.cross_entropy(logits, labels, label_smoothing=smoothing)
    assert soft_cross_entropy(logits, smooth(one_hot(labels, 7), smoothing)).item() == pytest.approx(
        expected.item(), rel=1e-4
    )


@given(st.floats(0.05, 5), st.integers(0, 1000))
def test_mixup_blends_faces_and_targets_by_the_same_share(alpha, seed):
    torch.manual_seed(seed)
    faces = torch.eye(7).reshape(7, 1, 1, 7)
    targets = torch.eye(7)
    mixed_faces, mixed_targets = mixup(alpha, faces, targets)
    assert torch.allclose(mixed_faces.reshape(7, 7), mixed_targets, atol=1e-6)
    assert torch.allclose(mixed_targets.sum(1), torch.ones(7), atol=1e-6)
    assert (mixed_targets.diagonal() >= 0.5 - 1e-6).all()


def test_cosine_follows_its_closed_form():
    schedule = ScheduleConfig(name="cosine", warmup_epochs=2, final=0.1)
    factors = [learning_rate_factor(schedule, step, 10, 12) for step in range(120)]
    assert factors[:20] == pytest.approx([(step + 1) / 21 for step in range(20)])
    assert factors[20] == 1.0
    expected = [0.1 + 0.9 * (1 + math.cos(math.pi * (step - 20) / 100)) / 2 for step in range(20, 120)]
    assert factors[20:] == pytest.approx(expected)
    assert factors[20:] == sorted(factors[20:], reverse=True)


def test_constant_stays_at_the_peak_after_warm_up():
    schedule = ScheduleConfig(name="constant", warmup_epochs=1)
    factors = [learning_rate_factor(schedule, step, 4, 3) for step in range(12)]
    assert factors == pytest.approx([0.2, 0.4, 0.6, 0.8] + [1.0] * 8)


def test_step_and_multistep_are_torchs_own():
    parameter = nn.Parameter(torch.zeros(1))
    for config, make in [
        (ScheduleConfig(name="step", every=3, factor=0.5, warmup_epochs=0), lambda o: StepLR(o, 3, 0.5)),
        (
            ScheduleConfig(name="multistep", milestones=(2, 3, 7), factor=0.1, warmup_epochs=0),
            lambda o: MultiStepLR(o, [2, 3, 7], 0.1),
        ),
    ]:
        optimizer = torch.optim.SGD([parameter], lr=1.0)
        scheduler = make(optimizer)
        for epoch in range(12):
            for batch in range(4):
                factor = learning_rate_factor(config, epoch * 4 + batch, 4, 12)
                assert factor == pytest.approx(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()


@given(st.lists(st.floats(0, 1), max_size=40), st.integers(0, 5))
def test_plateau_is_torchs_own(accuracies, patience):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = ReduceLROnPlateau(optimizer, mode="max", factor=0.5, patience=patience, eps=0)
    for accuracy in accuracies:
        scheduler.step(accuracy)
    config = ScheduleConfig(name="plateau", factor=0.5, patience=patience, warmup_epochs=0)
    factor = learning_rate_factor(config, 4 * len(accuracies), 4, 100, accuracies)
    assert factor == pytest.approx(optimizer.param_groups[0]["lr"])


@given(st.floats(0, 4), st.integers(0, 1000), st.booleans())
def test_focal_loss_is_its_formula(gamma, seed, weighted):
    random = np.random.default_rng(seed)
    logits, labels = random.normal(size=(11, 7)), random.integers(0, 7, 11)
    weights = random.uniform(0.1, 3, 7) if weighted else np.ones(7)
    p = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True))[np.arange(11), labels]
    expected = (weights[labels] * -((1 - p) ** gamma) * np.log(p)).sum() / weights[labels].sum()
    given_weights = torch.from_numpy(weights).float() if weighted else None
    found = focal_loss(torch.from_numpy(logits), torch.from_numpy(labels), gamma, given_weights)
    assert found.item() == pytest.approx(expected, rel=1e-4)


@given(st.floats(0, 0.9), st.integers(0, 1000))
def test_weighted_loss_is_torchs_own_without_smoothing(smoothing, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(9, 7, generator=generator)
    labels = torch.randint(0, 7, (9,), generator=generator)
    weights = torch.rand(7, generator=generator) + 0.1
    expected = nn.functional.cross_entropy(logits, labels, weight=weights)
    assert soft_cross_entropy(logits, smooth(one_hot(labels, 7), 0), weights).item() == pytest.approx(
        expected.item(), rel=1e-4
    )
    targets = smooth(one_hot(labels, 7), smoothing)
    by_hand = -(weights * targets * logits.log_softmax(1)).sum() / (weights * targets).sum()
    assert soft_cross_entropy(logits, targets, weights).item() == pytest.approx(by_hand.item(), rel=1e-4)


def test_balanced_weights_are_scikit_learns():
    labels = np.repeat(np.arange(7), [40, 4, 41, 72, 48, 32, 50])
    expected = compute_class_weight("balanced", classes=np.arange(7), y=labels)
    np.testing.assert_allclose(balanced_weights(one_hot(torch.from_numpy(labels), 7)).numpy(), expected, rtol=1e-6)
    assert balanced_weights(one_hot(torch.tensor([0, 0, 3]), 7))[1] == 0


def test_balanced_weights_of_distributions_count_their_mass():
    targets = torch.tensor([[0.5, 0.25, 0.25, 0, 0, 0, 0], [0, 0, 0.75, 0.25, 0, 0, 0]])
    weights = balanced_weights(targets)
    assert weights.tolist() == pytest.approx([2 / 4 / mass for mass in (0.5, 0.25, 1, 0.25)] + [0, 0, 0])
    assert (targets * weights).sum().item() == pytest.approx(len(targets))


def test_average_follows_the_recursion_statistics_included():
    network = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    average = WeightAverage(network, 0.9)
    expected = {key: value.clone().double().numpy() for key, value in network.state_dict().items()}
    generator = torch.Generator().manual_seed(0)
    for step in range(100):
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=generator))
        network.train()(torch.randn(5, 3, generator=generator))
        average.update(step)
        decay = min(0.9, (1 + step) / (10 + step))
        for key, value in network.state_dict().items():
            expected[key] = decay * expected[key] + (1 - decay) * value.numpy()
    result = average.module.state_dict()
    assert result.pop("1.num_batches_tracked").item() == 100
    for key, value in result.items():
        np.testing.assert_allclose(value.numpy(), expected[key], rtol=1e-4, atol=1e-5, err_msg=key)


def test_average_with_decay_zero_is_the_network():
    network = nn.Linear(2, 2)
    average = WeightAverage(network, 0.0)
    with torch.no_grad():
        network.weight.fill_(3.0)
    average.update(0)
    assert torch.equal(average.module.weight, network.weight)


def learned_in_ten_steps(config, *, fused):
    torch.manual_seed(0)
    network = in_channels_last(nn.Sequential(nn.Conv2d(2, 4, 3), nn.Flatten(), nn.Linear(4 * 6 * 6, 7)))
    optimizer = make_optimizer(network, config, fused=fused)
    inputs, labels = torch.randn(20, 2, 8, 8), torch.randint(0, 7, (20,))
    for _ in range(10):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(inputs), labels).backward()
        optimizer.step()
    return [parameter.detach() for parameter in network.parameters()]


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "rmsprop"])
def test_fused_optimizers_take_the_same_steps(name):
    config = OptimizerConfig(name=name, learning_rate=0.01, weight_decay=0.1)
    found, expected = (learned_in_ten_steps(config, fused=fused) for fused in (True, False))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_only_weights_of_two_or_more_dimensions_are_decayed():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    for name in ("sgd", "adam", "adamw", "rmsprop"):
        decayed, kept = make_optimizer(network, OptimizerConfig(name=name, weight_decay=0.3)).param_groups
        assert [tuple(p.shape) for p in decayed["params"]] == [(2, 1, 3, 3)]
        assert len(kept["params"]) == 3
        assert (decayed["weight_decay"], kept["weight_decay"]) == (0.3, 0.0)
