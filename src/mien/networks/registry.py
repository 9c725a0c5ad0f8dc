"""The networks mien knows by name.

A network is a `torch.nn.Module` that maps float32 (N, channels, S, S) to logits (N, classes). One file holds one
family; the decorator registers its entry points, and `mien.networks` imports the file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Final, cast

from torch import nn

from mien.errors import ConfigError, nearest
from mien.labels import EMOTIONS
from mien.preprocess import PreprocessSpec

Make = Callable[[int, int], nn.Module]
"""Makes a freshly initialised network for so many classes and so many channels, 1 or 3."""


@dataclass(frozen=True, slots=True)
class NetworkEntry:
    """A registered network.

    Args:
        name: what recipes and the command line call it.
        make: makes a freshly initialised network.
        preprocess: the preprocessing it was designed for; recipes may choose another where the network allows it.
        origin: the paper or system it comes from.
    """

    name: str
    make: Make
    preprocess: PreprocessSpec
    origin: str

    def build(self, classes: int = len(EMOTIONS), channels: int = 1) -> nn.Module:
        """A freshly initialised network for so many classes, at least 2, and channels of a face, 1 or 3.

        Raises:
            ConfigError: its function takes no arguments, so that it has FER2013's seven and sees grey, and others are
                asked for.
        """
        if signature(self.make).parameters:
            return self.make(classes, channels)
        if (classes, channels) != (len(EMOTIONS), 1):
            raise ConfigError(
                f"network {self.name} has {len(EMOTIONS)} classes and sees grey faces: expected {classes} classes and "
                f"{channels} channels; give its function the arguments classes and channels"
            )
        return cast(Callable[[], nn.Module], self.make)()


_ENTRIES: Final[dict[str, NetworkEntry]] = {}


def register(*, preprocess: PreprocessSpec, origin: str) -> Callable[[Make], Make]:
    """Register a function of classes and channels that makes a network, under the function's name."""

    def add(make: Make) -> Make:
        name = make.__name__
        if name in _ENTRIES:
            raise ValueError(f"network {name!r} is registered twice")
        _ENTRIES[name] = NetworkEntry(name, make, preprocess, origin)
        return make

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
