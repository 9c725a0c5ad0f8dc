"""mien's own compact networks: squeeze-and-excitation residual blocks, narrow, global pooling.

Cost shaped the widths: the 44 px stage holds one convolution only, because there the memory traffic of batch
normalisation costs a CPU more than the multiply-adds of two more blocks at 22 px.
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from mien.networks.layers import DropPath, SqueezeExcite, conv3x3
from mien.networks.registry import register
from mien.preprocess import PreprocessSpec


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and squeeze-and-excitation around a shortcut.

    The shortcut averages before it projects (He et al., arXiv 1812.01187).

    Args:
        inputs, outputs: channels.
        stride: 1, or 2 to halve the side (rounded up).
        drop_path: share of the faces that go by the shortcut alone in a training step.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1, drop_path: float = 0.0) -> None:
        super().__init__()
        self.conv1 = conv3x3(inputs, outputs, stride)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = conv3x3(outputs, outputs)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.attention = SqueezeExcite(outputs)
        self.drop_path = DropPath(drop_path)
        self.shortcut = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Float (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        y = F.relu(self.norm1(self.conv1(x)))
        y = self.attention(self.norm2(self.conv2(y)))
        return F.relu(self.drop_path(y) + self.shortcut(x))


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    if inputs == outputs and stride == 1:
        return nn.Identity()
    pool = [nn.AvgPool2d(2, ceil_mode=True)] if stride == 2 else []
    return nn.Sequential(*pool, nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))


class CompactResNet(nn.Module):
    """A stem convolution, stages of residual blocks that halve the side, global average pooling, one linear layer.

    Any input side from 8 pixels up works, so a training may begin on smaller and cheaper faces.

    Args:
        stem: channels of the first convolution.
        stages: (channels, blocks) of each stage.
        dropout: share of the pooled features that a training step hides.
        drop_path: share of the faces that skip the last block in a training step; it grows linearly from the first.
        ends: channels of the faces, and classes.
    """

    def __init__(
        self,
        stem: int,
        stages: tuple[tuple[int, int], ...],
        dropout: float,
        *,
        drop_path: float = 0.0,
        ends: tuple[int, int],
    ) -> None:
        super().__init__()
        channels, classes = ends
        self.stem = nn.Sequential(conv3x3(channels, stem), nn.BatchNorm2d(stem), nn.ReLU())
        widths = (stem, *(width for width, _ in stages))
        blocks: list[nn.Module] = []
        total = sum(depth for _, depth in stages)
        rates = (drop_path * (number + 1) / total for number in range(total))
        for (before, width), (_, depth) in zip(pairwise(widths), stages, strict=True):
            blocks.append(ResidualBlock(before, width, stride=2, drop_path=next(rates)))
            blocks.extend(ResidualBlock(width, width, drop_path=next(rates)) for _ in range(depth - 1))
        self.blocks = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Preprocessed faces, float (N, channels, S, S), to logits (N, classes)."""
        features = self.blocks(self.stem(x)).mean((2, 3))
        logits: Tensor = self.head(self.dropout(features))
        return logits


@register(preprocess=PreprocessSpec(input_size=44), origin="mien")
def mien_s(classes: int, channels: int) -> nn.Module:
    """883,035 parameters, 84 million multiply-adds at 44 px: the embedded default."""
    return CompactResNet(stem=32, stages=((48, 2), (128, 1), (192, 1)), dropout=0.2, ends=(channels, classes))


@register(preprocess=PreprocessSpec(input_size=44), origin="mien")
def mien_m(classes: int, channels: int) -> nn.Module:
    """2,839,375 parameters, 255 million multiply-adds at 44 px: three times the work of mien_s."""
    return CompactResNet(stem=32, stages=((64, 2), (192, 2), (320, 1)), dropout=0.3, ends=(channels, classes))


@register(preprocess=PreprocessSpec(input_size=44), origin="mien")
def mien_teacher(classes: int, channels: int) -> nn.Module:
    """7,906,991 parameters, 698 million multiply-adds at 44 px: a teacher, too large to ship.

    Stochastic depth and much dropout keep it from learning rows by heart.
    """
    return CompactResNet(
        stem=48, stages=((96, 3), (224, 3), (384, 2)), dropout=0.4, drop_path=0.2, ends=(channels, classes)
    )
