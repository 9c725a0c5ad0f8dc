"""The structure of a video file, checked before FFmpeg opens it: files whose index claims far more than they hold are
refused, because FFmpeg builds its own index of them in memory.

Only costs are checked. What is damaged in another way is left to FFmpeg. Every check takes a bounded number of steps.
"""

import mmap
import re
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np

from mien.errors import TooLargeError
from mien.media.boxes import Box, Boxes, Content
from mien.media.mp4_samples import Fragments, named_by_tables

_EBML, _RIFF = b"\x1aE\xdf\xa3", b"RIFF"
_FIRST_BOXES: Final = frozenset({b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"pnot"})
_PARENTS: Final = frozenset(
    {b"moov", b"hoov", b"free", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"moof", b"traf", b"mvex", b"udta"}
    | {b"tref", b"wave", b"sinf", b"schi", b"dinf", b"clip"}
)
"""In which FFmpeg looks for tables, wherever a standard wants them."""
MOST_SAMPLES: Final = 250_000
"""Of a track, of all fragments, and elements of Matroska: five minutes of 60 frames a second with three sounds are a
third of it. FFmpeg needs about 100 bytes for each.
"""
NAMED: Final = 2
"""How often all bytes of a file may be named by its index: once by the sound and images of most writers, which do not
share bytes.
"""
_REPEATS: Final = 4
"""Every entry of an edit list may repeat the whole index: so many times the samples that are allowed."""
_TABLES: Final = frozenset({b"stts", b"ctts", b"stsc", b"stsz", b"stz2", b"stss", b"stco", b"co64"})
_MOST_OF_FILE: Final = 5_000_000
"""Of a file on the disk: six hours."""
_ALIKE: Final = {b"co64": b"stco", b"stz2": b"stsz"}
"""Tables that stand for another kind."""

_MASTERS: Final = frozenset(
    bytes.fromhex(number)
    for number in (
        *("1a45dfa3", "18538067", "1f43b675", "1c53bb6b", "1254c367", "1549a966", "1654ae6b", "114d9b74", "1043a770"),
        *("1941a469", "a0", "bb", "b7", "ae", "e0", "e1", "4dbb", "7373", "67c8", "63c0", "45b9", "b6", "61a7", "6d80"),
        *("6240", "8e", "e8", "75a1", "a6", "5035", "5034"),
    )
)
"""Elements of Matroska that hold others: RFC 9559, 5.1."""
_TINY, _ELEMENT = 10_000, 12
"""Matroska: so many elements, and one more for every so many bytes; silence takes 12 a packet, still images 30."""
_BLOCKS: Final = frozenset({b"\xa3", b"\xa1"})
_RESYNC: Final = re.compile(b"\x1f\x43\xb6\x75|\x1c\x53\xbb\x6b|\x12\x54\xc3\x67|\x16\x54\xae\x6b|\x10\x43\xa7\x70")
"""Where FFmpeg goes on after damage: at the next cluster or other part of a segment."""

_LISTS: Final = frozenset({b"RIFF", b"LIST"})
_HEADERS: Final = 10_000
"""Chunks of an AVI file beside its images and sound."""


def check_video(content: Content, name: str, most: int = MOST_SAMPLES) -> None:
    """Refuse a video file whose index claims too many samples.

    Args:
        content: the whole file.
        name: what to call it in errors.
        most: samples that are allowed.

    Raises:
        TooLargeError: it does.
    """
    if content[:4] == _EBML:
        _check_matroska(content, name, most)
    elif content[:4] == _RIFF:
        _check_avi(content, name, most)
    else:
        _check_mp4(Boxes(content, name), most)


def check_video_file(path: Path) -> None:
    """`check_video` of a file, which may be hours long; one without an index passes.

    Raises:
        TooLargeError: its index claims too much.
    """
    with (
        suppress(OSError, ValueError),  # whoever reads it says so; ValueError: an empty file
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        if content[:4] in (_EBML, _RIFF) or content[4:8] in _FIRST_BOXES:
            check_video(content, str(path), _MOST_OF_FILE)


def _check_mp4(boxes: Boxes, most: int) -> None:
    """Sample tables of every track, edit lists and fragments: ISO/IEC 14496-12, 8.6 to 8.8."""
    fragments, samples, named = Fragments(boxes), 0, 0
    for box in boxes.deep(boxes.all(), _PARENTS - {b"trak"}):
        fragments.note(box)
        if box.kind == b"trak":
            track = list(boxes.deep(box, _PARENTS))
            samples += _check_track(boxes, track, most)
            named += named_by_tables(boxes, track)
        elif box.kind in _TABLES or box.kind == b"cmov":
            _check(boxes.name, False, "a compressed index, or one outside its track")
        _check(boxes.name, fragments.samples <= most, f"fragments of more than {most:,} samples")
        _check(boxes.name, samples <= most, f"tracks of more than {most:,} samples")
        _check_named(boxes.name, named + fragments.named, len(boxes.content))


def _check_named(name: str, named: int, size: int) -> None:
    _check(name, named <= NAMED * size, "an index that names the same bytes again and again")


def _check_track(boxes: Boxes, track: list[Box], most: int) -> int:
    """Samples of a track that FFmpeg indexes."""
    kinds = Counter(_ALIKE.get(box.kind, box.kind) for box in track if box.kind in _TABLES)
    _check(boxes.name, max(kinds.values(), default=0) <= 1, "a track with two tables of one kind")
    samples = max((_claimed(boxes, box, most) for box in track if box.kind in _TABLES), default=0)
    pcm = _is_pcm(boxes, track)
    allowed = max(most, len(boxes.content)) if pcm else most
    _check(boxes.name, samples <= allowed, f"a track of more than {allowed:,} samples")
    edits = max((boxes.number(box.start + 4) for box in track if box.kind == b"elst"), default=0)
    _check(boxes.name, edits * min(samples, most) <= _REPEATS * most, f"an edit list of {edits:,} parts")
    return 0 if pcm else samples


def _is_pcm(boxes: Boxes, track: list[Box]) -> bool:
    """Whether it is uncompressed sound, each of whose samples lasts one tick: FFmpeg indexes its chunks only."""
    handlers = {boxes.content[box.start + 8 : box.start + 12] for box in track if box.kind == b"hdlr"}
    times = [box.start for box in track if box.kind == b"stts"]
    sound = b"soun" in handlers and b"vide" not in handlers
    return sound and len(times) == 1 and boxes.number(times[0] + 4) == 1 and boxes.number(times[0] + 12) == 1


def _claimed(boxes: Boxes, table: Box, most: int) -> int:
    """The samples, or chunks, that a table claims; more than ``most`` are not counted any further."""
    if table.kind in {b"stsz", b"stz2"}:
        return boxes.number(table.start + 8)
    entries = boxes.number(table.start + 4)
    if entries > most or table.kind not in {b"stts", b"ctts"}:
        return entries
    held = max(0, min(entries, (table.end - table.start - 8) // 8))
    return int(np.frombuffer(boxes.content, ">u4", 2 * held, table.start + 8)[::2].sum(dtype=np.int64)) if held else 0


def _check_matroska(content: Content, name: str, most: int) -> None:
    """Elements and laced frames, walked flat: RFC 8794 and RFC 9559."""
    at, elements = 0, 0
    while at < len(content):
        kind, head, size = _element(content, at)
        elements += 1
        if not kind:
            found = _RESYNC.search(content, at + 1)
            at = found.start() if found else len(content)
        elif kind in _MASTERS:
            at = head
        else:
            elements += _laced(content, head) if kind in _BLOCKS else 0
            at = head + size
        fair = min(most, _TINY + at // _ELEMENT)
        _check(name, elements <= fair, f"more than {fair:,} elements")


def _element(content: Content, at: int) -> tuple[bytes, int, int]:
    """Identifier, start and size of an element of EBML; no identifier where there is none."""
    letters = 9 - content[at].bit_length()
    start = at + letters
    if letters > 4 or start >= len(content) or not content[start]:
        return b"", at, 0
    width = 9 - content[start].bit_length()
    size = int.from_bytes(content[start : start + width], "big") & ((1 << 7 * width) - 1)
    return content[at:start], start + width, size


def _laced(content: Content, at: int) -> int:
    """Further frames in a block."""
    if at >= len(content) or not content[at]:
        return 0
    flags = at + 9 - content[at].bit_length() + 2
    return content[flags + 1] if flags + 1 < len(content) and content[flags] & 6 else 0


def _check_avi(content: Content, name: str, most: int) -> None:
    """Entries of the indexes: OpenDML AVI 1.02, 3.0. An index of indexes may name one of them again and again."""
    at, entries, named = 0, 0, Counter[bytes]()
    for _ in range(_HEADERS):
        if at >= len(content):
            return
        kind, size = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "little")
        if kind == b"idx1":
            entries += size // 16
            named[kind] += _summed(content, at + 20, size // 16, 4)
        elif kind == b"indx":
            more, bytes_named = _indexed(content, at + 8, most)
            entries += more
            named[kind] += bytes_named
        _check(name, entries <= most, f"an index of more than {most:,} entries")
        _check_named(name, max(named.values(), default=0), len(content))
        inside = kind in _LISTS and content[at + 8 : at + 12] != b"movi"
        at += 12 if inside else 8 + size + size % 2
    _check(name, False, f"more than {_HEADERS:,} chunks")


def _indexed(content: Content, at: int, most: int) -> tuple[int, int]:
    """Entries of an index of OpenDML and of the indexes that it names, and the bytes that they name; more than ``most``
    are not counted further.
    """
    count = int.from_bytes(content[at + 4 : at + 8], "little")
    if content[at + 3 : at + 4] != b"\0":
        return count, _summed(content, at + 28, count, 2)
    total = named = 0
    for entry in range(at + 24, min(at + 24 + 16 * count, len(content)), 16):
        there = int.from_bytes(content[entry : entry + 8], "little") + 12
        entries = int.from_bytes(content[there : there + 4], "little")
        total, named = total + 1 + entries, named + _summed(content, there + 24, entries, 2)
        if total > most:
            break
    return total, named


def _summed(content: Content, at: int, count: int, fields: int) -> int:
    """The sum of the sizes in an index: the first of so many numbers of each entry. The highest bit is a flag."""
    count = min(count, max(0, len(content) - at) // (4 * fields))
    sizes = np.frombuffer(content, "<u4", count * fields, at)[::fields] if count > 0 else np.zeros(0, np.uint32)
    return int((sizes & 0x7FFFFFFF).sum(dtype=np.int64))


def _check(name: str, holds: bool, what: str) -> None:
    if not holds:
        raise TooLargeError(f"{name}: too costly to read ({what}); send it in parts")
