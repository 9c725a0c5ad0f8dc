"""Class balance: logit adjustment and balanced sampling against closed forms."""

import numpy as np
import pytest
import torch
from torch.nn.functional import one_hot

from mien.errors import ConfigError
from mien.training.config import LossConfig, TrainConfig
from mien.training.losses import focal_loss, log_priors, soft_cross_entropy
from mien.training.objective import Objective
from mien.training.order import order_of_rows

LABELS = torch.from_numpy(np.repeat(np.arange(7), [60, 5, 40, 90, 1, 30, 74]))
TARGETS = one_hot(LABELS, 7).float()


def test_adjusted_logits_are_least_wrong_where_they_know_nothing_of_the_classes():
    """The best constant answer is the classes' frequencies; with the adjustment, no preference at all."""
    logits = torch.zeros(7, requires_grad=True)
    soft_cross_entropy((logits + log_priors(TARGETS)).expand(300, 7), TARGETS).backward()
    assert logits.grad.abs().max() < 1e-6
    plain = torch.zeros(7, requires_grad=True)
    soft_cross_entropy(plain.expand(300, 7), TARGETS).backward()
    assert plain.grad.abs().max() > 0.1


def test_priors_are_those_of_the_mass_and_a_class_without_any_counts_as_one_face():
    np.testing.assert_allclose(log_priors(TARGETS).exp().numpy(), TARGETS.mean(0).numpy(), rtol=1e-6)
    assert log_priors(torch.eye(7)[[0, 0, 3]]).exp()[1] == pytest.approx(1 / 8)


@pytest.mark.parametrize("name", ["cross_entropy", "focal"])
def test_the_objective_adds_it_in_training_alone(name):
    plain = {"label_smoothing": 0.0, "mixup": 0.0}
    config = TrainConfig(network="mien_s", loss=LossConfig(name=name, logit_adjustment=0.7, **plain))
    frames = torch.randint(0, 256, (300, 48, 48), dtype=torch.uint8)
    objective = Objective(config, frames, TARGETS, teachers=None, views=None, autocast=None)
    objective.begin(0)
    given = torch.randn(50, 7)
    found = objective.loss(lambda inputs: given[: len(inputs)], objective.draw(torch.arange(50)))
    adjusted = given + 0.7 * torch.log(TARGETS.mean(0))
    expected = {
        "cross_entropy": soft_cross_entropy(adjusted, TARGETS[:50]),
        "focal": focal_loss(adjusted, LABELS[:50], 2.0),
    }[name]
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_balanced_sampling_draws_each_class_as_often():
    torch.manual_seed(0)
    config = TrainConfig(network="mien_s", sampling="balanced")
    drawn = torch.cat([order_of_rows(config, LABELS) for _ in range(100)])
    shares = torch.bincount(LABELS[drawn], minlength=7).double() / len(drawn)
    assert (shares - 1 / 7).abs().max() < 4 * np.sqrt(1 / 7 * 6 / 7 / len(drawn))
    within = torch.bincount(drawn[LABELS[drawn] == 3] - 105, minlength=90)
    assert len(within) == 90
    assert (within.double() - within.double().mean()).abs().max() < 5 * within.double().mean().sqrt()


def test_uniform_sampling_takes_each_row_once():
    torch.manual_seed(3)
    order = order_of_rows(TrainConfig(network="mien_s"), LABELS)
    torch.manual_seed(3)
    assert torch.equal(order, torch.randperm(300))
    kept = order_of_rows(TrainConfig(network="mien_s", shuffle=False), LABELS)
    assert kept.tolist() == list(range(300))
    with pytest.raises(ConfigError, match="sampling is balanced, which draws rows by chance, and shuffle is false"):
        TrainConfig(network="mien_s", sampling="balanced", shuffle=False)
