"""JSON and TOML read strictly, and what is wrong with them in words for people.

What other readers would take otherwise, or not at all, is an error: NaN, a key that comes twice, half a character.
"""

import json
import re
import sys
import tomllib
from typing import Any, Final

_ESCAPED_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


def strict_json(text: str | bytes, *, line_breaks: bool = False) -> Any:
    """The values in a JSON text (RFC 8259).

    Args:
        text: as text, or in UTF-8, UTF-16 or UTF-32, with a byte order mark or without.
        line_breaks: whether line breaks and other control characters may stand in strings.

    Raises:
        ValueError: not JSON; NaN or an infinity, a key that comes twice, half of a surrogate pair, or a whole number of
            more digits than Python reads. `what_is_wrong` has the words.
        RecursionError: nested too deeply, likewise.
    """
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text))
    if not text or text.isspace():
        raise _RefusedError("it is empty")
    values = json.loads(
        text,
        strict=not line_breaks,
        parse_constant=_refuse_constant,
        object_pairs_hook=_each_key_once,
    )
    if _ESCAPED_SURROGATE.search(text):
        json.dumps(values, ensure_ascii=False).encode()
    return values


def what_is_wrong(error: Exception) -> str:
    """Why `strict_json`, or `tomllib`, did not read a text, in one line; the text itself is not repeated."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"not {error.encoding.upper()}, at byte {error.start}"
    if isinstance(error, UnicodeEncodeError):
        return "half of a surrogate pair, which is no character"
    known = isinstance(error, json.JSONDecodeError | tomllib.TOMLDecodeError | _RefusedError)
    return str(error) if known else f"a whole number of more than {sys.get_int_max_str_digits()} digits"


class _RefusedError(ValueError):
    """What is refused here has its words already."""


def _refuse_constant(name: str) -> None:
    raise _RefusedError(f"{name} is not a JSON value")


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in pairs:
        if key in values:
            raise _RefusedError(f"the key {key[:100]!r} comes twice")
        values[key] = value
    return values
