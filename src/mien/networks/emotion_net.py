"""A network of 44 convolution blocks on 64x64 faces, with sums of parallel branches and bridges between stages.

Its authors published accuracies of 0.990 and 0.979 on PublicTest and PrivateTest together. Their weights were fitted to
those faces (0.54 on Training faces, 0.57 on mirrored PublicTest faces), so the figures say nothing about the network.
"""

from typing import Final

from torch import Tensor, nn

from mien.networks.layers import sequence
from mien.networks.registry import register
from mien.preprocess import PreprocessSpec

_BLOCKS: Final[dict[str, tuple[int, int, int]]] = {
    **{"conv2_1": (16, 16, 1), "conv3_1": (16, 16, 1)},
    **{"conv2_2": (16, 32, 1), "conv3_2": (32, 128, 1), "conv4_2": (128, 16, 1)},
    **{"conv2_3": (16, 64, 1), "conv3_3": (64, 32, 1), "conv4_3": (32, 16, 1)},
    "conv5": (16, 32, 2),
    "conv6_1": (32, 16, 2),
    **{"conv6_2": (32, 16, 1), "conv7_2": (16, 16, 2), "conv8_2": (16, 16, 1)},
    "conv9": (16, 32, 1),
    **{"conv10_1": (32, 32, 1), "conv11_1": (32, 16, 1)},
    **{"conv10_2": (32, 64, 1), "conv11_2": (64, 32, 1), "conv12_2": (32, 16, 1)},
    "conv10_3": (32, 16, 1),
    "conv13": (16, 16, 1),
    "conv14_1": (16, 32, 1),
    **{"conv14_2": (16, 16, 1), "conv15_2": (16, 32, 1)},
    **{"conv14_3": (16, 16, 1), "conv15_3": (16, 16, 1), "conv16_3": (16, 32, 1)},
    **{"conv17": (32, 16, 1), "conv18": (16, 32, 1), "conv19": (32, 64, 1), "conv20": (64, 128, 1)},
    "conv21": (128, 128, 1),
    **{"conv22_1": (128, 64, 1), "conv23_1": (64, 32, 1)},
    **{"conv22_2": (128, 128, 1), "conv23_2": (128, 64, 1), "conv24_2": (64, 32, 1)},
    "conv22_3": (128, 32, 1),
    "conv25": (32, 16, 1),
    **{"bridge5_13": (32, 16, 2), "bridge5_17": (32, 16, 2), "bridge9_17": (32, 16, 1), "bridge5_25": (32, 16, 2)},
}
"""Channels in, channels out and stride of each block; ``convL_B`` is level L of branch B."""


class EmotionNet(nn.Module):
    """Five stages of parallel branches that are summed, the last four at 16x16, and one linear layer."""

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__()
        shapes = {"conv1": (channels, 16, 1), **_BLOCKS}
        self.blocks = nn.ModuleDict({name: _block(*shape) for name, shape in shapes.items()})
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(16 * 16 * 16, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Preprocessed faces, float (N, channels, 64, 64), to logits (N, classes)."""
        first = self._through(x, "conv1")
        left = self._through(first, "conv2_1", "conv3_1")
        middle = self._through(first, "conv2_2", "conv3_2", "conv4_2")
        right = self._through(first, "conv2_3", "conv3_3", "conv4_3")
        # The face, grey, is added to all 16 channels.
        fifth = self._through(middle + left + right + first + x.mean(1, keepdim=True), "conv5")

        side = self._through(fifth, "conv6_1")
        ninth = self._through(self._through(fifth, "conv6_2", "conv7_2", "conv8_2") + side, "conv9")

        left = self._through(ninth, "conv10_1", "conv11_1")
        middle = self._through(ninth, "conv10_2", "conv11_2", "conv12_2")
        right = self._through(ninth, "conv10_3")
        y = self._through(left + middle + right, "conv13") + self._through(fifth, "bridge5_13")

        left = self._through(y, "conv14_1")
        middle = self._through(y, "conv14_2", "conv15_2")
        right = self._through(y, "conv14_3", "conv15_3", "conv16_3")
        bridges = self._through(fifth, "bridge5_17") + self._through(ninth, "bridge9_17")
        y = self._through(left + middle + right, "conv17") + bridges

        y = self._through(y, "conv18", "conv19", "conv20", "conv21")
        left = self._through(y, "conv22_1", "conv23_1")
        middle = self._through(y, "conv22_2", "conv23_2", "conv24_2")
        right = self._through(y, "conv22_3")
        y = self._through(left + middle + right, "conv25") + self._through(fifth, "bridge5_25")
        logits: Tensor = self.head(self.dropout(y.flatten(1)))
        return logits

    def _through(self, x: Tensor, *names: str) -> Tensor:
        for name in names:
            x = self.blocks[name](x)
        return x


def _block(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return sequence(conv=nn.Conv2d(inputs, outputs, 3, stride, padding=1), norm=nn.BatchNorm2d(outputs), relu=nn.ReLU())


@register(
    preprocess=PreprocessSpec(frame_size=64, input_size=64, mean=0.5, std=0.24), origin='the "0.990" network (S0)'
)
def emotion_net(classes: int, channels: int) -> nn.Module:
    """876,887 parameters, 595,161,088 multiply-adds."""
    return EmotionNet(classes, channels)
