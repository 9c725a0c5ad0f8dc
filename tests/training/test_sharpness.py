"""Sharpness-aware minimization against a closed form."""

import pytest
import torch
from torch import nn

from mien.errors import ConfigError
from mien.training.config import OptimizerConfig
from mien.training.sharpness import uphill


def test_the_gradient_uphill_is_that_of_the_paper():
    """For w'Aw / 2 the gradient is Aw, and at radius r uphill A(w + r Aw / |Aw|)."""
    random = torch.Generator().manual_seed(0)
    root = torch.randn(6, 6, generator=random, dtype=torch.float64)
    curvature = root @ root.T
    halves = nn.ParameterList([*torch.randn(2, 3, generator=random, dtype=torch.float64)])
    before = torch.cat([*halves]).detach().clone()

    def gradient():
        halves.zero_grad()
        weights = torch.cat([*halves])
        (weights @ curvature @ weights / 2).backward()
        return torch.cat([half.grad for half in halves])

    first = gradient()
    with uphill(halves, halves, 0.3):
        second = gradient()
    steepest = curvature @ before
    torch.testing.assert_close(first, steepest)
    torch.testing.assert_close(second, curvature @ (before + 0.3 * steepest / steepest.norm()))
    assert torch.equal(torch.cat([*halves]), before)


def test_a_gradient_of_zero_moves_nothing():
    layer = nn.Linear(2, 1)
    (layer(torch.ones(1, 2)) * 0).sum().backward()
    before = layer.weight.detach().clone()
    with uphill(layer, layer.parameters(), 1.0):
        assert torch.equal(layer.weight, before)


@pytest.mark.parametrize("fails", [False, True])
def test_weights_and_statistics_are_as_before_even_after_an_error(fails):
    network = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    inputs = torch.randn(8, 4)
    network(inputs).square().mean().backward()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    try:
        with uphill(network, network.parameters(), 0.5):
            assert not torch.equal(network[0].weight, before["0.weight"])
            network(inputs)
            if fails:
                raise ArithmeticError
    except ArithmeticError:
        pass
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    network(inputs)
    assert not torch.equal(network[1].running_mean, before["1.running_mean"])


def test_a_radius_below_zero_is_refused():
    with pytest.raises(ConfigError, match=r"optimizer\.sam_radius is -0\.1"):
        OptimizerConfig(sam_radius=-0.1)
