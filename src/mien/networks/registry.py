"""The networks mien knows by name.

A network is a `torch.nn.Module` that maps float32 (N, 1, S, S) to logits (N, 7). One file holds one family; the
decorator registers its entry points, and `mien.networks` imports the file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from torch import nn

from mien.errors import ConfigError, nearest
from mien.preprocess import PreprocessSpec

Build = Callable[[], nn.Module]


@dataclass(frozen=True, slots=True)
class NetworkEntry:
    """A registered network.

    Args:
        name: what recipes and the command line call it.
        build: makes a freshly initialised network.
        preprocess: the preprocessing it was designed for; recipes may choose another where the network allows it.
        origin: the paper or system it comes from.
    """

    name: str
    build: Build
    preprocess: PreprocessSpec
    origin: str


_ENTRIES: Final[dict[str, NetworkEntry]] = {}


def register(*, preprocess: PreprocessSpec, origin: str) -> Callable[[Build], Build]:
    """Register a function without arguments that builds a network, under the function's name."""

    def add(build: Build) -> Build:
        name = build.__name__
        if name in _ENTRIES:
            raise ValueError(f"network {name!r} is registered twice")
        _ENTRIES[name] = NetworkEntry(name, build, preprocess, origin)
        return build

    return add


def network_names() -> tuple[str, ...]:
    """All registered names, sorted."""
    return tuple(sorted(_ENTRIES))


def network_entry(name: str) -> NetworkEntry:
    """The entry of that name.

    Raises:
        ConfigError: no network has it; the message lists those that exist and names the nearest.
    """
    if name not in _ENTRIES:
        names = network_names()
        raise ConfigError(f"unknown network {name!r}{nearest(name, names)}: expected one of {', '.join(names)}")
    return _ENTRIES[name]
