"""S0's network: the cost that its seed states, biases counted too."""

from math import prod

from mien.networks import network_entry
from mien.networks.profile import list_layers, outline


def test_multiply_adds_with_biases():
    layers = list_layers(outline(network_entry("emotion_net").build), 64)
    costly = [layer for layer in layers if layer.macs]
    assert round(sum(layer.macs + prod(layer.output) for layer in costly) / 1e6, 3) == 596.898
    assert [layer.kind for layer in costly] == ["Conv2d"] * 44 + ["Linear"]
