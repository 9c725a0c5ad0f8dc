"""How many bytes of the file the samples of an MP4 name: those that name the same bytes again and again are many times
the work that the file's size says.

Source: ISO/IEC 14496-12, 8.7 (tables of a track) and 8.8 (fragments).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.media.boxes import Box, Boxes

_BASE, _INDEX, _DURATION, _SIZE = 0x1, 0x2, 0x8, 0x10
"""Flags of ``tfhd``: which fields are there."""
_FROM_MOOF: Final = 0x20000
_OFFSET, _FIRST_FLAGS = 0x1, 0x4
_SIZE_OF_SAMPLE: Final = 0x200
_PER_SAMPLE: Final = (0x100, _SIZE_OF_SAMPLE, 0x400, 0x800)
"""Flags of ``trun``: fields of each sample, four bytes each."""

Numbers = NDArray[np.int64]


def named_by_tables(boxes: Boxes, track: Sequence[Box]) -> int:
    """Bytes within the file that the samples of a track name, those that are named twice counted twice.

    Args:
        boxes: of the file.
        track: all boxes of the track; of each kind of table the first counts.
    """
    tables = {box.kind: box for box in reversed(track)}
    offsets = tables.get(b"stco") or tables.get(b"co64")
    sizes, runs = tables.get(b"stsz") or tables.get(b"stz2"), tables.get(b"stsc")
    if offsets is None or sizes is None or runs is None:
        return 0
    starts = _column(boxes, offsets, 1, ">u4" if offsets.kind == b"stco" else ">u8")[:, 0]
    counts = _samples_of_chunks(_column(boxes, runs, 3), len(starts))
    lengths = _bytes_of_chunks(boxes, sizes, counts)
    inside = np.clip(len(boxes.content) - starts, 0, lengths)
    return int(inside.sum())


def _column(boxes: Boxes, table: Box, fields: int, kind: str = ">u4") -> Numbers:
    """Entries of a table, (N, fields)."""
    width = int(kind[-1]) * fields
    count = min(boxes.number(table.start + 4), max(0, table.end - table.start - 8) // width)
    values = np.frombuffer(boxes.content, kind, count * fields, table.start + 8) if count > 0 else np.zeros(0, kind)
    wide = values.astype(np.uint64)
    return np.minimum(wide, np.uint64(2**62)).astype(np.int64).reshape(-1, fields)


def _samples_of_chunks(runs: Numbers, chunks: int) -> Numbers:
    """Samples in each chunk: an entry counts from its first chunk to the next entry's."""
    firsts = np.maximum.accumulate(np.clip(runs[:, 0] - 1, 0, chunks))
    counts = np.repeat(runs[:, 1], np.diff(firsts, append=chunks))
    return np.pad(counts, (chunks - len(counts), 0))


def _bytes_of_chunks(boxes: Boxes, sizes: Box, counts: Numbers) -> Numbers:
    """Bytes in each chunk of so many samples, capped at the file's size."""
    most = len(boxes.content)
    one, total = boxes.number(sizes.start + 4), boxes.number(sizes.start + 8)
    if sizes.kind == b"stsz" and one:
        ends = np.minimum(np.cumsum(np.minimum(counts, total)), total)
        return np.asarray(np.minimum(np.diff(ends, prepend=0) * min(one, most), most))
    each = _compact(boxes, sizes, one & 255) if sizes.kind == b"stz2" else _plain_sizes(boxes, sizes)
    summed = np.concatenate([[0], np.cumsum(each)])
    ends = np.minimum(np.cumsum(np.minimum(counts, len(each))), len(each))
    return np.asarray(np.diff(summed[ends], prepend=0))


def _plain_sizes(boxes: Boxes, sizes: Box) -> Numbers:
    return _column(boxes, Box(sizes.kind, sizes.start + 4, sizes.end), 1)[:, 0]


def _compact(boxes: Boxes, sizes: Box, bits: int) -> Numbers:
    """Sizes of 4, 8 or 16 bits."""
    count, start = boxes.number(sizes.start + 8), sizes.start + 12
    raw = boxes.content[start : min(sizes.end, start + 2 * count)]
    if bits == 16:
        return np.frombuffer(raw[: len(raw) & ~1], ">u2").astype(np.int64)
    each = np.frombuffer(raw, np.uint8).astype(np.int64)
    return (np.stack([each >> 4, each & 15], axis=1).ravel() if bits == 4 else each)[:count]


class Fragments:
    """The samples of fragments, taken in box by box in the order of the file, as FFmpeg does.

    Args:
        boxes: of the file.

    There are ``samples``, which name ``named`` bytes within the file.
    """

    def __init__(self, boxes: Boxes) -> None:
        self._boxes = boxes
        self._usual: dict[int, int] = {}
        self._start = self._implicit = self._base = self._size = 0
        self.samples = self.named = 0

    def note(self, box: Box) -> None:
        """Take in the next box, of whatever kind."""
        if box.kind == b"trex":
            self._usual[self._boxes.number(box.start + 4)] = self._boxes.number(box.start + 16)
        elif box.kind == b"moof":
            self._start = self._implicit = box.start - 8
        elif box.kind == b"tfhd":
            self._begin(box)
        elif box.kind == b"trun":
            self._run(box)

    def _begin(self, head: Box) -> None:
        """Where the data of a track begins, and the usual size of its samples."""
        number, flags, at = self._boxes.number, self._boxes.number(head.start) & 0xFFFFFF, head.start + 8
        self._base = number(at, 8) if flags & _BASE else self._start if flags & _FROM_MOOF else self._implicit
        at += sum(width for flag, width in ((_BASE, 8), (_INDEX, 4), (_DURATION, 4)) if flags & flag)
        self._size = number(at) if flags & _SIZE else self._usual.get(number(head.start + 4), 0)

    def _run(self, run: Box) -> None:
        number, flags, at = self._boxes.number, self._boxes.number(run.start) & 0xFFFFFF, run.start + 8
        offset = number(at) if flags & _OFFSET else 0
        at += sum(4 for flag in (_OFFSET, _FIRST_FLAGS) if flags & flag)
        start = self._base + (offset - 2**32 if offset >= 2**31 else offset)
        length = self._bytes(run, at, [flag for flag in _PER_SAMPLE if flags & flag])
        self._implicit = start + length
        self.samples += number(run.start + 4)
        self.named += max(0, min(length, len(self._boxes.content) - max(0, start)))

    def _bytes(self, run: Box, at: int, present: Sequence[int]) -> int:
        """Bytes of all samples of a run, whose fields begin there."""
        count = self._boxes.number(run.start + 4)
        if _SIZE_OF_SAMPLE not in present:
            return count * self._size
        count = min(count, max(0, run.end - at) // (4 * len(present)))
        raw = self._boxes.content[at : at + 4 * count * len(present)]
        sizes = np.frombuffer(raw, ">u4")[present.index(_SIZE_OF_SAMPLE) :: len(present)]
        return int(sizes.sum(dtype=np.int64))
