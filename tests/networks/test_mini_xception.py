"""mini-Xception: Keras's count and Keras's padding."""

import numpy as np
import pytest
import torch
from torch import nn

from mien.networks import network_entry
from mien.networks.mini_xception import SeparableBlock


def test_keras_counts_running_statistics_too():
    network = network_entry("mini_xception").build()
    statistics = sum(2 * m.num_features for m in network.modules() if isinstance(m, nn.BatchNorm2d))
    assert sum(p.numel() for p in network.parameters()) + statistics == 58_423


def pooled(channel):
    """Pooling as Keras defines "same": the padding that is needed, the larger half of it at the end."""
    side = len(channel)
    out = -(-side // 2)
    needed = (out - 1) * 2 + 3 - side
    padded = np.pad(channel, (needed // 2, needed - needed // 2), constant_values=-np.inf)
    return np.array([[padded[2 * r : 2 * r + 3, 2 * c : 2 * c + 3].max() for c in range(out)] for r in range(out)])


@pytest.mark.parametrize("side", [60, 15])
def test_pools_as_keras_does(side):
    torch.manual_seed(0)
    block = SeparableBlock(2, 3).eval()
    x = torch.randn(1, 2, side, side)
    with torch.inference_mode():
        pooling = block(x) - block.shortcut(x)
        branch = block.branch(x)[0].numpy()
    np.testing.assert_allclose(pooling[0].numpy(), np.stack(list(map(pooled, branch))), atol=1e-5)
