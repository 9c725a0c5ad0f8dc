"""S4's network of deep layer aggregation (Yu et al., arXiv 1707.06484) on 40x40 crops."""

import torch
from torch import Tensor, nn

from mien.networks.layers import BasicBlock, conv3x3, pooled_head
from mien.networks.registry import register
from mien.preprocess import PreprocessSpec


class Tree(nn.Module):
    """Two residual blocks in a row, whose outputs a 1x1 convolution (the root) joins.

    Args:
        inputs, outputs: channels.
        stride: of the first convolution.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.left = BasicBlock(inputs, outputs, stride)
        self.right = BasicBlock(outputs, outputs, 1)
        self.root = _unit(nn.Conv2d(2 * outputs, outputs, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Float (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        left = self.left(x)
        return self.root(torch.cat((left, self.right(left)), 1))  # type: ignore[no-any-return]


class DeepTree(nn.Module):
    """A tree and two more residual blocks; the root also joins the tree's output and a block of the input.

    Args:
        inputs, outputs: channels.
        stride: of the tree, and of the block beside it.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.beside = BasicBlock(inputs, outputs, stride)
        self.tree = Tree(inputs, outputs, stride)
        self.left = BasicBlock(outputs, outputs, 1)
        self.right = BasicBlock(outputs, outputs, 1)
        self.root = _unit(nn.Conv2d(4 * outputs, outputs, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Float (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        tree = self.tree(x)
        left = self.left(tree)
        return self.root(torch.cat((self.beside(x), tree, left, self.right(left)), 1))  # type: ignore[no-any-return]


def _unit(convolution: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU())


@register(preprocess=PreprocessSpec(input_size=40), origin="S4, after Yu et al., arXiv 1707.06484")
def dla(classes: int, channels: int) -> nn.Module:
    """16,289,559 parameters, 1,610.4 million multiply-adds."""
    return nn.Sequential(
        *(_unit(conv3x3(channels, 16)), _unit(conv3x3(16, 16)), _unit(conv3x3(16, 32))),
        Tree(32, 64, stride=1),
        DeepTree(64, 128, stride=2),
        DeepTree(128, 256, stride=2),
        Tree(256, 512, stride=2),
        pooled_head(512, classes),
    )
