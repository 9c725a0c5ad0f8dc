"""The leaky units of S3's first network."""

import torch
from torch import nn

from mien.networks import network_entry
from mien.networks.face_cnn import RandomLeakyReLU


def test_is_torchs_out_of_training_and_random_in_it():
    x = torch.linspace(-3, 3, 1001)
    unit = RandomLeakyReLU()
    assert torch.equal(unit.eval()(x), nn.RReLU().eval()(x))
    slopes = (unit.train()(x) / x)[x < 0]
    assert slopes.unique().numel() > 400
    assert 1 / 8 <= slopes.min() < slopes.max() <= 1 / 3 + 1e-6


def test_convolutions_start_with_the_stated_spread():
    torch.manual_seed(0)
    weight = network_entry("face_cnn").build().group3.conv.weight
    assert abs(weight.std().item() - 0.04) < 4e-4
