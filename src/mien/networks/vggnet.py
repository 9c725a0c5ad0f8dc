"""The two networks of a course toolkit: a small VGG and a ResNet18-like network, both on 48x48 faces.

Their figures (vggnet 56.4 %, resnet 58.9 % on PublicTest and PrivateTest together) were published with parameter counts
that the contract test holds.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from mien.networks.registry import register
from mien.preprocess import PreprocessSpec

_WHOLE_FACE = PreprocessSpec(input_size=48)


@register(preprocess=_WHOLE_FACE, origin="course toolkit (S1)")
def vggnet(classes: int, channels: int) -> nn.Module:
    """6,016,647 parameters, 48.9 million multiply-adds."""
    return nn.Sequential(
        *(nn.Conv2d(channels, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(), nn.Conv2d(128, 128, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Flatten(),
        *(nn.Linear(128 * 6 * 6, 1024), nn.ReLU(), nn.Dropout(0.5)),
        *(nn.Linear(1024, 1024), nn.ReLU(), nn.Dropout(0.5)),
        nn.Linear(1024, classes),
    )


class BiasedBlock(nn.Module):
    """Two 3x3 convolutions with bias and batch normalisation, and a shortcut.

    Where the shape changes, the shortcut is a bare 1x1 convolution with bias.

    Args:
        inputs, outputs: channels.
        stride: of the first convolution and of the shortcut.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(outputs)
        unchanged = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if unchanged else nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Float (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(y + self.shortcut(x))


@register(preprocess=_WHOLE_FACE, origin="course toolkit (S1), after He et al., arXiv 1512.03385")
def resnet(classes: int, channels: int) -> nn.Module:
    """11,176,839 parameters, 94.3 million multiply-adds."""
    stages = ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2))
    blocks = [
        block
        for inputs, outputs, stride in stages
        for block in (BiasedBlock(inputs, outputs, stride), BiasedBlock(outputs, outputs, 1))
    ]
    return nn.Sequential(
        *(
            nn.Conv2d(channels, 64, 7, stride=2, padding=3),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, padding=1),
        ),
        *blocks,
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes)),
    )
