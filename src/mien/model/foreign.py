"""Foreign networks (ONNX files of other tools): a small TOML beside the file describes inputs and outputs.

Such a network may take three channels, or channels last, may have any classes in any order, and probabilities for
outputs. `Interface` is the adapter to mien, which gives one grey channel and expects a logit for each class.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from mien.errors import ConfigError, DataError, ModelFileError
from mien.labels import EMOTIONS, KNOWN_SETS, checked_classes, emotion_index, is_printable_name, known_name
from mien.preprocess import PreprocessSpec
from mien.toml_json import (
    check_types,
    converted,
    expectations,
    expected,
    from_values,
    parse_toml,
    refuse_unknown,
    require_keys,
)

Layout = Literal["nchw", "nhwc"]
Outputs = Literal["logits", "probabilities"]

_PER_CHANNEL: Final = "a number, or a list of one for each channel"
_SIDE: Final = "a whole number"
_PREPROCESS: Final = {"frame_size": _SIDE, "input_size": _SIDE, "mean": _PER_CHANNEL, "std": _PER_CHANNEL}
"""What a section [preprocess] must say."""

_SUM_TOLERANCE: Final = 1e-2
"""How far probabilities may be from a sum of 1: those of half-precision networks are rounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """Inputs and outputs of a network; the defaults are those of mien's own networks.

    Args:
        labels: class names in the order of the outputs.
        leave_out: those of them that are no classes of the model; the rest is renormalised.
        gain: for each channel, what mien's input is multiplied by.
        shift: for each channel, what is added to it then.
        layout: ``nchw`` or ``nhwc``: the order of batch, channels, height and width.
        outputs: ``logits`` or ``probabilities``.
        own: whether the classes are the labels as they stand, as a card of mien names them.

    Raises:
        ConfigError: a value that is not allowed; the message names the key.
    """

    labels: tuple[str, ...] = EMOTIONS
    leave_out: tuple[str, ...] = ()
    gain: tuple[float, ...] = (1.0,)
    shift: tuple[float, ...] = (0.0,)
    layout: Layout = "nchw"
    outputs: Outputs = "logits"
    own: bool = False

    def __post_init__(self) -> None:
        check_types(self)
        self._classes_and_columns()

    def _classes_and_columns(self) -> tuple[tuple[str, ...], tuple[int, ...]]:
        if self.own:
            return self.labels, tuple(range(len(self.labels)))
        return classes_and_columns(self.labels, self.leave_out)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of `logits`, see `classes_and_columns`."""
        return self._classes_and_columns()[0]

    def to_dict(self) -> dict[str, Any]:
        """What another runtime must know, as values of JSON: ``columns`` are the outputs that are classes."""
        columns = list(self._classes_and_columns()[1])
        told = {"gain": list(self.gain), "shift": list(self.shift), "layout": self.layout, "outputs": self.outputs}
        return {**told, "columns": columns, "width": len(self.labels)}

    def input_shape(self, side: int) -> tuple[int, int, int]:
        """Shape of one face as the network takes it."""
        return (len(self.gain), side, side) if self.layout == "nchw" else (side, side, len(self.gain))

    def arranged(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Preprocessed faces, float32 (N, 1, S, S), as the network takes them, float32 (N, *input_shape(S))."""
        gain, shift = (np.array(values, np.float32)[:, None, None] for values in (self.gain, self.shift))
        channels = inputs * gain + shift
        return np.ascontiguousarray(channels if self.layout == "nchw" else channels.transpose(0, 2, 3, 1))

    def logits(self, outputs: NDArray[Any], source: str) -> NDArray[np.float32]:
        """Logits (N, classes) in the order of `classes`, of the network's outputs (N, len(labels)).

        The softmax of the logarithm of probabilities is those probabilities, so that both kinds of output go the same
        way from here; a probability of 0 counts as the least positive float32.

        Args:
            outputs: what the network gave.
            source: what to call the network in errors.

        Raises:
            ModelFileError: the outputs are not what ``outputs`` says.
        """
        if outputs.ndim != 2 or outputs.shape[1] != len(self.labels):
            raise ModelFileError(
                f"{source}: its outputs are {outputs.shape}: expected (N, {len(self.labels)}), one a label"
            )
        _check_kind(outputs, self.outputs, source)
        chosen = np.asarray(outputs[:, self._classes_and_columns()[1]], np.float32)
        return chosen if self.outputs == "logits" else np.log(np.maximum(chosen, np.finfo(np.float32).tiny))


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a TOML says of the network beside it.

    Args:
        name: what to call the network, None to call it by its file.
        temperature: logits are divided by it before softmax.
        preprocess: how a face becomes mien's one-channel input.
        interface: how that becomes the network's input, and its outputs logits.
    """

    name: str | None
    temperature: float
    preprocess: PreprocessSpec
    interface: Interface

    @classmethod
    def from_toml(cls, text: str) -> "Description":
        """The description in the text of a TOML file.

        Raises:
            ConfigError: not TOML, or a key is missing, unknown or has a value that is not allowed.
        """
        file = from_values(_File, parse_toml(text))
        spec, gain, shift = _preprocess(file.preprocess, file.channels)
        interface = Interface(
            labels=file.labels,
            leave_out=file.leave_out,
            gain=gain,
            shift=shift,
            layout=file.layout,
            outputs=file.outputs,
        )
        return cls(name=file.name, temperature=file.temperature, preprocess=spec, interface=interface)


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """The keys of the TOML."""

    labels: tuple[str, ...] = expected("a list of names in the order of the network's outputs")
    channels: Literal[1, 3]
    layout: Layout
    outputs: Outputs
    preprocess: Mapping[str, Any] = expected("a section [preprocess]")
    name: str | None = None
    temperature: float = 1.0
    leave_out: tuple[str, ...] = expected('a list of labels, for example ["contempt"]', default=())

    def __post_init__(self) -> None:
        if self.name is not None and not is_printable_name(self.name):
            raise ConfigError(f"name is {self.name!r}: expected printable characters in one line")
        if not 0 < self.temperature < math.inf:
            raise ConfigError(f"temperature is {self.temperature}: expected a number more than 0, finite")


@cache
def classes_and_columns(
    labels: tuple[str, ...], leave_out: tuple[str, ...] = ()
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Classes of a network, and which output each of them is.

    Labels that mean all of FER2013's emotions, or FER+'s, by name, alias or FER2013's number, become that set in its
    order. Any others stay as they are, in the order of the outputs.

    Raises:
        ConfigError: a label twice, an unusable one, or one to leave out that is not there.
    """
    if unknown := [label for label in leave_out if label not in labels]:
        raise ConfigError(f"leave_out names {', '.join(unknown)}: expected some of labels, {', '.join(labels)}")
    kept = {column: label for column, label in enumerate(labels) if label not in leave_out}
    meanings = {column: _meaning(label) for column, label in kept.items()}
    known = [meaning for meaning in meanings.values() if meaning]
    if twice := {meaning for meaning in known if known.count(meaning) > 1}:
        raise ConfigError(f"labels name {min(twice)} twice: expected each class once")
    for classes in KNOWN_SETS:
        if set(meanings.values()) == set(classes):
            column_of = {meaning: column for column, meaning in meanings.items()}
            return classes, tuple(column_of[name] for name in classes)
    try:
        return checked_classes(tuple(kept.values())), tuple(kept)
    except DataError as error:
        raise ConfigError(f"labels are {list(labels)}: {error}") from None


def _meaning(label: str) -> str | None:
    try:
        return EMOTIONS[emotion_index(label)]
    except DataError:
        return known_name(label)


def _preprocess(
    values: Mapping[str, Any], channels: int
) -> tuple[PreprocessSpec, tuple[float, ...], tuple[float, ...]]:
    """The specification for the first channel, and gain and shift from it to every channel.

    With x = (grey - mean) / std for the first channel, channel c is x * std / std_c + (mean - mean_c) / std_c.
    """
    refuse_unknown(values, expectations(PreprocessSpec), "preprocess.")
    require_keys(values, _PREPROCESS, "preprocess.")
    means, stds = (_per_channel(f"preprocess.{key}", values[key], channels) for key in ("mean", "std"))
    specs = [
        from_values(PreprocessSpec, {**values, "mean": mean, "std": std}, "preprocess.")
        for mean, std in zip(means, stds, strict=True)
    ]
    first = specs[0]
    gain = tuple(first.std / spec.std for spec in specs)
    shift = tuple((first.mean - spec.mean) / spec.std for spec in specs)
    return first, gain, shift


def _per_channel(key: str, value: Any, channels: int) -> tuple[float, ...]:
    if not isinstance(value, list):
        return (converted(float, value, key, _PER_CHANNEL),) * channels
    values: tuple[float, ...] = converted(tuple[float, ...], value, key, _PER_CHANNEL)
    if len(values) != channels:
        raise ConfigError(f"{key} is {value!r}: expected {_PER_CHANNEL}")
    return values


def _check_kind(outputs: NDArray[Any], kind: str, source: str) -> None:
    sums = outputs.astype(np.float64).sum(axis=1)
    are_probabilities = bool((np.abs(sums - 1) < _SUM_TOLERANCE).all() and (outputs >= 0).all())
    if kind == "probabilities" and not are_probabilities:
        raise ModelFileError(
            f"{source}: its outputs are not probabilities (a face's sum to {sums[np.abs(sums - 1).argmax()]:.4g}, "
            f'the least is {outputs.min():.4g}); set outputs = "logits" in the TOML beside it'
        )
