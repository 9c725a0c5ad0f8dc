"""Files that share their bytes with others: the mean of embedded models holds the weights of each of them.

A file of pieces is one line of JSON and then the bytes that no other file has. The line holds the hash of the whole
(``sha256``) and ``pieces``, a list of ``[source, start, length]`` in the order of the whole. A source is the name of
another file, or "" for those bytes. So the whole is the same file, byte for byte, as if it were stored by itself.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Final

from mien.errors import ModelFileError

Piece = tuple[str, int, int]
"""Name of the file that holds it, "" for the file of pieces itself; where it starts there; how many bytes it has."""

INSTALL_AGAIN: Final = "install mien again"
"""What a user does about a file of the package that is missing or damaged."""

_END_OF_LIST: Final = b"\n"


def joined(content: bytes, read: Callable[[str], bytes], name: str) -> bytes:
    """The whole file.

    Args:
        content: of a file of pieces.
        read: the content of another file, by its name.
        name: what to call the file in errors.

    Raises:
        ModelFileError: it, or a file that it shares bytes with, is damaged or missing.
    """
    head, _, own = content.partition(_END_OF_LIST)
    try:
        stated = json.loads(head)
        pieces = stated["pieces"]
        held = {"": own, **{source: read(source) for source in {source for source, _, _ in pieces if source}}}
        whole = b"".join(held[source][start : start + length] for source, start, length in pieces)
        sound = hashlib.sha256(whole).hexdigest() == stated["sha256"]
    except (ValueError, TypeError, KeyError, OSError, RecursionError):
        sound = False
    if not sound:
        raise ModelFileError(f"{name}: damaged in the package, or a model that it is a mean of is: {INSTALL_AGAIN}")
    return whole


def cut(whole: bytes, shared: Sequence[bytes], others: dict[str, bytes]) -> bytes:
    """The content of a file of pieces.

    Args:
        whole: the file to store.
        shared: parts of it, in its order, that others may have as well.
        others: their contents by name.
    """
    pieces: list[Piece] = []
    own, done = b"", 0
    for part in shared:
        at = whole.index(part, done)
        source = next((name for name, held in others.items() if part in held), None)
        if source is not None:
            pieces += [("", len(own), at - done), (source, others[source].index(part), len(part))]
            own, done = own + whole[done:at], at + len(part)
    pieces.append(("", len(own), len(whole) - done))
    stated = {"sha256": hashlib.sha256(whole).hexdigest(), "pieces": pieces}
    return json.dumps(stated, separators=(",", ":")).encode() + _END_OF_LIST + own + whole[done:]
