"""S4's VGG19 (Simonyan and Zisserman, arXiv 1409.1556) with batch normalisation, on 40x40 crops.

Five poolings leave one position, so one linear layer follows where the paper has three.
"""

from itertools import pairwise
from typing import Final

from torch import nn

from mien.networks.layers import pooled_head
from mien.networks.registry import register
from mien.preprocess import PreprocessSpec

_WIDTHS: Final = (64, 128, 256, 512, 512)
"""Channels of each group of convolutions."""

_DEPTHS: Final = (2, 2, 4, 4, 4)
"""Convolutions of each group."""


def _unit(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()


@register(preprocess=PreprocessSpec(input_size=40), origin="S4, after Simonyan and Zisserman, arXiv 1409.1556")
def vgg19(classes: int, channels: int) -> nn.Module:
    """20,037,831 parameters, 599.0 million multiply-adds."""
    layers: list[nn.Module] = []
    for (before, width), depth in zip(pairwise((channels, *_WIDTHS)), _DEPTHS, strict=True):
        for inputs in (before, *[width] * (depth - 1)):
            layers.extend(_unit(inputs, width))
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, pooled_head(_WIDTHS[-1], classes))
