"""Files that share their bytes with others: the mean of embedded models holds the weights of each of them.

A file of pieces is one line of JSON, a list of ``[source, start, length]`` in the order of the whole, and then the
bytes that no other file has. A source is the name of another file, or "" for those bytes. So the whole is the same
file, byte for byte and with the same hash, as if it were stored by itself.
"""

import json
from collections.abc import Callable, Sequence
from typing import Final

Piece = tuple[str, int, int]
"""Name of the file that holds it, "" for the file of pieces itself; where it starts there; how many bytes it has."""

_END_OF_LIST: Final = b"\n"


def joined(content: bytes, read: Callable[[str], bytes]) -> bytes:
    """The whole file.

    Args:
        content: of a file of pieces.
        read: the content of another file, by its name.
    """
    head, _, own = content.partition(_END_OF_LIST)
    pieces = json.loads(head)
    held = {"": own, **{name: read(name) for name in {name for name, _, _ in pieces if name}}}
    return b"".join(held[name][start : start + length] for name, start, length in pieces)


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
    return json.dumps(pieces, separators=(",", ":")).encode() + _END_OF_LIST + own + whole[done:]
