import pytest
import torch

from mien.networks import network_entry
from mien.networks.residual import PreActBlock


@pytest.mark.parametrize("attention", [False, True])
def test_pre_activation_block_whose_last_convolution_gives_nothing_is_the_identity(attention):
    block = PreActBlock(32, 32, 1, attention=attention).eval()
    torch.nn.init.zeros_(block.conv2.weight)
    x = torch.randn(2, 32, 5, 5)
    assert torch.equal(block(x), x)


def test_projection_sees_the_activated_input():
    block = PreActBlock(4, 8, 2).eval()
    torch.nn.init.zeros_(block.conv2.weight)
    negative = -torch.rand(2, 4, 6, 6) - 0.1
    assert torch.equal(block(negative), torch.zeros(2, 8, 3, 3))


def test_every_position_of_the_last_stage_counts():
    torch.manual_seed(0)
    head = network_entry("resnet18").build().eval()[-1]
    features = torch.zeros(25, 512, 5, 5)
    for position in range(25):
        features[position, :, position // 5, position % 5] = 1
    logits = head(features)
    assert torch.allclose(logits, logits[:1].expand_as(logits), atol=1e-6)
