"""Which pictures move, by their structure: no decoder sees them, and of untrusted files none in this process must.

Sources: GIF89a, 17 to 24; PNG third edition, 11.3.6; RFC 9649, 2.7; ISO/IEC 23000-22 (image sequences).
"""

import mmap
from pathlib import Path

from mien.errors import TooLargeError
from mien.media.boxes import Boxes, Content

_STEPS = 1_000_000
"""Blocks and chunks that are looked at; a file with more is read as a still picture, which refuses it."""
_TRACK = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl"})


def is_animation(path: Path) -> bool:
    """Whether a file is a picture of more than one image, a GIF, WebP, PNG or AVIF by its content."""
    try:
        if not path.is_file():  # a pipe would be read empty
            return False
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _moves(content)
    except (OSError, ValueError):  # ValueError: an empty file, or a NUL in the name
        return False


def _moves(content: Content) -> bool:
    return images_of(content, 2) > 1


def images_of(content: Content, most: int = _STEPS) -> int:
    """How many images an animated picture has; counting may stop at ``most``. 1 for other files."""
    if content[:6] in {b"GIF87a", b"GIF89a"}:
        return _images_of_gif(content, most)
    if content[:8] == b"\x89PNG\r\n\x1a\n":
        return _images_of_png(content)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return _images_of_webp(content, most)
    if content[4:8] == b"ftyp" and b"avis" in content[8 : min(int.from_bytes(content[:4], "big"), 400)]:
        return _samples(content)
    return 1


def _images_of_gif(content: Content, most: int) -> int:
    at, images = 13 + _table(content[10]) if len(content) > 10 else len(content), 0
    for _ in range(_STEPS):
        kind = content[at : at + 1]
        if kind == b",":
            images += 1
            at += 11 + _table(content[at + 9]) if at + 9 < len(content) else len(content)
        elif kind == b"!":
            at += 2
        else:
            at += 1  # padding, which decoders pass over
        if images == most or kind in {b"", b";"}:
            break
        if kind in {b",", b"!"}:
            at = _after_blocks(content, at)
    return images


def _table(flags: int) -> int:
    """Bytes of a colour table."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _after_blocks(content: Content, at: int) -> int:
    while at < len(content) and content[at]:
        at += 1 + content[at]
    return at + 1


def _images_of_png(content: Content) -> int:
    """Images of its animation, and the still one if it is none of them."""
    at, images, first = 8, 0, False
    for _ in range(_STEPS):
        size, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        if kind == b"acTL":
            images = int.from_bytes(content[at + 8 : at + 12], "big")
        first = first or kind == b"fcTL"
        if kind in {b"IDAT", b"IEND", b""}:
            break
        at += 12 + size
    return images + (not first) if images else 1


def _images_of_webp(content: Content, most: int) -> int:
    at, images = 12, 0
    for _ in range(_STEPS):
        images += content[at : at + 4] == b"ANMF"
        if images == most or at >= len(content):
            break
        at += 8 + (size := int.from_bytes(content[at + 4 : at + 8], "little")) + size % 2
    return images


def _samples(content: Content) -> int:
    """Images of the longest track of an AVIF sequence."""
    boxes = Boxes(content, "")
    try:
        tables = [box for box in boxes.deep(boxes.all(), _TRACK) if box.kind == b"stsz"]
    except TooLargeError:
        return 0
    return max((boxes.number(box.start + 8) for box in tables), default=0)
