"""Networks: a registry, and one file per family."""

from mien.models import densenet, dla, dpn, mien_s, mini_xception, residual, s0, s1, s2, s3, vgg19
from mien.models.registry import NetworkEntry, network_entry, network_names, register

__all__ = [
    "NetworkEntry",
    "densenet",
    "dla",
    "dpn",
    "mien_s",
    "mini_xception",
    "network_entry",
    "network_names",
    "register",
    "residual",
    "s0",
    "s1",
    "s2",
    "s3",
    "vgg19",
]
