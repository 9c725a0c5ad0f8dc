"""Random search with successive halving (Jamieson and Talwalkar, arXiv 1502.07943), in a sweep file::

    seeds = [0]
    [search]
    recipe = "mien_s"
    draws = 8
    halvings = 2
    [search.values]
    "optimizer.learning_rate" = { low = 0.01, high = 0.3, log = true }
    "loss.label_smoothing" = [0.0, 0.1]

All draws are trained with a quarter of the recipe's epochs, the better half of them with half, the better half of these
with all: each time anew, so that every run is what `mien train` would make of its settings.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from mien.errors import ConfigError
from mien.toml_json import expected, from_values, in_range
from mien.training.checks import check_network
from mien.training.config import TrainConfig
from mien.training.recipe import config_to_train

SELECTED: Final = (
    "The settings were chosen by the accuracy on the very faces that it is reported on: the figures of the best are "
    "flattered, the more so the more were drawn. Train the best with other seeds, or measure it on other faces."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Section ``[search]`` of a sweep file.

    Args:
        recipe: what all draws begin with.
        values: by dotted key, a list of choices or a range: ``low`` and ``high``, drawn evenly, or with ``log`` evenly
            in the logarithm.
        draws: how many settings are drawn.
        seed: of the draws.
        halvings: how often the better half goes on with twice the epochs; 0 trains all draws to the end.
        set: overrides of the recipe.
    """

    recipe: str = expected("the name of a recipe or a TOML file")
    values: Mapping[str, Any] = expected('ranges or lists by key, for example "optimizer.learning_rate" = [0.1, 0.05]')
    draws: int = 8
    seed: int = 0
    halvings: int = 0
    set: tuple[str, ...] = expected('texts, for example ["epochs=10"]', default=())

    def __post_init__(self) -> None:
        in_range("search.draws", self.draws, low=2, high=1000)
        in_range("search.seed", self.seed, low=0)
        in_range("search.halvings", self.halvings, low=0, high=math.floor(math.log2(self.draws)))
        if not self.values:
            raise ConfigError("search.values is empty: expected a range or a list for at least one key")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Range:
    low: float = expected("a number")
    high: float = expected("a number")
    log: bool = False


def drawn_overrides(search: Search) -> dict[str, list[str]]:
    """The overrides of each draw, by its name ``draw-01``.

    Raises:
        ConfigError: a range or list that nothing can be drawn from.
    """
    random = np.random.default_rng(search.seed)
    width = len(str(search.draws))
    return {
        f"draw-{number + 1:0{width}}": [f"{key}={_draw(key, of, random)}" for key, of in search.values.items()]
        for number in range(search.draws)
    }


def _draw(key: str, of: Any, random: np.random.Generator) -> str:
    place = f"search.values.{key}"
    if isinstance(of, list | tuple) and of:
        return _toml(of[int(random.integers(len(of)))])
    if not isinstance(of, Mapping):
        raise ConfigError(f"{place} is {of!r}: expected a list of choices, or {{ low = 0.01, high = 0.1, log = true }}")
    bounds = from_values(_Range, of, f"{place}.")
    if not (bounds.low < bounds.high and (bounds.low > 0 or not bounds.log)):
        raise ConfigError(f"{place} goes from {bounds.low} to {bounds.high}: expected low < high, above 0 with log")
    if bounds.log:
        return f"{math.exp(random.uniform(math.log(bounds.low), math.log(bounds.high))):.4g}"
    return f"{random.uniform(bounds.low, bounds.high):.4g}"


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def draw_config(search: Search, overrides: Sequence[str], rung: int) -> TrainConfig:
    """The configuration of a draw on a rung, numbered from 0; the last one, ``halvings``, has all epochs.

    Raises:
        ConfigError: a key, a value or a network that cannot serve.
    """
    whole = config_to_train(search.recipe, [*search.set, *overrides])
    if whole.select_on == "last":
        raise ConfigError("select_on is last, and a search goes by the accuracy on the rows that choose: set held_out")
    epochs = max(1, whole.epochs // 2 ** (search.halvings - rung))
    config = config_to_train(search.recipe, [*search.set, *overrides, f"epochs={epochs}"])
    check_network(config)
    return config


def rung_folder(search: Search, rung: int) -> Path:
    """Where the runs of a rung lie below the sweep's folder: the last rung's in it, as those of any sweep."""
    return Path() if rung == search.halvings else Path(f"rung-{rung + 1}")


def better_half(accuracies: Mapping[str, float]) -> list[str]:
    """Names of the better half, rounded up, in their order; of equal ones the earlier goes on."""
    ranked = sorted(accuracies, key=lambda name: -accuracies[name])
    kept = set(ranked[: -(-len(ranked) // 2)])
    return [name for name in accuracies if name in kept]


def seeded(config: TrainConfig, seeds: Sequence[int]) -> list[TrainConfig]:
    """The configuration with each seed once."""
    return [replace(config, seed=seed) for seed in dict.fromkeys(seeds)]
