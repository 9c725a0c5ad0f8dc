"""S4's densely connected network (Huang et al., arXiv 1608.06993) on 40x40 crops."""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mien.networks.layers import conv3x3, pooled_head
from mien.networks.registry import register
from mien.preprocess import PreprocessSpec

_GROWTH: Final = 12
"""Channels that each layer adds."""

_DEPTHS: Final = (6, 12, 24, 16)
"""Layers of each dense block."""


class DenseLayer(nn.Module):
    """A 1x1 bottleneck of four times the growth and a 3x3 convolution, whose result is appended to the input.

    Args:
        inputs: channels in.
        growth: channels that are appended.
    """

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, 4 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = conv3x3(4 * growth, growth)

    def forward(self, x: Tensor) -> Tensor:
        """Float (N, inputs, H, W) to (N, inputs + growth, H, W)."""
        y = self.conv1(F.relu(self.norm1(x)))
        return torch.cat((x, self.conv2(F.relu(self.norm2(y)))), 1)


def _transition(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    """Fewer channels and half the side."""
    return nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, outputs, 1, bias=False), nn.AvgPool2d(2)


@register(preprocess=PreprocessSpec(input_size=40), origin="S4, after Huang et al., arXiv 1608.06993")
def densenet(classes: int, channels: int) -> nn.Module:
    """999,031 parameters, 195.2 million multiply-adds."""
    width = 2 * _GROWTH
    layers: list[nn.Module] = [conv3x3(channels, width)]
    for block, depth in enumerate(_DEPTHS):
        if block:
            layers.extend(_transition(width, width // 2))
            width //= 2
        layers.extend(DenseLayer(width + i * _GROWTH, _GROWTH) for i in range(depth))
        width += depth * _GROWTH
    return nn.Sequential(*layers, nn.BatchNorm2d(width), nn.ReLU(), pooled_head(width, classes))
