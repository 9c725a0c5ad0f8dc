"""Networks: a registry, and one file per family."""

from mien.networks import (
    compact,
    deep_emotion,
    densenet,
    dla,
    dpn,
    efficientnet_lite,
    emotion_net,
    face_cnn,
    mini_xception,
    residual,
    vgg19,
    vggnet,
)
from mien.networks.registry import NetworkEntry, network_entry, network_names, register

__all__ = [
    "NetworkEntry",
    "compact",
    "deep_emotion",
    "densenet",
    "dla",
    "dpn",
    "efficientnet_lite",
    "emotion_net",
    "face_cnn",
    "mini_xception",
    "network_entry",
    "network_names",
    "register",
    "residual",
    "vgg19",
    "vggnet",
]
