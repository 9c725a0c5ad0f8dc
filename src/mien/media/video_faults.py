"""Why a file cannot be opened as a video, where its structure says more than FFmpeg does."""

import mmap
from pathlib import Path
from typing import Final

from mien.errors import TooLargeError
from mien.media.boxes import Boxes, Content

EMPTY: Final = "an empty file, not a video"
_NO_INDEX: Final = "its index (moov) is missing: the file is truncated, or was not written to its end"
_MP4: Final = frozenset({b"ftyp", b"mdat", b"wide"})
"""Boxes that an MPEG-4 file begins with."""


def fault_of(content: Content) -> str | None:
    """What is wrong with a file that cannot be opened, without its name; None where its structure does not say.

    Args:
        content: the whole file.
    """
    if not content:
        return EMPTY
    if content[4:8] not in _MP4:
        return None
    boxes = Boxes(content, "")
    try:
        return None if any(box.kind == b"moov" for box in boxes.inside(boxes.all())) else _NO_INDEX
    except TooLargeError:
        return None


def fault_of_file(path: Path) -> str | None:
    """`fault_of` a file; None where it cannot be read."""
    try:
        if not path.stat().st_size:
            return EMPTY if path.is_file() else None
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return fault_of(content)
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return None
