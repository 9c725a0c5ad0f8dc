"""The model card inside a model file, as JSON: labels, preprocessing, temperature, provenance."""

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from mien.errors import ConfigError, DataError
from mien.labels import EMOTIONS, checked_classes
from mien.preprocess import PreprocessSpec
from mien.toml_json import check_types, from_values, parse_json

METADATA_KEY: Final = "mien"
"""Under which a model file holds its card."""

FORMAT_VERSION: Final = 1

NOT_STATED: Final = "not stated"
"""The licence of weights whose maker stated none; what the data's owners demand holds all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """The model card inside a model file.

    Args:
        name: what users call the model.
        network: name of the architecture in the registry; "unknown" for a foreign network.
        parameters: learnable parameters; 0 for a foreign network.
        macs: multiply-adds for one face; 0 for a foreign network.
        labels: class names in the order of the logits, see `mien.labels.checked_classes`.
        preprocess: how a face becomes the network's input.
        temperature: logits are divided by it before softmax (Guo et al., arXiv 1706.04599), fitted on the faces that
            chose the epoch, as a rule PublicTest.
        training: provenance: data, their hash, rows used and dropped, seed, epochs, the package's version.
        public_test: figures on PublicTest without test-time augmentation, at least ``accuracy`` and ``ece`` (0..1) and
            ``n``; empty when the model has not been evaluated.
        licence: terms of the weights, as their maker states them.
    """

    name: str
    network: str
    parameters: int
    macs: int
    preprocess: PreprocessSpec
    labels: tuple[str, ...] = EMOTIONS
    temperature: float = 1.0
    training: dict[str, Any] = field(default_factory=dict)
    public_test: dict[str, Any] = field(default_factory=dict)
    licence: str = NOT_STATED

    def __post_init__(self) -> None:
        check_types(self)
        try:
            checked_classes(self.labels)
        except DataError as error:
            raise ConfigError(f"labels are {list(self.labels)}: {error}") from None
        if not 0 < self.temperature < math.inf:
            raise ConfigError(f"temperature is {self.temperature}: expected more than 0, finite")

    def to_json(self) -> str:
        """The card as JSON, with the format's version."""
        return json.dumps({"format": FORMAT_VERSION, **asdict(self)}, sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "ModelCard":
        """The card in JSON that `to_json` wrote.

        Raises:
            ConfigError: not JSON, another format version, or a field is missing, unknown or malformed.
        """
        try:
            values = parse_json(text)
            if values.pop("format", None) != FORMAT_VERSION:
                raise ConfigError(f"not of format {FORMAT_VERSION}")
            if "preprocess" in values:
                values["preprocess"] = PreprocessSpec.from_dict(values["preprocess"])
            return from_values(cls, values, required=("labels",))
        except ConfigError as error:
            raise ConfigError(f"its metadata: {error}") from None
