import torch

from mien.networks.dpn import DualPathBlock, Paths

PATHS = Paths(bottleneck=32, residual=8, growth=4)


def test_block_adds_to_residual_channels_and_appends_dense_ones():
    block = DualPathBlock(16, PATHS, stride=1, first=False).eval()
    x = torch.rand(2, 16, 6, 6)
    with torch.inference_mode():
        y = block(x)
        torch.nn.init.zeros_(block.norm3.weight)
        torch.nn.init.ones_(block.norm3.bias)
        planted = block(x)
    assert y.shape == (2, 20, 6, 6)
    assert torch.equal(y[:, 8:16], x[:, 8:])
    assert torch.equal(planted, torch.cat((x[:, :8] + 1, x[:, 8:], torch.ones(2, 4, 6, 6)), 1))


def test_first_block_of_a_stage_projects_and_halves_the_side():
    block = DualPathBlock(10, PATHS, stride=2, first=True).eval()
    assert block(torch.rand(2, 10, 6, 6)).shape == (2, 8 + 4 + 4, 3, 3)
