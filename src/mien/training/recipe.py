"""Recipes: configurations of a training as TOML, those of the package by name and any others by path."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache, reduce
from importlib import resources
from pathlib import Path
from typing import Any, Final

from mien.errors import ConfigError, nearest
from mien.toml_json import parse_toml, read_toml
from mien.training.config import TrainConfig, config_from_dict
from mien.training.dependent import follow_epochs, follow_input_size


def recipe_names() -> tuple[str, ...]:
    """Names of the recipes inside the package."""
    return tuple(sorted(_recipes()))


@cache
def _recipes() -> dict[str, str]:
    """The recipes inside the package as TOML, by name.

    A file is a recipe of its own name; one with ``networks`` in the place of ``network`` is a recipe for each of them,
    of that network's name.
    """
    found: dict[str, str] = {}
    for entry in (resources.files("mien.training") / "recipes").iterdir():
        if entry.name.endswith(".toml"):
            text = entry.read_text(encoding="utf-8")
            networks = tomllib.loads(text).get("networks", ())
            found |= {name: _SHARED_NETWORKS.sub(f'network = "{name}"', text, count=1) for name in networks}
            if not networks:
                found[Path(entry.name).stem] = text
    return found


_SHARED_NETWORKS: Final = re.compile(r"^networks = \[.*\]$", re.MULTILINE)


def load_config(recipe: str, overrides: Sequence[str] = ()) -> TrainConfig:
    """The configuration in a recipe of the package (by name) or in a TOML file (by path), with ``key=value`` overrides.

    Keys of nested sections are dotted (``optimizer.learning_rate=0.05``); values are TOML values, and plain words are
    taken as text. With fewer epochs than the recipe's, warmup and resolutions that would not fit follow, and with
    another input size resolutions do, see `mien.training.dependent`.

    Raises:
        ConfigError: no such recipe, not TOML, an unknown key, a wrong type or a contradiction.
    """
    return config_from_dict(_overridden(recipe, overrides))


def config_to_train(recipe: str, overrides: Sequence[str] = ()) -> TrainConfig:
    """`load_config` for a training, which a recipe that only lacks its teachers is not ready for.

    Raises:
        ConfigError: as there; the recipe gives teachers a share of the loss and says nothing of ``loss.teachers``.
    """
    values = _overridden(recipe, overrides)
    config = config_from_dict(values)
    loss = values.get("loss", {})
    if "teachers" not in loss and loss.get("teacher_weight"):
        raise ConfigError(
            f"loss.teacher_weight is {config.loss.teacher_weight} and loss.teachers names none: "
            "name some, --set 'loss.teachers=[\"RUN\"]', or train without, --set loss.teacher_weight=0"
        )
    return config


def _overridden(recipe: str, overrides: Sequence[str]) -> dict[str, Any]:
    """The values of a recipe with overrides, and with what follows from them."""
    values = _values(recipe)
    before = values.get("epochs")
    _override(values, overrides)
    overridden = {override.partition("=")[0].strip() for override in overrides}
    follow_input_size(values, overridden)
    follow_epochs(values, before, overridden)
    return values


def config_with(values: dict[str, Any], overrides: Sequence[str]) -> TrainConfig:
    """The configuration in values of TOML with ``key=value`` overrides, of which nothing else follows.

    Raises:
        ConfigError: an unknown key, a wrong type or a contradiction.
    """
    _override(values, overrides)
    return config_from_dict(values)


def _override(values: dict[str, Any], overrides: Sequence[str]) -> None:
    for override in overrides:
        _merge(values, _parse_override(override))


def _values(recipe: str) -> dict[str, Any]:
    if recipe in _recipes():
        return parse_toml(_recipes()[recipe], recipe)
    try:
        return read_toml(Path(recipe))
    except OSError:
        names = recipe_names()
        raise ConfigError(
            f"{recipe}: no such recipe file, nor one of {', '.join(names)}{nearest(recipe, names)}"
        ) from None


def _parse_override(text: str) -> dict[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"override {text!r}: expected key=value, for example epochs=10")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except (ValueError, RecursionError):
        parsed = value
    return reduce(lambda inner, name: {name: inner}, reversed(key.strip().split(".")), parsed)


def _merge(target: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        else:
            target[key] = value
