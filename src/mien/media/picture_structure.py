"""The structure of a picture file, checked before a decoder sees it: files whose decoding would cost far more than
their size and their pixels say are refused.

Only costs are checked. What is damaged in another way is left to the decoder, which says so. Every check reads the file
once, with a bounded number of steps in Python. The bounds are far beyond what encoders write.
"""

import re
import struct
from collections.abc import Callable
from typing import Final

from mien.media.boxes import Content
from mien.media.costly import too_costly
from mien.media.heif_structure import announced_heif, check_heif
from mien.media.jpeg2000_structure import check_jpeg2000
from mien.media.tiff_structure import check_tiff

_MARKER: Final = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])", re.DOTALL)
"""Of a segment of JPEG; what stands alone (RSTn) and stuffed bytes are passed over."""
_FRAME_HEADERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL: Final = frozenset({0xC0, 0xC1})
_NO_CONTENT: Final = frozenset({0x01, 0xD8, 0xD9})
_EOI: Final = 0xD9
_SCAN: Final = 0xDA
_PHOTOSHOP: Final = 0xED

_SEGMENTS: Final = 4096
"""As many as 256 MB of metadata need."""
_SCANS: Final = 500
"""Encoders write 1 to 15; libjpeg-turbo's own fuzzers stop at 500."""
_PASSES: Final = 32
"""How often all pixels that are allowed may be passed over: each scan is a pass over the pixels of its picture."""
_EXIF: Final = 16
"""Segments of EXIF: one by the standard; some cameras continue it in others."""
_JUNK: Final = 2**16
"""Bytes between segments before the first scan, padding for one."""

_CHUNKS: Final = 1000
_CHUNK: Final = 512
"""PNG: so many chunks, and one more for every so many bytes; libpng writes chunks of 8 KB."""

_BLOCKS: Final = 20_000
"""Of GIF before its first image; 5 MB of comments need as many."""

_PLAIN: Final = 4_000_000
"""Bytes of a picture whose numbers are text."""

_BMP_COMPRESSED: Final = frozenset({1, 2})
_RLE_SHARE: Final = 8
"""Pillow reads run-length encoded BMP in Python: an eighth of the pixels are allowed, its bytes counted too."""


def check_picture(content: Content, name: str, max_pixels: int) -> None:
    """Refuse a picture file that would cost far more to decode than its size and its pixels say.

    Args:
        content: the whole file.
        name: what to call it in errors.
        max_pixels: that one picture may have.

    Raises:
        TooLargeError: it would.
    """
    for start, check in _CHECKS.items():
        if content[: len(start)] == start:
            check(content, name, max_pixels)
    if content[4:8] == b"ftyp":
        check_heif(content, name, max_pixels)


def announced_pixels(content: Content) -> int:
    """Pixels of a picture by its header, as far as that is quick to read; 0 where it is not."""
    if content[:2] == b"\xff\xd8":
        return _jpeg_announced(content)
    if content[:4] == b"\x89PNG":
        return int.from_bytes(content[16:20], "big") * int.from_bytes(content[20:24], "big")
    if content[8:12] == b"WEBP":
        return _webp_announced(content[:30])
    if content[4:8] == b"ftyp":
        return announced_heif(content)
    if content[:4] == b"GIF8":
        return int.from_bytes(content[6:8], "little") * int.from_bytes(content[8:10], "little")
    return _bmp_announced(content[:26]) if content[:2] == b"BM" else 0


def _bmp_announced(head: bytes) -> int:
    """Of both forms of BMP: BITMAPCOREHEADER has shorter numbers; the height of BITMAPINFOHEADER may be negative."""
    if head[14:18] == b"\x0c\0\0\0":
        return int.from_bytes(head[18:20], "little") * int.from_bytes(head[20:22], "little")
    return abs(int.from_bytes(head[18:22], "little") * int.from_bytes(head[22:26], "little", signed=True))


def _webp_announced(head: bytes) -> int:
    """Of all three forms of WebP: RFC 9649, 2.5 to 2.7."""
    if head[12:16] == b"VP8X":
        return (int.from_bytes(head[24:27], "little") + 1) * (int.from_bytes(head[27:30], "little") + 1)
    if head[12:16] == b"VP8L":
        sizes = int.from_bytes(head[21:25], "little")
        return ((sizes & 0x3FFF) + 1) * ((sizes >> 14 & 0x3FFF) + 1)
    return (int.from_bytes(head[26:28], "little") & 0x3FFF) * (int.from_bytes(head[28:30], "little") & 0x3FFF)


def is_plain_jpeg(content: Content) -> bool:
    """Whether a picture is a sequential JPEG by its header, which is decoded in a fraction of the time of others."""
    at = _jpeg_frame(content) if content[:2] == b"\xff\xd8" else 0
    return at > 0 and content[at - 1] in _SEQUENTIAL


def _jpeg_announced(content: Content) -> int:
    at = _jpeg_frame(content)
    return _jpeg_pixels(content, at) if at else 0


def _jpeg_frame(content: Content) -> int:
    """Where the first frame header begins, behind its marker; 0 where none is near."""
    at, junk = 2, 0
    for _ in range(_EXIF * _EXIF):
        found = _MARKER.search(content, at, at + _JUNK - junk)
        if found is None:
            break
        junk += found.start() - at
        marker = content[found.end() - 1]
        if marker in _FRAME_HEADERS:
            return found.end()
        at = found.end() if marker in _NO_CONTENT else _end_of_segment(content, found.end())
    return 0


def _check_jpeg(content: Content, name: str, max_pixels: int) -> None:
    """Segments, scans and EXIF of a JPEG file, walked as Pillow and libjpeg walk them: see ITU-T T.81, B.1.1."""
    at, segments, scans, junk, pixels = 2, 0, 0, 0, 0
    metadata = {"EXIF": 0, "Photoshop": 0}
    while found := _MARKER.search(content, at, len(content) if scans else at + _JUNK + 2):
        marker = content[found.end() - 1]
        junk += 0 if scans else found.start() - at
        at = found.end() if marker in _NO_CONTENT else _end_of_segment(content, found.end())
        segments += 1
        scans += marker == _SCAN
        metadata["EXIF"] += marker == 0xE1 and content[found.end() + 2 : found.end() + 6] == b"Exif"
        metadata["Photoshop"] += marker == _PHOTOSHOP
        if marker in _FRAME_HEADERS:
            pixels = max(pixels, _jpeg_pixels(content, found.end()))
        if marker == _EOI and scans:
            break
        _check(name, junk <= _JUNK, f"more than {_JUNK:,} bytes between its segments")
        _check(name, segments <= _SEGMENTS, f"more than {_SEGMENTS:,} segments")
        _check(name, max(metadata.values()) <= _EXIF, f"more than {_EXIF} segments of EXIF or Photoshop data")
        _check(name, scans <= 1 or pixels <= max_pixels, "a frame header of more pixels than are allowed")
        _check(name, scans <= _SCANS and scans * pixels <= _PASSES * max_pixels, f"{scans} scans of {pixels:,} pixels")
    _check(name, bool(scans) or junk + len(content) - at <= _JUNK, f"more than {_JUNK:,} bytes without a segment")


def _end_of_segment(content: Content, at: int) -> int:
    return at + max(2, int.from_bytes(content[at : at + 2], "big"))


def _jpeg_pixels(content: Content, at: int) -> int:
    height, width = content[at + 3 : at + 5], content[at + 5 : at + 7]
    return int.from_bytes(height, "big") * int.from_bytes(width, "big")


def _check_png(content: Content, name: str, max_pixels: int) -> None:
    """Chunks of a PNG file: see https://www.w3.org/TR/png-3/#5Chunk-layout."""
    at, chunks, profiles = 8, 0, 0
    most = _CHUNKS + len(content) // _CHUNK
    while at + 8 <= len(content):
        length, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        at += 12 + length
        chunks += 1
        profiles += kind == b"iCCP"
        _check(name, chunks <= most, f"more than {most:,} chunks")
        _check(name, profiles <= 1, "more than one colour profile")
        if kind == b"IEND":
            return


def _check_gif(content: Content, name: str, max_pixels: int) -> None:
    """Blocks of a GIF file up to its first image: see https://www.w3.org/Graphics/GIF/spec-gif89a.txt."""
    flags = content[10] if len(content) > 10 else 0
    at, blocks = 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0), 0
    while at < len(content) and content[at] not in b",;":
        if content[at] == ord("!"):
            at += 2
            while at < len(content) and content[at] and blocks <= _BLOCKS:
                at += 1 + content[at]
                blocks += 1
        at += 1
        blocks += 1
        _check(name, blocks <= _BLOCKS, f"more than {_BLOCKS:,} blocks before its first image")


def _check_bmp(content: Content, name: str, max_pixels: int) -> None:
    """Pixels of a run-length encoded BMP file, which a few bytes may fill: see BITMAPINFOHEADER."""
    if len(content) < 34 or int.from_bytes(content[14:18], "little") < 40:
        return
    width, height, _, _, compression = struct.unpack("<iiHHI", content[18:34])
    cost, most = abs(width * height) + len(content), max_pixels // _RLE_SHARE
    cheap = compression not in _BMP_COMPRESSED or cost <= most
    _check(name, cheap, f"run-length encoded, of more than {most / 10**6:.1f} megapixels")


def _check_webp(content: Content, name: str, max_pixels: int) -> None:
    """Chunks of a WebP file: RFC 9649, 2.3."""
    at, chunks = 12, 0
    while content[8:12] == b"WEBP" and at + 8 <= len(content):
        at += 8 + (size := int.from_bytes(content[at + 4 : at + 8], "little")) + size % 2
        chunks += 1
        _check(name, chunks <= _BLOCKS, f"more than {_BLOCKS:,} chunks")


def _check_plain(content: Content, name: str, max_pixels: int) -> None:
    """Numbers written out as text, which Pillow reads in Python."""
    _check(name, len(content) <= _PLAIN, f"more than {_PLAIN:,} bytes of numbers as text")


def _check(name: str, holds: bool, what: str) -> None:
    if not holds:
        raise too_costly(name, what)


_CHECKS: Final[dict[bytes, Callable[[Content, str, int], None]]] = {
    b"\xff\xd8\xff": _check_jpeg,
    b"\x89PNG\r\n\x1a\n": _check_png,
    b"GIF8": _check_gif,
    b"BM": _check_bmp,
    b"RIFF": _check_webp,
    b"II": check_tiff,
    b"MM": check_tiff,
    b"\0\0\0\x0cjP  ": check_jpeg2000,
    **dict.fromkeys((b"P1", b"P2", b"P3"), _check_plain),
}
