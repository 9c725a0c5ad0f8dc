"""How large the pictures in an AVIF or HEIF file are by their own headers, whatever the file declares.

Sources: ISO/IEC 23008-12 (items), https://aomediacodec.github.io/av1-avif, and the AV1 bitstream specification,
5.3 to 5.5 (OBUs and the sequence header). H.265: `mien.media.hevc_size`.
"""

from collections.abc import Iterator
from typing import Final

from mien.media.boxes import Box, Boxes, Content
from mien.media.costly import too_costly
from mien.media.hevc_size import Bits, hevc_pixels
from mien.media.tiff_structure import check_tiff

_SEQUENCE_HEADER: Final = 1
_OBUS: Final = 64
"""Of an item that are looked at; its sequence header is the first, or the second after a temporal delimiter."""
_ITEMS: Final = 4096
_EXIF: Final = 16
_OFFSET: Final = 4
"""Bytes before a block of EXIF that say how many more there are (ISO/IEC 23008-12, A.2.1)."""
_HEAD: Final = 2**16
"""Bytes in which sizes are looked for quickly."""
_LAYERS: Final = 4
"""Colour, transparency, a thumbnail and a gain map: so many times the pixels that are allowed, tiles of a grid too."""
_PADDING: Final = 1.1
"""By which a coded picture may be larger than the one that is shown."""
_PARENTS: Final = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl"})
_PROPERTIES: Final = frozenset({b"iprp", b"ipco"})


def check_heif(content: Content, name: str, max_pixels: int) -> None:
    """Refuse an AVIF or HEIF file whose coded pictures are larger than a picture may be, or whose EXIF is costly.

    Args:
        content: the whole file; one without a picture in AV1 or H.265 passes.
        name: what to call it in errors.
        max_pixels: that one picture may have.

    Raises:
        TooLargeError: they are, or there are too many.
    """
    boxes, total = Boxes(content, name), 0
    for number, pixels in enumerate(_coded_pictures(boxes), 1):
        total += pixels
        if pixels > _PADDING * max_pixels or total > _LAYERS * max_pixels or number > _ITEMS:
            what = f"its coded pictures are larger than {max_pixels / 10**6:g} megapixels"
            raise too_costly(name, what, "shrink it")
    for number, (start, end) in enumerate(_items(boxes, b"Exif"), 1):
        if number > _EXIF:
            raise too_costly(name, f"more than {_EXIF} blocks of EXIF")
        check_tiff(boxes.content[start + _OFFSET + boxes.number(start, _OFFSET) : end], name)


def announced_heif(content: Content) -> int:
    """Pixels of the largest picture that an AVIF or HEIF file declares, as far as that is quick to find."""
    sizes = (content[found + 8 : found + 16] for found in _places_of(content, b"ispe"))
    pixels = (int.from_bytes(size[:4], "big") * int.from_bytes(size[4:], "big") for size in sizes)
    return max(pixels, default=0)


def _places_of(content: Content, kind: bytes) -> Iterator[int]:
    at = content.find(kind, 0, _HEAD)
    for _ in range(_OBUS):
        if at < 0:
            return
        yield at
        at = content.find(kind, at + 4, _HEAD)


def _coded_pictures(boxes: Boxes) -> Iterator[int]:
    """Pixels of every coded picture: an item, a parameter set, or the first sample of a track."""
    for start, end in _coded(boxes):
        yield max(_coded_pixels(boxes.content, start, end), default=0)
    for meta in boxes.inside(boxes.all()):
        if meta.kind == b"meta":
            for box in boxes.deep(Box(meta.kind, meta.start + 4, meta.end), _PROPERTIES):
                if box.kind == b"hvcC":
                    yield from hevc_pixels(boxes.content, box.start, box.end)


def _coded(boxes: Boxes) -> Iterator[tuple[int, int]]:
    """Where coded pictures stand: items, and the first samples of tracks."""
    yield from _items(boxes, b"av01")
    for box in boxes.deep(boxes.all(), _PARENTS):
        if box.kind in {b"stco", b"co64"} and boxes.number(box.start + 4):
            start = boxes.number(box.start + 8, 4 if box.kind == b"stco" else 8)
            yield start, len(boxes.content)


def _items(boxes: Boxes, kind: bytes) -> Iterator[tuple[int, int]]:
    """Where the items of a kind stand."""
    for box in boxes.deep(boxes.all(), _PARENTS):
        if box.kind == b"meta":
            yield from _items_of(boxes, box, kind)


def _items_of(boxes: Boxes, meta: Box, kind: bytes) -> Iterator[tuple[int, int]]:
    kinds: dict[int, bytes] = {}
    inner = list(boxes.inside(meta, 4))
    data = next((box.start for box in inner if box.kind == b"idat"), 0)
    for box in inner:
        if box.kind == b"iinf":
            kinds.update(_kinds(boxes, box))
    for box in inner:
        if box.kind == b"iloc":
            yield from ((start, end) for item, start, end in _places(boxes, box, data) if kinds.get(item) == kind)


def _kinds(boxes: Boxes, table: Box) -> Iterator[tuple[int, bytes]]:
    """Number and type of every item: the boxes ``infe`` of version 2 and 3."""
    for entry in boxes.inside(table, 6 if boxes.number(table.start, 1) == 0 else 8):
        size = 2 if boxes.number(entry.start, 1) == 2 else 4
        at = entry.start + 4 + size + 2
        yield boxes.number(entry.start + 4, size), boxes.content[at : at + 4]


def _places(boxes: Boxes, table: Box, data: int) -> Iterator[tuple[int, int, int]]:
    """Number, start and end of every item: the box ``iloc``. Of an item in parts, the first."""
    version, sizes = boxes.number(table.start, 1), boxes.number(table.start + 4, 2)
    offset, length, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    index = index if version else 0
    wide = 4 if version == 2 else 2
    count, at = boxes.number(table.start + 6, wide), table.start + 6 + wide
    for _ in range(min(count, _ITEMS + 1)):
        if at >= table.end:
            return
        item, at = boxes.number(at, wide), at + wide
        method, at = (boxes.number(at, 2) & 15, at + 2) if version else (0, at)
        start, parts, at = boxes.number(at + 2, base), boxes.number(at + 2 + base, 2), at + 4 + base
        start += boxes.number(at + index, offset) + (data if method == 1 else 0)
        size = boxes.number(at + index + offset, length)
        at += parts * (index + offset + length)
        yield item, start, start + size if size and parts == 1 else len(boxes.content)


def _coded_pixels(content: Content, start: int, end: int) -> Iterator[int]:
    """Pixels by every sequence header among the OBUs there."""
    at = start
    for _ in range(_OBUS):
        if at >= min(end, len(content)):
            return
        head = content[at]
        at += 2 if head & 4 else 1
        if not head & 2:  # without a size, it goes to the end
            size = end - at
        else:
            size, at = _leb128(content, at)
        if head >> 3 & 15 == _SEQUENCE_HEADER:
            yield _pixels_of(Bits(content[at : at + min(size, 256)]))
        at += size


def _leb128(content: Content, at: int) -> tuple[int, int]:
    """A number of AV1, and where it ends."""
    value = 0
    for place in range(8):
        byte = content[at] if at < len(content) else 0
        at += 1
        value |= (byte & 127) << 7 * place
        if byte < 128:
            break
    return value, at


def _pixels_of(bits: Bits) -> int:
    """Width times height of the largest frame of a sequence: AV1, 5.5.1."""
    bits.take(4)
    if bits.take(1):  # a reduced header
        bits.take(5)
    else:
        _skip_operating_points(bits)
    wide, high = bits.take(4) + 1, bits.take(4) + 1
    return (bits.take(wide) + 1) * (bits.take(high) + 1)


def _skip_operating_points(bits: Bits) -> None:
    delay = _skip_timing(bits) if bits.take(1) else 0
    display = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if delay and bits.take(1):
            bits.take(2 * delay + 1)
        if display and bits.take(1):
            bits.take(4)


def _skip_timing(bits: Bits) -> int:
    """Bits of a decoder's delay; 0 without a decoder model."""
    bits.take(64)
    if bits.take(1):  # uvlc: as many bits as there were zeros
        zeros = 0
        while zeros < 32 and not bits.take(1):
            zeros += 1
        bits.take(zeros)
    if not bits.take(1):
        return 0
    delay = bits.take(5) + 1
    bits.take(42)
    return delay
