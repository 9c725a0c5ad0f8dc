"""Configuration of a training (hyperparameters): frozen dataclasses, read from and written to TOML.

A recipe file holds the fields of `TrainConfig`; its sections are the nested dataclasses::

    network = "mien_s"
    epochs = 60
    [optimizer]
    learning_rate = 0.1

Fields left out keep their defaults; unknown keys, wrong types and contradictions are errors that name the key.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from functools import cache, reduce
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from mien.errors import ConfigError, nearest
from mien.preprocess import PreprocessSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerConfig:
    """The optimizer.

    Args:
        name: "sgd", "adam", "adamw" (decoupled weight decay) or "rmsprop".
        learning_rate: at its peak.
        momentum: of SGD and RMSprop; the first beta of Adam and AdamW.
        nesterov: Nesterov momentum for SGD; without effect on the others.
        weight_decay: applied to convolution and linear weights, never to biases and normalisation.
        clip_norm: gradient clipping by global norm: the largest norm over all weights together; 0 is off.
    """

    name: Literal["sgd", "adam", "adamw", "rmsprop"] = "sgd"
    learning_rate: float = 0.1
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    clip_norm: float = 0.0

    def __post_init__(self) -> None:
        _require("optimizer.learning_rate", self.learning_rate, above=0)
        _require("optimizer.momentum", self.momentum, low=0, below=1)
        _require("optimizer.weight_decay", self.weight_decay, low=0)
        _require("optimizer.clip_norm", self.clip_norm, low=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleConfig:
    """The learning rate schedule; ``warmup_epochs`` of linear warmup come first in each of them.

    Args:
        name: "constant"; "cosine" from the peak to ``final`` times the peak; "step", times ``factor`` every ``every``
            epochs; "multistep", times ``factor`` at each of ``milestones``; "plateau", times ``factor`` when the
            accuracy that chooses the epoch has not grown for more than ``patience`` epochs.
        warmup_epochs: epochs of linear warmup from 0 to the peak.
        final: share of the peak at the end of "cosine".
        factor: multiplies the rate at each decay of "step", "multistep" and "plateau".
        every: epochs between the decays of "step".
        milestones: epochs of the decays of "multistep", ascending.
        patience: epochs without a better accuracy that "plateau" tolerates.
    """

    name: Literal["cosine", "constant", "step", "multistep", "plateau"] = "cosine"
    warmup_epochs: float = 2.0
    final: float = 0.0
    factor: float = 0.1
    every: int = 10
    milestones: tuple[int, ...] = ()
    patience: int = 5

    def __post_init__(self) -> None:
        _require("schedule.warmup_epochs", self.warmup_epochs, low=0)
        _require("schedule.final", self.final, low=0, high=1)
        _require("schedule.factor", self.factor, above=0, below=1)
        _require("schedule.every", self.every, low=1)
        _require("schedule.patience", self.patience, low=0)
        if list(self.milestones) != sorted({epoch for epoch in self.milestones if epoch > 0}):
            raise ConfigError(f"schedule.milestones are {list(self.milestones)}: expected ascending epochs from 1")
        if (self.name == "multistep") != bool(self.milestones):
            raise ConfigError("schedule.milestones and schedule.name = multistep belong together: set both or neither")


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentConfig:
    """Data augmentation of training faces; each face draws its own values, uniformly.

    Args:
        flip: probability of a horizontal flip.
        vertical_flip: probability of a vertical flip. Faces stand upright: it is here to reproduce this mistake of a
            system that claimed 99 %, see docs/studies/leakage.md.
        rotate: degrees either way.
        scale: share by which the face grows or shrinks, either way.
        shift: share of the input side by which the face moves, either way, horizontally and vertically.
        brightness, contrast: share either way.
        erase: random erasing: probability that a rectangle is replaced by the grey of ``preprocess.mean`` (Zhong et
            al., arXiv 1708.04896).
        erase_area: largest share of the face that is erased.
        gamma: largest exponent of the grey levels; the smallest is its inverse, 0 is off.
        occlude, occlude_area: probability that a rectangle of any grey level hides a part, and its largest share of the
            face. The following degradations (`mien.training.degradation`) likewise have a probability and a strength.
        blur, blur_sigma: Gaussian blur; largest standard deviation in pixels.
        motion_blur, motion_length: smear along a line of any direction; longest line in pixels.
        low_resolution, low_resolution_side: averaged down and enlarged again; smallest share of the side that is left.
        noise, noise_sd: Gaussian noise; largest standard deviation in grey levels.
        shot_noise, shot_noise_sd: noise that grows with the light; largest standard deviation at white, in grey levels.
        jpeg, jpeg_quality: JPEG compression; lowest quality, 1..95.
    """

    flip: float = 0.5
    vertical_flip: float = 0.0
    rotate: float = 15.0
    scale: float = 0.15
    shift: float = 0.15
    brightness: float = 0.3
    contrast: float = 0.3
    erase: float = 0.5
    erase_area: float = 0.2
    gamma: float = 0.0
    occlude: float = 0.0
    occlude_area: float = 0.35
    blur: float = 0.0
    blur_sigma: float = 2.0
    motion_blur: float = 0.0
    motion_length: float = 7.0
    low_resolution: float = 0.0
    low_resolution_side: float = 0.35
    noise: float = 0.0
    noise_sd: float = 25.0
    shot_noise: float = 0.0
    shot_noise_sd: float = 25.0
    jpeg: float = 0.0
    jpeg_quality: float = 10.0

    def __post_init__(self) -> None:
        _require("augment.rotate", self.rotate, low=0, high=180)
        shares = ("flip", "vertical_flip", "erase", "erase_area", "occlude", "occlude_area", "blur", "motion_blur")
        for name in (*shares, "low_resolution", "noise", "shot_noise", "jpeg"):
            _require(f"augment.{name}", getattr(self, name), low=0, high=1)
        for name in ("blur_sigma", "noise_sd", "shot_noise_sd"):
            _require(f"augment.{name}", getattr(self, name), above=0, high=255)
        _require("augment.motion_length", self.motion_length, low=1, high=24)
        _require("augment.low_resolution_side", self.low_resolution_side, above=0, high=1)
        _require("augment.jpeg_quality", self.jpeg_quality, low=1, high=95)
        if self.gamma:
            _require("augment.gamma", self.gamma, low=1, high=5)
        for name in ("scale", "shift", "brightness", "contrast"):
            _require(f"augment.{name}", getattr(self, name), low=0, below=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LossConfig:
    """The loss function.

    Args:
        name: "cross_entropy" on soft targets, or "focal" (Lin et al., arXiv 1708.02002), which takes whole labels
            only.
        gamma: focusing parameter of "focal": higher puts more weight on hard faces; 0 is cross-entropy.
        class_weights: "none", or "balanced": a face counts in inverse proportion to how many of its class there are.
        label_smoothing: share of the target spread evenly over the classes.
        mixup: alpha of the Beta distribution that blends pairs of faces (Zhang et al., arXiv 1710.09412); 0 is off.
        mixup_last_epochs: epochs at the end without mixup, so that the network finishes on real faces.
        targets: "fer2013", its labels; or what FER+'s votes say, see `mien.data.votes.vote_targets` and
            `mien.training.targets.label_posterior`. Smoothing and mixup act upon them.
        fer2013_weight: share of FER2013's label in FER+'s targets, 0..1; with 0, rows without such a target are left
            out of training, otherwise they have FER2013's label.
        teachers: run folders or safetensors files of networks to learn from, see `mien.training.distillation`.
        teacher_weight: share of the loss that the teachers' answers have, 0..1.
        teacher_temperature: divides the logits of teachers and pupil before they are compared.
        teacher_views: how many augmented views of each face the pupil trains on in turn, one an epoch; the teachers
            answer to each view once, see `mien.training.views`. 0 draws new views in each epoch, which the teachers
            answer in every step.
        teacher_answers: file that these answers are kept in, so that several pupils share them; "" keeps them in the
            run's folder.
    """

    name: Literal["cross_entropy", "focal"] = "cross_entropy"
    gamma: float = 2.0
    class_weights: Literal["none", "balanced"] = "none"
    label_smoothing: float = 0.1
    mixup: float = 0.2
    mixup_last_epochs: int = 0
    targets: Literal[
        "fer2013", "ferplus_majority", "ferplus_probability", "ferplus_thresholded", "ferplus_posterior"
    ] = "fer2013"
    fer2013_weight: float = 0.0
    teachers: tuple[str, ...] = ()
    teacher_weight: float = 0.5
    teacher_temperature: float = 1.0
    teacher_views: int = 0
    teacher_answers: str = ""

    def __post_init__(self) -> None:
        _require("loss.gamma", self.gamma, low=0)
        _require("loss.label_smoothing", self.label_smoothing, low=0, below=1)
        _require("loss.mixup", self.mixup, low=0)
        _require("loss.mixup_last_epochs", self.mixup_last_epochs, low=0)
        _require("loss.fer2013_weight", self.fer2013_weight, low=0, high=1)
        _require("loss.teacher_weight", self.teacher_weight, low=0, high=1)
        _require("loss.teacher_temperature", self.teacher_temperature, above=0)
        _require("loss.teacher_views", self.teacher_views, low=0, high=1000)
        if self.teacher_views and not self.teachers:
            raise ConfigError(f"loss.teacher_views is {self.teacher_views} and loss.teachers names none: name some")
        if self.targets == "fer2013" and self.fer2013_weight:
            raise ConfigError(
                f"loss.fer2013_weight is {self.fer2013_weight} and loss.targets is fer2013, "
                "which has nothing to blend with: set it to 0, or loss.targets to one of FER+'s"
            )
        if self.name == "focal" and self.targets not in ("fer2013", "ferplus_majority"):
            raise ConfigError(
                f"loss.targets is {self.targets} and loss.name is focal, which takes whole labels: "
                "set it to fer2013 or ferplus_majority"
            )
        for key in ("label_smoothing", "mixup", "fer2013_weight"):
            if self.name == "focal" and getattr(self, key):
                raise ConfigError(
                    f"loss.{key} is {getattr(self, key)} and loss.name is focal, which takes whole labels: set it to 0"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """The configuration of one training.

    Args:
        network: a registered name.
        epochs: passes over the training rows.
        batch_size: faces per step, over all devices together.
        seed: of weights, order and augmentation.
        initial_weights: run folder or safetensors file of `mien train`, of the same network, whose chosen weights the
            training starts from (fine-tuning, warm restarts); "" starts from random ones.
        precision: "bf16" computes convolutions in bfloat16 and keeps weights in float32; "fp16" does so in float16 and
            scales the loss (GPUs only); "fp32" does everything in float32; "auto" is the fastest of them that the
            device computes with itself, see `mien.training.precision`. A run states which one it was.
        ema_decay: per step, of the averaged weights that are evaluated and kept; 0 evaluates the plain weights.
        early_stopping: patience of early stopping: epochs without a better accuracy after which the training ends; 0 is
            off.
        split: validation split: "official" holds out no Training rows; for the others see
            `mien.data.splits.held_out_rows`.
        select_on: model selection: accuracy on "PublicTest", or on the rows that ``split`` has "held_out"; or "last" to
            keep the last epoch.
        resolutions: progressive resizing: (first epoch, input side in pixels) in ascending order. Early epochs at a
            smaller side are cheaper; empty trains at the preprocessing's input size throughout. Only for networks that
            take any side.
        preprocess: how a face becomes the network's input.
    """

    network: str
    epochs: int = 60
    batch_size: int = 128
    seed: int = 0
    initial_weights: str = ""
    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    ema_decay: float = 0.999
    early_stopping: int = 0
    split: Literal["official", "first_24000", "ordered_70_30", "stratified"] = "official"
    select_on: Literal["PublicTest", "held_out", "last"] = "PublicTest"
    resolutions: tuple[tuple[int, int], ...] = ()
    preprocess: PreprocessSpec = field(default_factory=PreprocessSpec)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    loss: LossConfig = field(default_factory=LossConfig)

    def __post_init__(self) -> None:
        _require("epochs", self.epochs, low=1)
        _require("batch_size", self.batch_size, low=2)
        _require("seed", self.seed, low=0, high=2**63 - 1)
        _require("ema_decay", self.ema_decay, low=0, below=1)
        _require("early_stopping", self.early_stopping, low=0)
        if self.select_on == "last" and (self.early_stopping or self.schedule.name == "plateau"):
            raise ConfigError("select_on is last: early_stopping and schedule.name = plateau need faces to judge by")
        if self.select_on == "held_out" and self.split == "official":
            raise ConfigError("select_on is held_out and split is official, which holds no rows out: set another split")
        if self.schedule.warmup_epochs > self.epochs:
            raise ConfigError(
                f"schedule.warmup_epochs is {self.schedule.warmup_epochs}: expected at most epochs, {self.epochs}"
            )
        starts = [epoch for epoch, _ in self.resolutions]
        if starts != sorted(set(starts)) or starts[:1] not in ([], [0]):
            raise ConfigError(f"resolutions start at epochs {starts}: expected ascending numbers from 0")
        for _, side in self.resolutions:
            _require("resolutions", side, low=8)
        if starts and starts[-1] >= self.epochs:
            raise ConfigError(
                f"resolutions go to {self.resolutions[-1][1]} px at epoch {starts[-1]}, and epochs is {self.epochs}, "
                "so none would train at that side: set resolutions=[], or let them start earlier"
            )

    def input_size_at(self, epoch: int) -> int:
        """Side in pixels of the faces that an epoch trains on."""
        started = [side for start, side in self.resolutions if start <= epoch]
        return started[-1] if started else self.preprocess.input_size


def _require(
    key: str,
    value: float,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> None:
    bounds: tuple[tuple[float | None, bool, str], ...] = (
        (low, low is not None and value >= low, "at least"),
        (high, high is not None and value <= high, "at most"),
        (above, above is not None and value > above, "more than"),
        (below, below is not None and value < below, "less than"),
    )
    wanted = " and ".join(f"{word} {bound:g}" for bound, _, word in bounds if bound is not None)
    if not all(holds for bound, holds, _ in bounds if bound is not None):
        raise ConfigError(f"{key} is {value}: expected {wanted}")


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
    taken as text.

    Raises:
        ConfigError: no such recipe, not TOML, an unknown key, a wrong type or a contradiction.
    """
    values = _read_toml(recipe)
    for override in overrides:
        _merge(values, _parse_override(override))
    return config_from_dict(values)


def _read_toml(recipe: str) -> dict[str, Any]:
    try:
        if recipe in _recipes():
            return tomllib.loads(_recipes()[recipe])
        return tomllib.loads(Path(recipe).read_text(encoding="utf-8"))
    except OSError:
        names = recipe_names()
        raise ConfigError(
            f"{recipe}: no such recipe file, nor one of {', '.join(names)}{nearest(recipe, names)}"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{recipe}: not a TOML file ({error})") from None


def _parse_override(text: str) -> dict[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"override {text!r}: expected key=value, for example epochs=10")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value
    return reduce(lambda inner, name: {name: inner}, reversed(key.strip().split(".")), parsed)


def _merge(target: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        else:
            target[key] = value


def config_from_dict(values: Mapping[str, Any]) -> TrainConfig:
    """The configuration in plain values, as TOML or JSON give them.

    Raises:
        ConfigError: an unknown or missing key, a wrong type or a contradiction.
    """
    config: TrainConfig = _build(TrainConfig, values, "")
    return config


def _build(kind: Any, values: Any, prefix: str) -> Any:
    if not isinstance(values, Mapping):
        raise ConfigError(f"{prefix.rstrip('.')} is {values!r}: expected a section of keys")
    hints = get_type_hints(kind)
    known = {item.name for item in fields(kind)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ConfigError(
            f"unknown key {prefix}{unknown[0]}{nearest(unknown[0], known)}: expected one of {', '.join(sorted(known))}"
        )
    if kind is TrainConfig and "network" not in values:
        raise ConfigError('key network is missing: expected a registered name, for example network = "mien_s"')
    return kind(**{key: _convert(hints[key], value, prefix + key) for key, value in values.items()})


_SCALARS: Final[dict[Any, tuple[tuple[type, ...], str]]] = {
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "text"),
    bool: ((bool,), "true or false"),
}


def _convert(hint: Any, value: Any, key: str) -> Any:
    if is_dataclass(hint):
        return _build(hint, value, f"{key}.")
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            choices = get_args(hint)
            hint_text = nearest(str(value), choices)
            raise ConfigError(f"{key} is {value!r}{hint_text}: expected one of {', '.join(choices)}")
        return value
    if hint == tuple[int, ...]:
        return _convert_numbers(value, key)
    if hint == tuple[str, ...]:
        return _convert_texts(value, key)
    if get_origin(hint) is tuple:
        return _convert_pairs(value, key)
    allowed, wanted = _SCALARS[hint]
    if (isinstance(value, bool) and hint is not bool) or not isinstance(value, allowed):
        raise ConfigError(f"{key} is {value!r}: expected {wanted}")
    return hint(value)


def _convert_numbers(value: Any, key: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(number) is int for number in value):
        raise ConfigError(f"{key} is {value!r}: expected whole numbers, for example [10, 20, 50]")
    return tuple(value)


def _convert_texts(value: Any, key: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise ConfigError(f'{key} is {value!r}: expected texts, for example ["runs/teacher"]')
    return tuple(value)


def _convert_pairs(value: Any, key: str) -> tuple[tuple[int, int], ...]:
    try:
        pairs = tuple((start, side) for start, side in value)
    except (TypeError, ValueError):
        pairs = ((None, None),)
    if not all(type(number) is int for pair in pairs for number in pair):
        raise ConfigError(f"{key} is {value!r}: expected pairs of whole numbers, for example [[0, 32], [20, 44]]")
    return pairs


def config_to_toml(config: TrainConfig) -> str:
    """The configuration as a recipe file that `load_config` reads back to an equal one."""
    values = asdict(config)
    flat = {key: value for key, value in values.items() if not isinstance(value, dict)}
    sections = {key: value for key, value in values.items() if isinstance(value, dict)}
    lines = list(_toml_lines(flat))
    for name, section in sections.items():
        lines += ["", f"[{name}]", *_toml_lines(section)]
    return "\n".join(lines) + "\n"


def _toml_lines(values: Mapping[str, Any]) -> Iterator[str]:
    for key, value in values.items():
        yield f"{key} = {_toml_value(value)}"


def _toml_value(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, str) else repr(value)
