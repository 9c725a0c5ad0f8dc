"""Settings that follow when a recipe is trained for another number of epochs, or on faces of another side."""

import logging
from collections.abc import Collection, MutableMapping
from typing import Any, Final

from mien.training.config import ScheduleConfig, TrainConfig

_EPOCHS: Final = TrainConfig.__dataclass_fields__["epochs"].default
_WARMUP: Final = ScheduleConfig.__dataclass_fields__["warmup_epochs"].default


def follow_epochs(values: MutableMapping[str, Any], before: Any, overridden: Collection[str]) -> None:
    """Shorten what would not fit into fewer epochs, in proportion, and say so; what was overridden itself stays.

    Args:
        values: of a recipe, already with the new ``epochs``; changed in place.
        before: the recipe's own ``epochs``.
        overridden: dotted names of the keys that the user set.
    """
    epochs, before = values.get("epochs", _EPOCHS), before or _EPOCHS
    if not (isinstance(epochs, int) and isinstance(before, int) and 0 < epochs < before):
        return
    if "resolutions" not in overridden:
        _follow_resolutions(values, epochs, before)
    schedule = values.get("schedule", {})
    if "schedule.warmup_epochs" not in overridden and isinstance(schedule, dict):
        warmup = schedule.get("warmup_epochs", _WARMUP)
        if isinstance(warmup, int | float) and warmup > epochs:
            values["schedule"] = {**schedule, "warmup_epochs": warmup * epochs / before}
            _say("epochs", epochs, "schedule.warmup_epochs", values["schedule"]["warmup_epochs"])


def follow_input_size(values: MutableMapping[str, Any], overridden: Collection[str]) -> None:
    """Leave out the smaller faces of early epochs when the input's side is set and they are not, and say so.

    They end at the side of the recipe: the network would be trained at that one, and judged at another.

    Args:
        values: of a recipe, already with the new ``preprocess.input_size``; changed in place.
        overridden: dotted names of the keys that the user set.
    """
    if "preprocess.input_size" in overridden and "resolutions" not in overridden and values.get("resolutions"):
        values["resolutions"] = []
        _say("preprocess.input_size", values["preprocess"]["input_size"], "resolutions", [])


def _follow_resolutions(values: MutableMapping[str, Any], epochs: int, before: int) -> None:
    try:
        pairs = [(int(start), int(side)) for start, side in values.get("resolutions", [])]
    except (TypeError, ValueError):  # malformed: the configuration itself will say so
        return
    if pairs and pairs[-1][0] >= epochs:
        starts = {start * epochs // before: side for start, side in pairs}
        values["resolutions"] = [[start, side] for start, side in starts.items()]
        _say("epochs", epochs, "resolutions", values["resolutions"])


def _say(changed: str, to: object, key: str, value: object) -> None:
    logging.getLogger("mien").info("%s is %s: %s follows and is %s", changed, to, key, value)
