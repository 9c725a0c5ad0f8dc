"""Networks: a registry, and one file per family."""

from mien.models import compact, densenet, dla, dpn, mini_xception, residual, s0, s1, s2, s3, vgg19
from mien.models.registry import NetworkEntry, network_entry, network_names, register

__all__ = [
    "NetworkEntry",
    "compact",
    "densenet",
    "dla",
    "dpn",
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
