"""Boxes of ISO's base media file format (ISO/IEC 14496-12), in which MP4, MOV, AVIF and HEIF are built."""

from collections.abc import Iterator
from dataclasses import dataclass
from mmap import mmap
from typing import Final

from mien.media.costly import too_costly

Content = bytes | mmap
"""The content of a file, in memory or mapped."""

_BOXES: Final = 100_000
"""In one file; a fragmented video has six for every fragment."""
_DEPTH: Final = 8


@dataclass(frozen=True, slots=True)
class Box:
    """One box.

    Args:
        kind: its four letters.
        start: of its content.
        end: of its content, at most that of what it lies in.
    """

    kind: bytes
    start: int
    end: int


@dataclass(slots=True)
class Boxes:
    """The boxes of a file, of which a bounded number is read.

    Args:
        content: of the file.
        name: what to call it in errors.
        left: how many more are read.
    """

    content: Content
    name: str
    left: int = _BOXES

    def all(self) -> Box:
        """The whole file, as a box."""
        return Box(b"file", 0, len(self.content))

    def inside(self, box: Box, skip: int = 0) -> Iterator[Box]:
        """The boxes in a box, after so many bytes.

        Raises:
            TooLargeError: there are too many.
        """
        at = box.start + skip
        while at + 8 <= box.end:
            self.left -= 1
            if self.left < 0:
                raise too_costly(self.name, f"more than {_BOXES:,} boxes")
            size, kind, head = self.number(at, 4), self.content[at + 4 : at + 8], 8
            if size == 1:
                size, head = self.number(at + 8, 8), 16
            end = box.end if size == 0 else min(at + size, box.end)
            if end < at + head:
                return
            yield Box(kind, at + head, end)
            at = end

    def deep(self, box: Box, parents: frozenset[bytes], depth: int = _DEPTH) -> Iterator[Box]:
        """All boxes in a box, and those in the boxes named as parents.

        Raises:
            TooLargeError: there are too many.
        """
        for inner in self.inside(box):
            yield inner
            if depth and inner.kind in parents:
                yield from self.deep(inner, parents, depth - 1)

    def number(self, at: int, size: int = 4) -> int:
        """An unsigned number of so many bytes."""
        return int.from_bytes(self.content[at : at + size], "big")
