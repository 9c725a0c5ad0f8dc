"""S4's dual path network (Chen et al., arXiv 1707.01629) on 40x40 crops: residual and dense channels side by side."""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mien.networks.layers import conv3x3, pooled_head
from mien.networks.registry import register
from mien.preprocess import PreprocessSpec

_DEPTH: Final = 2
"""Blocks of each stage."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Widths of one stage.

    Args:
        bottleneck: channels of the grouped 3x3 convolution.
        residual: channels to which every block adds.
        growth: channels that every block appends.
    """

    bottleneck: int
    residual: int
    growth: int


_STAGES: Final = (Paths(96, 256, 16), Paths(192, 512, 32), Paths(384, 1024, 24), Paths(768, 2048, 128))


class DualPathBlock(nn.Module):
    """A bottleneck with a 3x3 convolution in 32 groups: one part of its output is added, the other appended.

    Args:
        inputs: channels in.
        paths: widths of the stage.
        stride: of the grouped convolution and of the shortcut.
        first: whether it opens a stage, where a 1x1 convolution gives the shortcut its channels.
    """

    def __init__(self, inputs: int, paths: Paths, stride: int, *, first: bool) -> None:
        super().__init__()
        width, outputs = paths.bottleneck, paths.residual + paths.growth
        self.residual = paths.residual
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, groups=32, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(outputs)
        projection = (nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)) if first else ()
        self.shortcut = nn.Sequential(*projection)

    def forward(self, x: Tensor) -> Tensor:
        """Float (N, C, H, W) to (N, residual + D + growth, H / stride, W / stride), D the shortcut's dense channels."""
        y = F.relu(self.norm1(self.conv1(x)))
        y = F.relu(self.norm2(self.conv2(y)))
        y = self.norm3(self.conv3(y))
        added, appended = y[:, : self.residual], y[:, self.residual :]
        shortcut = self.shortcut(x)
        kept, dense = shortcut[:, : self.residual], shortcut[:, self.residual :]
        return F.relu(torch.cat((kept + added, dense, appended), 1))


@register(preprocess=PreprocessSpec(input_size=40), origin="S4, after Chen et al., arXiv 1707.01629")
def dpn(classes: int, channels: int) -> nn.Module:
    """11,566,391 parameters, 1,037.3 million multiply-adds."""
    width = 64
    layers: list[nn.Module] = [conv3x3(channels, width), nn.BatchNorm2d(width), nn.ReLU()]
    for stage, paths in enumerate(_STAGES):
        for block in range(_DEPTH):
            stride = 2 if stage and not block else 1
            layers.append(DualPathBlock(width, paths, stride, first=not block))
            width = paths.residual + (block + 2) * paths.growth
    return nn.Sequential(*layers, pooled_head(width, classes))
