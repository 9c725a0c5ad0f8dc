"""Building blocks that more than one family uses."""

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SqueezeExcite(nn.Module):
    """Channel attention (Hu et al., arXiv 1709.01507).

    Each channel is scaled by a gate that is computed from the means of all channels.

    Args:
        channels: channels in and out.
        reduction: how many times fewer channels the bottleneck has.
    """

    def __init__(self, channels: int, reduction: int = 8) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, channels // reduction, 1)
        self.excite = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Float (N, C, H, W) to the same shape."""
        means = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.excite(F.relu(self.squeeze(means))))


class DropPath(nn.Module):
    """Stochastic depth (Huang et al., arXiv 1603.09382): a branch is left out of a training step for some faces.

    What is left is scaled up, so that its mean does not change.

    Args:
        probability: share of the faces that go without the branch, less than 1.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        """Float (N, C, H, W) to the same shape."""
        if not (self.training and self.probability):
            return x
        kept = 1 - self.probability
        return x * (x.new_empty(len(x), 1, 1, 1).bernoulli_(kept) / kept)


def conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """A padded 3x3 convolution without bias, as used in front of batch normalisation."""
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)


def pooled_head(channels: int, classes: int) -> nn.Sequential:
    """Global average pooling and one linear layer: float (N, channels, H, W) to logits (N, classes)."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions, each with batch normalisation, and a shortcut (He et al., arXiv 1512.03385).

    Where the shape changes, the shortcut is a 1x1 convolution with batch normalisation.

    Args:
        inputs, outputs: channels.
        stride: of the first convolution and of the shortcut.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(inputs, outputs, stride)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = conv3x3(outputs, outputs)
        self.norm2 = nn.BatchNorm2d(outputs)
        unchanged = inputs == outputs and stride == 1
        projection = () if unchanged else (nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.shortcut = nn.Sequential(*projection)

    def forward(self, x: Tensor) -> Tensor:
        """Float (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(y + self.shortcut(x))


def sequence(**layers: nn.Module) -> nn.Sequential:
    """Layers one after the other, under their names."""
    return nn.Sequential(OrderedDict(layers))
