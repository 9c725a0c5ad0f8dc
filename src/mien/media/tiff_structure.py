"""The tags of a TIFF file, or of EXIF, which is built in the same way: they may name the whole file again and again.

Source: TIFF 6.0, section 2 (image file directories and types), and BigTIFF.
"""

from collections.abc import Iterator
from typing import Final, Literal

from mien.media.boxes import Content
from mien.media.costly import too_costly

_STARTS: Final[dict[bytes, Literal["little", "big"]]] = {b"II": "little", b"MM": "big"}
_BIG: Final = 43
_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value of each type."""
_TAGS: Final = 1000
"""Of one picture; TIFF 6.0 has 74, EXIF 80, makers add some dozens of their own."""
_DIRECTORIES: Final = frozenset({0x8769, 0x8825, 0xA005})
"""Tags that name further directories: EXIF 2.32, 4.6.3."""
_MOST_DIRECTORIES: Final = 8
_SUBFILE: Final = 254
_REDUCED, _MASK = 1, 4
"""Bits of the tag NewSubfileType: a smaller version of another page, and where one is transparent."""
_PAGES: Final = 10_000
_REPEATS: Final = 2
"""How often all of the file may be named."""


def check_tiff(content: Content, name: str, _max_pixels: int = 0) -> None:
    """Refuse a TIFF file, or EXIF, of too many tags, or whose tags hold more than the file.

    Args:
        content: the whole file, or the EXIF block from its ``II`` or ``MM`` on; what is neither passes.
        name: what to call it in errors.

    Raises:
        TooLargeError: it is.
    """
    total = number = 0
    for number, size in enumerate(_values(content), 1):
        total += size
        if number > _TAGS or total > _REPEATS * len(content):
            what = f"more than {_TAGS:,} tags, or tags that name the file again and again"
            raise too_costly(name, what)


def pages_of(content: Content) -> int:
    """How many pages a TIFF file has, smaller versions of them left out, as far as 10,000; 0 for other files."""
    pages, seen, at = 0, set[int](), _first(content)
    order = _STARTS.get(content[:2], "little")
    wide, entry, head = _widths(content)
    while 0 < at < len(content) and at not in seen and pages < _PAGES:
        seen.add(at)
        count = int.from_bytes(content[at : at + head], order)
        end = min(at + head + entry * count, len(content))
        kinds = [
            int.from_bytes(content[place + 4 + wide : place + 8 + wide], order)
            for place in range(at + head, min(end, at + head + entry * _TAGS), entry)
            if int.from_bytes(content[place : place + 2], order) == _SUBFILE
        ]
        pages += not any(kind & (_REDUCED | _MASK) for kind in kinds)
        at = int.from_bytes(content[end : end + wide], order)
    return pages


def _first(content: Content) -> int:
    """Where the first directory is; 0 where there is none."""
    order = _STARTS.get(content[:2])
    if order is None or int.from_bytes(content[2:4], order) not in {42, _BIG}:
        return 0
    return _stated_first(content)


def _stated_first(content: Content) -> int:
    """Where the head says that the first directory is, whatever version of TIFF it states."""
    return int.from_bytes(content[8:16] if _is_big(content) else content[4:8], _STARTS.get(content[:2], "little"))


def _is_big(content: Content) -> bool:
    return int.from_bytes(content[2:4], _STARTS.get(content[:2], "little")) == _BIG


def _widths(content: Content) -> tuple[int, int, int]:
    """Bytes of an offset, of an entry and of the number of entries."""
    return (8, 20, 8) if _is_big(content) else (4, 12, 2)


def _values(content: Content) -> Iterator[int]:
    """Bytes that the file holds of the value of each tag of its first directory, and of EXIF's in it."""
    order = _STARTS.get(content[:2])
    if order is None:
        return
    wide, entry, head = _widths(content)
    directories = [_stated_first(content)]
    for at in directories:
        count = int.from_bytes(content[at : at + head], order)
        for place in range(at + head, min(at + head + entry * count, len(content)), entry):
            count = int.from_bytes(content[place + 4 : place + 4 + wide], order)
            size = count * _SIZES.get(int.from_bytes(content[place + 2 : place + 4], order), 1)
            value = int.from_bytes(content[place + 4 + wide : place + 4 + 2 * wide], order)
            yield max(0, min(size, len(content) - (value if size > wide else place)))
            further = int.from_bytes(content[place : place + 2], order) in _DIRECTORIES
            if further and len(directories) < _MOST_DIRECTORIES:
                directories.append(value)
