"""Colours of class names: the same in drawings, timelines and on the page, told apart with any common colour vision."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
"""RGB, 0..255."""

COLOURS: Final[dict[str, Colour]] = {
    "angry": (213, 94, 0),
    "disgust": (0, 158, 115),
    "fear": (204, 121, 167),
    "happy": (240, 228, 66),
    "sad": (0, 114, 178),
    "surprise": (86, 180, 233),
    "neutral": (230, 230, 230),
    "contempt": (148, 98, 46),
}
"""Of the emotions, after Okabe and Ito (2008)."""

_OTHERS: Final[tuple[Colour, ...]] = (
    (230, 159, 0), (0, 114, 178), (240, 228, 66), (0, 158, 115), (86, 180, 233), (213, 94, 0), (204, 121, 167),
)  # fmt: skip
"""Okabe and Ito's palette, for the first classes that are no emotions."""

_LEVELS: Final = (0, 51, 102, 153, 204, 255)
_DARKEST: Final = 120
"""Least sum of the three channels: darker colours cannot be told from the outlines of drawings."""

_MISSING_CONES: Final = (
    ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
)
"""What is seen of linear RGB with all cones, without the long ones, without the middle ones (Machado et al., "A
Physiologically-based Model for Simulation of Color Vision Deficiency", 2009, severity 1).
"""

_TO_XYZ: Final = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
_WHITE: Final = (0.9505, 1.0, 1.089)


def colours_of(labels: Sequence[str]) -> dict[str, Colour]:
    """A colour for each of a model's class names, none twice.

    Emotions have those of `COLOURS`. Other names get what is left of Okabe and Ito's palette in their order, then the
    colours that are farthest from all in use, as seen with normal and with colour-blind eyes.
    """
    return dict(_chosen(tuple(labels)))


@lru_cache(maxsize=32)
def _chosen(labels: tuple[str, ...]) -> tuple[tuple[str, Colour], ...]:
    colours = {name: COLOURS[name] for name in labels if name in COLOURS}
    free = [colour for colour in _OTHERS if colour not in colours.values()]
    others = [name for name in labels if name not in colours]
    colours |= dict(zip(others, free, strict=False))
    missing = others[len(free) :]
    colours |= dict(zip(missing, _farthest(list(colours.values()), len(missing)), strict=True))
    return tuple((name, colours[name]) for name in labels)


def _farthest(used: list[Colour], count: int) -> list[Colour]:
    """So many further colours, each the one whose nearest neighbour in use is farthest away."""
    every = ((red, green, blue) for red, green, blue in product(_LEVELS, repeat=3))
    candidates = [colour for colour in every if sum(colour) >= _DARKEST]
    if not count:
        return []
    places, found = seen_colours(candidates), []
    nearest = _distances(places, seen_colours(used)).min(axis=1) if used else np.full(len(candidates), np.inf)
    for _ in range(count):
        best = int(nearest.argmax())
        found.append(candidates[best])
        nearest = np.minimum(nearest, _distances(places, places[best : best + 1])[:, 0])
    return found


def seen_colours(colours: Sequence[Colour]) -> NDArray[np.float64]:
    """CIE Lab of colours with each of three kinds of eyes, (N, 3 kinds, 3)."""
    share = np.asarray(colours, np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.einsum("kij,nj->nki", np.array(_MISSING_CONES), linear), 0, 1)
    ratio = seen @ np.array(_TO_XYZ).T / np.array(_WHITE)
    cubic = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    x, y, z = np.moveaxis(cubic, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def _distances(some: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far apart colours are for the eyes that tell them apart worst, (N, M)."""
    apart: NDArray[np.float64] = np.linalg.norm(some[:, None] - others[None], axis=-1).min(axis=-1)
    return apart
