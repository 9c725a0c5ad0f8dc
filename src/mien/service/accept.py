"""What a client takes as an answer to pictures: the header ``Accept`` (RFC 9110, 12.5.1)."""

import re
from typing import Final, Literal

from mien.errors import RequestError

JSON: Final = "application/json"
PNG: Final = "image/png"

_WEIGHT: Final = re.compile(r";\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*(?=;|$)", re.IGNORECASE)
_RANGES: Final = {JSON: (JSON, "application/*"), PNG: (PNG, "image/*")}
"""What names each, the most specific first; beside it stands ``*/*``."""


def wanted(accept: str) -> Literal["application/json", "image/png"]:
    """The type of the answer: what has the larger weight; of equal ones JSON, unless PNG alone is named.

    Args:
        accept: the values of the header, joined by commas; empty takes anything.

    Raises:
        RequestError: 406, it takes neither.
    """
    weights = _weights(accept) or {"*/*": 1.0}
    (json, json_named), (png, png_named) = (_weight(kind, weights) for kind in (JSON, PNG))
    if not json and not png:
        said = f"the answer is {JSON} or {PNG}, and Accept: {accept[:100]} takes neither"
        raise RequestError(406, f"{said}; send one of them, or none for JSON")
    return PNG if (png, png_named) > (json, json_named) else JSON


def _weights(accept: str) -> dict[str, float]:
    """The weight of each range; what is malformed has 1."""
    found = {}
    for part in accept.split(","):
        name, _, _ = part.partition(";")
        weight = _WEIGHT.search(part)
        if name.strip():
            found[name.strip().lower()] = float(weight[1]) if weight else 1.0
    return found


def _weight(kind: str, weights: dict[str, float]) -> tuple[float, bool]:
    """The weight of a type, and whether it is named, if only by its first half."""
    for name in _RANGES[kind]:
        if name in weights:
            return weights[name], True
    return weights.get("*/*", 0.0), False
