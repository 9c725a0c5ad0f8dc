"""Building blocks that more than one family uses."""

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


def conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """A padded 3x3 convolution without bias, as used in front of batch normalisation."""
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
