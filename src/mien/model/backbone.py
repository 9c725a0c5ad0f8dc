"""What a file with a pretrained backbone says of it: a network without its last layer, which knows no classes of ours.

It stands where a model's card stands, and is none: nothing can be predicted with the file, only trained from it.
"""

import json
from dataclasses import asdict, dataclass
from typing import Final

from mien.errors import ConfigError
from mien.toml_json import check_types, from_values, parse_json

_KEY: Final = "backbone"
_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneCard:
    """Where the weights of a pretrained backbone come from.

    Args:
        network: name of the architecture in the registry.
        data: what it was trained on.
        licence: terms of the weights, as their maker states them.
        source: who publishes them, and in which version.
        source_sha256: hash of the file that they were converted from, lower-case hexadecimal.
    """

    network: str
    data: str
    licence: str
    source: str
    source_sha256: str

    def __post_init__(self) -> None:
        check_types(self)

    def to_json(self) -> str:
        """The card as JSON, with the format's version."""
        return json.dumps({_KEY: _VERSION, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "BackboneCard | None":
        """The card in JSON that `to_json` wrote; None for the text of a file that holds something else.

        Raises:
            ConfigError: another format version, or a field is missing, unknown or malformed.
        """
        try:
            values = parse_json(text)
            if _KEY not in values:
                return None
            if values.pop(_KEY) != _VERSION:
                raise ConfigError(f"not a backbone of format {_VERSION}")
            return from_values(cls, values)
        except ConfigError as error:
            raise ConfigError(f"its metadata: {error}") from None
