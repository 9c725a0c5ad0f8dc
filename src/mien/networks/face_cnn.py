"""Three wide networks of a course report on 48x48 faces: most of their parameters sit in the first linear layer.

The report's fourth network is `mien.networks.vggnet.resnet`. All take grey levels in 0..1.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from mien.networks.layers import sequence
from mien.networks.registry import register
from mien.preprocess import PreprocessSpec

_UNIT_GREY = PreprocessSpec(input_size=48, mean=0.0, std=1.0)


class RandomLeakyReLU(nn.RReLU):
    """A leaky unit whose slope is drawn anew for each number in training (RReLU: Xu et al., arXiv 1505.00853).

    Out of training it is the same as torch's, in a form that ONNX knows.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Float of any shape to the same shape."""
        return super().forward(x) if self.training else F.leaky_relu(x, (self.lower + self.upper) / 2)


@register(preprocess=_UNIT_GREY, origin='"Model B" of a course report (S3)')
def face_cnn(classes: int, channels: int) -> nn.Module:
    """42,582,919 parameters, 128,468,736 multiply-adds.

    Weights of convolutions start from a normal distribution with standard deviation 0.04.
    """
    return sequence(
        group1=_random_leaky_group(channels, 64),
        group2=_random_leaky_group(64, 128),
        group3=_random_leaky_group(128, 256),
        flatten=nn.Flatten(),
        dropout1=nn.Dropout(0.2),
        fc1=nn.Linear(256 * 6 * 6, 4096),
        relu1=RandomLeakyReLU(),
        dropout2=nn.Dropout(0.5),
        fc2=nn.Linear(4096, 1024),
        relu2=RandomLeakyReLU(),
        fc3=nn.Linear(1024, 256),
        relu3=RandomLeakyReLU(),
        fc4=nn.Linear(256, classes),
    )


def _random_leaky_group(inputs: int, outputs: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, padding=1)
    nn.init.normal_(conv.weight, std=0.04)
    return sequence(conv=conv, norm=nn.BatchNorm2d(outputs), relu=RandomLeakyReLU(), pool=nn.MaxPool2d(2))


@register(preprocess=_UNIT_GREY, origin="VGG of a course report (S3)")
def vgg_s3(classes: int, channels: int) -> nn.Module:
    """36,159,399 parameters, 163,745,792 multiply-adds."""
    return sequence(
        group1=_vgg_group(2, channels, 32),
        group2=_vgg_group(3, 32, 64),
        group3=_vgg_group(3, 64, 128),
        flatten=nn.Flatten(),
        fc1=nn.Linear(128 * 6 * 6, 4096),
        relu1=nn.ReLU(),
        dropout1=nn.Dropout(0.5),
        fc2=nn.Linear(4096, 4096),
        relu2=nn.ReLU(),
        dropout2=nn.Dropout(0.5),
        fc3=nn.Linear(4096, classes),
    )


def _vgg_group(depth: int, inputs: int, outputs: int) -> nn.Sequential:
    layers: dict[str, nn.Module] = {}
    for number in range(1, depth + 1):
        layers[f"conv{number}"] = nn.Conv2d(inputs if number == 1 else outputs, outputs, 3, padding=1)
        layers[f"relu{number}"] = nn.ReLU()
    return sequence(**layers, pool=nn.MaxPool2d(2))


@register(preprocess=_UNIT_GREY, origin="comparison network of a course report (S3)")
def cnn_small(classes: int, channels: int) -> nn.Module:
    """55,735,175 parameters, 121,828,608 multiply-adds: two convolutions without padding, three linear layers.

    The report gives no activations; a ReLU follows each layer except the last here.
    """
    return sequence(
        conv1=nn.Conv2d(channels, 64, 3),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(64, 256, 3),
        relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(3),
        flatten=nn.Flatten(),
        fc1=nn.Linear(256 * 7 * 7, 4096),
        relu3=nn.ReLU(),
        fc2=nn.Linear(4096, 1024),
        relu4=nn.ReLU(),
        fc3=nn.Linear(1024, classes),
    )
