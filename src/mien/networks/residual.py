"""S4's residual networks on 40x40 crops: ResNet, pre-activation ResNet, and the latter with squeeze-and-excitation.

The stem keeps the side (one 3x3 convolution, no pooling) and the stages see 40, 20, 10 and 5 px, as is usual for
CIFAR-10. In all its networks but VGG19, S4 averaged the first 4x4 of the last 5x5 positions; here all 25 count, at the
same cost.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Final

from torch import Tensor, nn
from torch.nn import functional as F

from mien.networks.layers import BasicBlock, SqueezeExcite, conv3x3, pooled_head
from mien.networks.registry import register
from mien.preprocess import PreprocessSpec

_CROP: Final = PreprocessSpec(input_size=40)
_DEPTHS_18: Final = (2, 2, 2, 2)
_DEPTHS_34: Final = (3, 4, 6, 3)
_WIDTHS: Final = (64, 64, 128, 256, 512)
"""Channels of the stem, then of each stage."""


class PreActBlock(nn.Module):
    """Two 3x3 convolutions, each behind its normalisation and ReLU (He et al., arXiv 1603.05027), and a shortcut.

    Where the shape changes, the shortcut is a 1x1 convolution of the activated input.

    Args:
        inputs, outputs: channels.
        stride: of the first convolution and of the shortcut.
        attention: whether a squeeze-and-excitation gate scales the result before the shortcut is added.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, *, attention: bool = False) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = conv3x3(inputs, outputs, stride)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.conv2 = conv3x3(outputs, outputs)
        self.attention = SqueezeExcite(outputs, reduction=16) if attention else nn.Identity()
        unchanged = inputs == outputs and stride == 1
        self.projection = None if unchanged else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Float (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        active = F.relu(self.norm1(x))
        shortcut = x if self.projection is None else self.projection(active)
        y = self.conv2(F.relu(self.norm2(self.conv1(active))))
        return shortcut + self.attention(y)  # type: ignore[no-any-return]


def _attentive_block(inputs: int, outputs: int, stride: int) -> nn.Module:
    return PreActBlock(inputs, outputs, stride, attention=True)


def _stages(block: Callable[[int, int, int], nn.Module], depths: tuple[int, ...]) -> nn.Sequential:
    """The given number of blocks per stage; every stage but the first halves the side."""
    blocks: list[nn.Module] = []
    for stage, ((before, width), depth) in enumerate(zip(pairwise(_WIDTHS), depths, strict=True)):
        blocks.append(block(before, width, 2 if stage else 1))
        blocks.extend(block(width, width, 1) for _ in range(depth - 1))
    return nn.Sequential(*blocks)


def _normalised_stem(channels: int) -> tuple[nn.Module, ...]:
    return conv3x3(channels, _WIDTHS[0]), nn.BatchNorm2d(_WIDTHS[0]), nn.ReLU()


@register(preprocess=_CROP, origin="S4, after He et al., arXiv 1512.03385")
def resnet18(classes: int, channels: int) -> nn.Module:
    """11,171,271 parameters, 866.0 million multiply-adds: the network of the 73.70 % claim."""
    return nn.Sequential(
        *_normalised_stem(channels), _stages(BasicBlock, _DEPTHS_18), pooled_head(_WIDTHS[-1], classes)
    )


@register(preprocess=_CROP, origin="S4, after He et al., arXiv 1512.03385")
def resnet34(classes: int, channels: int) -> nn.Module:
    """21,279,431 parameters, 1,809.7 million multiply-adds."""
    return nn.Sequential(
        *_normalised_stem(channels), _stages(BasicBlock, _DEPTHS_34), pooled_head(_WIDTHS[-1], classes)
    )


@register(preprocess=_CROP, origin="S4, after He et al., arXiv 1603.05027")
def preact_resnet18(classes: int, channels: int) -> nn.Module:
    """11,168,455 parameters, 866.0 million multiply-adds."""
    return nn.Sequential(
        conv3x3(channels, _WIDTHS[0]), _stages(PreActBlock, _DEPTHS_18), pooled_head(_WIDTHS[-1], classes)
    )


@register(preprocess=_CROP, origin="S4, after He et al., arXiv 1603.05027")
def preact_resnet34(classes: int, channels: int) -> nn.Module:
    """21,276,615 parameters, 1,809.7 million multiply-adds."""
    return nn.Sequential(
        conv3x3(channels, _WIDTHS[0]), _stages(PreActBlock, _DEPTHS_34), pooled_head(_WIDTHS[-1], classes)
    )


@register(preprocess=_CROP, origin="S4, after Hu et al., arXiv 1709.01507")
def senet18(classes: int, channels: int) -> nn.Module:
    """11,257,663 parameters, 866.1 million multiply-adds."""
    return nn.Sequential(
        *_normalised_stem(channels), _stages(_attentive_block, _DEPTHS_18), pooled_head(_WIDTHS[-1], classes)
    )
