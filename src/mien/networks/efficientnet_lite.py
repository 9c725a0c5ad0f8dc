"""EfficientNet-Lite: inverted residual blocks, scaled in depth and width together (Tan and Le, arXiv 1905.11946).

The Lite variant leaves out squeeze-and-excitation, has ReLU6 in the place of Swish, and scales neither its first and
last stage in depth nor the channels of its first and last convolution. Names of layers are ours; what they compute is
what the published weights expect: padding as TensorFlow's "SAME", and an epsilon of 0.001 in batch normalisation.
Statistics follow faster than there (0.1 a step, not 0.01), since trainings on faces have hundreds of steps.
"""

import math
from typing import Final

from torch import Tensor, nn
from torch.nn import functional as F

from mien.networks.layers import DropPath
from mien.networks.registry import register
from mien.preprocess import PreprocessSpec

_SPEC: Final = PreprocessSpec(frame_size=120, input_size=110, mean=127 / 255, std=128 / 255)
"""As its makers scaled pictures, (x - 127) / 128; and as much of a face as mien's own networks see, 11/12."""

_STAGES: Final = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Blocks, kernel, stride of the first block, expansion and channels of each stage: table 1 of the paper."""

_STEM: Final = 32
_TOP: Final = 1280
_EPSILON: Final = 1e-3
_DROP_PATH: Final = 0.2


class ConvNorm(nn.Module):
    """A convolution, batch normalisation, and ReLU6 where it is asked for.

    The result's side is the input's divided by the stride, rounded up. Where the padding that this takes is odd, the
    pixel more lies below and to the right, as in TensorFlow.

    Args:
        inputs, outputs: channels.
        kernel: side in pixels, odd.
        stride: 1 or 2.
        groups: of channels that are convolved apart.
        active: whether ReLU6 follows.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, *, active: bool = True
    ) -> None:
        super().__init__()
        even = kernel // 2 if stride == 1 else 0
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=even, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=_EPSILON)
        self.active = active
        self._kernel, self._stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        """Float (N, inputs, H, W) to (N, outputs, H / stride, W / stride), sides rounded up."""
        if self._stride > 1:
            x = F.pad(x, (*self._margins(x.shape[3]), *self._margins(x.shape[2])))
        y: Tensor = self.norm(self.conv(x))
        return F.relu6(y) if self.active else y

    def _margins(self, side: int) -> tuple[int, int]:
        """Pixels of padding before and after a side."""
        missing = (math.ceil(side / self._stride) - 1) * self._stride + self._kernel - side
        return max(missing, 0) // 2, max(missing, 0) - max(missing, 0) // 2


class InvertedResidual(nn.Module):
    """Channels are widened, convolved each for itself, and narrowed (Sandler et al., arXiv 1801.04381).

    Where the shape stays, the input is added.

    Args:
        inputs, outputs: channels.
        kernel: side of the convolution in pixels.
        stride: of the convolution.
        expansion: how many times wider the middle is.
        drop_path: share of the faces that go by the shortcut alone in a training step.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int, drop_path: float) -> None:
        super().__init__()
        wide = inputs * expansion
        self.expand = ConvNorm(inputs, wide) if expansion > 1 else nn.Identity()
        self.depthwise = ConvNorm(wide, wide, kernel, stride, groups=wide)
        self.project = ConvNorm(wide, outputs, active=False)
        self.shortcut = stride == 1 and inputs == outputs
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Float (N, inputs, H, W) to (N, outputs, H / stride, W / stride), sides rounded up."""
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + self.drop_path(y) if self.shortcut else y


class EfficientNetLite(nn.Module):
    """Stem, stages of inverted residual blocks, a wide 1x1 convolution, global average pooling, one linear layer.

    Takes any side; its features have a 32nd of it.

    Args:
        width: multiplies the channels of the stages.
        depth: multiplies their blocks, but for the first and the last stage.
        dropout: share of the pooled features that a training step hides.
        ends: channels of the pictures, and classes.
    """

    def __init__(self, width: float, depth: float, dropout: float, *, ends: tuple[int, int]) -> None:
        super().__init__()
        channels, classes = ends
        self.stem = ConvNorm(channels, _STEM, 3, 2)
        self.blocks = nn.Sequential(*_blocks(width, depth))
        self.top = ConvNorm(rounded(_STAGES[-1][-1] * width), _TOP)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(_TOP, classes)

    def features(self, x: Tensor) -> Tensor:
        """Preprocessed pictures, float (N, channels, S, S), to what the last layer reads, (N, 1280)."""
        return self.top(self.blocks(self.stem(x))).mean((2, 3))  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        """Preprocessed pictures, float (N, channels, S, S), to logits (N, classes)."""
        logits: Tensor = self.head(self.dropout(self.features(x)))
        return logits


def rounded(channels: float) -> int:
    """The multiple of 8 that is nearest to a number of channels, at least 8, and not below nine tenths of it."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8


def _blocks(width: float, depth: float) -> list[nn.Module]:
    rows = []
    before = _STEM
    for number, (repeats, kernel, stride, expansion, channels) in enumerate(_STAGES):
        after = rounded(channels * width)
        for block in range(math.ceil(repeats * depth) if 0 < number < len(_STAGES) - 1 else repeats):
            rows.append((before, after, kernel, 1 if block else stride, expansion))
            before = after
    return [InvertedResidual(*row, _DROP_PATH * number / len(rows)) for number, row in enumerate(rows)]


@register(preprocess=_SPEC, origin="Tan and Le, arXiv 1905.11946, Lite variant")
def efficientnet_lite0(classes: int, channels: int) -> nn.Module:
    """3,379,399 parameters, 104 million multiply-adds at 110 px; ImageNet's weights: `mien pretrained`."""
    return EfficientNetLite(1.0, 1.0, dropout=0.2, ends=(channels, classes))


@register(preprocess=_SPEC, origin="Tan and Le, arXiv 1905.11946, Lite variant")
def efficientnet_lite1(classes: int, channels: int) -> nn.Module:
    """4,144,071 parameters, 135 million multiply-adds at 110 px; ImageNet's weights: `mien pretrained`."""
    return EfficientNetLite(1.0, 1.1, dropout=0.2, ends=(channels, classes))


@register(preprocess=_SPEC, origin="Tan and Le, arXiv 1905.11946, Lite variant")
def efficientnet_lite2(classes: int, channels: int) -> nn.Module:
    """4,819,463 parameters, 155 million multiply-adds at 110 px; ImageNet's weights: `mien pretrained`."""
    return EfficientNetLite(1.1, 1.2, dropout=0.3, ends=(channels, classes))
