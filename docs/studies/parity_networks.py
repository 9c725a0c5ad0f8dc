"""The networks of the reproduced systems a second time, as functions of their weights: what parity.py compares with.

Weights come in the order in which the systems' own descriptions name the layers, which is that of `state_dict`.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPSILON = 1e-5


def _tensors(network: nn.Module) -> Iterator[Tensor]:
    return (tensor for name, tensor in network.state_dict().items() if not name.endswith("num_batches_tracked"))


def _norm(x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    shape = (1, -1, 1, 1)
    scale = weight / torch.sqrt(variance + EPSILON)
    return (x - mean.view(shape)) * scale.view(shape) + bias.view(shape)


def vggnet(network: nn.Module, x: Tensor) -> Tensor:
    """S1: four convolutions, the last two together before the third pooling; three linear layers."""
    w = list(_tensors(network))
    for layer, pooled in enumerate((True, True, False, True)):
        x = F.conv2d(x, w[2 * layer], w[2 * layer + 1], padding=1).relu()
        x = F.max_pool2d(x, 2) if pooled else x
    x = x.flatten(1)
    x = F.linear(x, w[8], w[9]).relu()
    x = F.linear(x, w[10], w[11]).relu()
    return F.linear(x, w[12], w[13])


def resnet(network: nn.Module, x: Tensor) -> Tensor:
    """S1: a 7x7 stem, eight blocks; 1x1 shortcuts with bias and without normalisation where the shape changes."""
    w = _tensors(network)

    def take(count: int) -> list[Tensor]:
        return [next(w) for _ in range(count)]

    x = F.max_pool2d(_norm(F.conv2d(x, *take(2), stride=2, padding=3), *take(4)).relu(), 3, 2, padding=1)
    for number in range(8):
        changes = number in (2, 4, 6)
        first, norm1, second, norm2 = take(2), take(4), take(2), take(4)
        y = _norm(F.conv2d(x, *first, stride=2 if changes else 1, padding=1), *norm1).relu()
        y = _norm(F.conv2d(y, *second, padding=1), *norm2)
        x = (y + (F.conv2d(x, *take(2), stride=2) if changes else x)).relu()
    return F.linear(x.mean(dim=(2, 3)), *take(2))


def deep_emotion(network: nn.Module, x: Tensor) -> Tensor:
    """S2: a spatial transformer, then four convolutions with normalisation after the last alone."""
    w = dict(network.state_dict())

    def pair(name: str) -> tuple[Tensor, Tensor]:
        return w[f"{name}.weight"], w[f"{name}.bias"]

    y = F.max_pool2d(F.conv2d(x, *pair("transformer.localization.conv1")), 2).relu()
    y = F.max_pool2d(F.conv2d(y, *pair("transformer.localization.conv2")), 2).relu()
    maps = F.linear(F.linear(y.flatten(1), *pair("transformer.localization.fc1")).relu(), *pair("transformer.affine"))
    grid = F.affine_grid(maps.view(-1, 2, 3), list(x.shape), align_corners=False)
    x = F.grid_sample(x, grid, align_corners=False)
    x = F.conv2d(x, *pair("conv1")).relu()
    x = F.max_pool2d(F.conv2d(x, *pair("conv2")), 2).relu()
    x = F.conv2d(x, *pair("conv3")).relu()
    statistics = (*pair("norm4"), w["norm4.running_mean"], w["norm4.running_var"])
    x = F.max_pool2d(_norm(F.conv2d(x, *pair("conv4")), *statistics), 2).relu()
    return F.linear(F.linear(x.flatten(1), *pair("fc1")).relu(), *pair("fc2"))


def face_cnn(network: nn.Module, x: Tensor) -> Tensor:
    """S3, "Model B": three groups of convolution, normalisation, RReLU (whose mean slope is 11/48) and pooling."""
    w = list(_tensors(network))
    slope = (1 / 8 + 1 / 3) / 2
    for group in range(3):
        conv, norm = w[6 * group : 6 * group + 2], w[6 * group + 2 : 6 * group + 6]
        x = F.max_pool2d(F.leaky_relu(_norm(F.conv2d(x, *conv, padding=1), *norm), slope), 2)
    x = x.flatten(1)
    for start in (18, 20, 22):
        x = F.leaky_relu(F.linear(x, *w[start : start + 2]), slope)
    return F.linear(x, *w[24:26])


def vgg_s3(network: nn.Module, x: Tensor) -> Tensor:
    """S3: groups of two, three and three convolutions, pooling after each group; three linear layers."""
    w = list(_tensors(network))
    for layer in range(8):
        x = F.conv2d(x, *w[2 * layer : 2 * layer + 2], padding=1).relu()
        x = F.max_pool2d(x, 2) if layer in (1, 4, 7) else x
    x = F.linear(x.flatten(1), *w[16:18]).relu()
    return F.linear(F.linear(x, *w[18:20]).relu(), *w[20:22])


def cnn_small(network: nn.Module, x: Tensor) -> Tensor:
    """S3: two convolutions without padding, pooled by two and three; three linear layers."""
    w = list(_tensors(network))
    x = F.max_pool2d(F.conv2d(x, *w[0:2]).relu(), 2)
    x = F.max_pool2d(F.conv2d(x, *w[2:4]).relu(), 3)
    x = F.linear(x.flatten(1), *w[4:6]).relu()
    return F.linear(F.linear(x, *w[6:8]).relu(), *w[8:10])


def emotion_net(network: nn.Module, x: Tensor) -> Tensor:
    """S0: parallel branches that are summed, as its layers are numbered in its own description."""
    w = {name.removeprefix("blocks."): tensor for name, tensor in network.state_dict().items()}

    def c(y: Tensor, *names: str) -> Tensor:
        for name in names:
            key = name if name.startswith("bridge") else f"conv{name}"
            halves = key in ("conv5", "conv6_1", "conv7_2", "bridge5_13", "bridge5_17", "bridge5_25")
            y = F.conv2d(y, w[f"{key}.conv.weight"], w[f"{key}.conv.bias"], stride=2 if halves else 1, padding=1)
            norm = [w[f"{key}.norm.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]
            y = _norm(y, *norm).relu()
        return y

    c1 = c(x, "1")
    c5 = c(c(c1, "2_2", "3_2", "4_2") + c(c1, "2_1", "3_1") + c(c1, "2_3", "3_3", "4_3") + c1 + x, "5")
    c9 = c(c(c5, "6_2", "7_2", "8_2") + c(c5, "6_1"), "9")
    y = c(c(c9, "10_1", "11_1") + c(c9, "10_2", "11_2", "12_2") + c(c9, "10_3"), "13") + c(c5, "bridge5_13")
    y = c(c(y, "14_1") + c(y, "14_2", "15_2") + c(y, "14_3", "15_3", "16_3"), "17")
    y = c(y + c(c5, "bridge5_17") + c(c9, "bridge9_17"), "18", "19", "20", "21")
    y = c(c(y, "22_1", "23_1") + c(y, "22_2", "23_2", "24_2") + c(y, "22_3"), "25") + c(c5, "bridge5_25")
    return F.linear(y.flatten(1), w["head.weight"], w["head.bias"])


SECOND = {
    network.__name__: network for network in (emotion_net, vggnet, resnet, deep_emotion, face_cnn, vgg_s3, cnn_small)
}
"""By the name of the network."""
