"""Files whose decoding costs far more than their size, by kind and seed.

Tests and `benchmarks/service.py --hostile` send them. Each kind is a function of a random generator and a scale: 1 is
full size, tests take a hundredth.
"""

import io
import math
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

import av
import numpy as np
from PIL import Image

MEGABYTE: Final = 2**20
PREDICT: Final = "/v1/predict"
VIDEO: Final = "/v1/predict/video"


@dataclass(frozen=True)
class Attack:
    """A hostile file, and where it is sent.

    Args:
        kind: what is wrong with it.
        content: of the file.
        media_type: that it is declared to be.
        path: of the service.
    """

    kind: str
    content: bytes
    media_type: str
    path: str = PREDICT


def attacks(seed: int, scale: float = 1.0) -> Iterator[Attack]:
    """One file of every kind."""
    for number, (kind, (media_type, make)) in enumerate(KINDS.items()):
        chance = Random(1000 * seed + number)  # noqa: S311 - the same files every time
        path = VIDEO if media_type.startswith("video/") else PREDICT
        yield Attack(kind, make(chance, scale), media_type, path)


def _side(scale: float, most: int = 5000) -> int:
    return max(64, round(most * math.sqrt(scale)))


def _count(scale: float, most: int) -> int:
    return max(1, round(most * scale))


def _segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + kind + content


def _full(kind: bytes, content: bytes, flags: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", flags) + content)


def _saved(image: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


# JPEG


def _bits(text: str) -> bytes:
    packed = bytes(int(text[start : start + 8].ljust(8, "1"), 2) for start in range(0, len(text), 8))
    return packed.replace(b"\xff", b"\xff\x00")


def _progressive(side: int, scans: int) -> bytes:
    """A tiny refinement scan, repeated: each costs a pass over all blocks."""
    blocks = ((side + 7) // 8) ** 2

    def scan(start: int, end: int, high: int, low: int) -> bytes:
        return _segment(0xDA, bytes([1, 1, 0, start, end, high << 4 | low]))

    runs, left = "", blocks
    while left > 0:
        count = min(left, 32767)
        if count >= 16384:
            runs += "0" + format(count - 16384, "014b")
            left -= count
        else:
            runs, left = runs + "10" + "0" + format(0, "014b"), 0
    head = b"\xff\xd8" + _segment(0xDB, b"\x00" + bytes([1] * 64))
    head += _segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + bytes([1, 0x11, 0]))
    head += _segment(0xC4, b"\x00" + bytes([1] + [0] * 15) + b"\x00")
    head += _segment(0xC4, b"\x10" + bytes([1, 1] + [0] * 14) + b"\xe0\x00")
    head += scan(0, 0, 0, 0) + _bits("0" * blocks) + scan(1, 63, 0, 1) + _bits(runs)
    return head + (scan(1, 63, 1, 0) + _bits(runs)) * scans + b"\xff\xd9"


def _jpeg_scans(chance: Random, scale: float) -> bytes:
    return _progressive(_side(scale, chance.choice([3000, 4000, 5000])), _count(scale, chance.randrange(300, 3000)))


def _jpeg_few_scans(chance: Random, scale: float) -> bytes:
    """As many scans as are not too many."""
    return _progressive(_side(scale, 5000), chance.randrange(24, 31))


def _jpeg_with(segment: Callable[[Random], bytes]) -> Callable[[Random, float], bytes]:
    def make(chance: Random, scale: float) -> bytes:
        jpeg, piece = _saved(Image.new("RGB", (64, 64), "gray"), "JPEG"), segment(chance)
        return jpeg[:2] + piece * _count(scale, 19 * MEGABYTE // len(piece)) + jpeg[2:]

    return make


# PNG


def _png(width: int, height: int, depth: int, colour: int, raw: bytes, *extra: bytes, interlaced: int = 0) -> bytes:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))
    parts = (header, *extra, _chunk(b"IDAT", zlib.compress(raw, 9)), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _png_of(depth: int, colour: int, channels: int) -> Callable[[Random, float], bytes]:
    """A picture of one colour, with as many pixels as are allowed."""

    def make(chance: Random, scale: float) -> bytes:
        side = _side(scale)
        return _png(side, side, depth, colour, (b"\0" + bytes(side * channels * depth // 8)) * side)

    return make


def _png_interlaced(chance: Random, scale: float) -> bytes:
    side = _side(scale)
    starts = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    rows = [(math.ceil((side - x) / across), math.ceil((side - y) / down)) for x, y, across, down in starts]
    raw = b"".join((b"\0" + bytes(4 * width)) * height for width, height in rows)
    return _png(side, side, 8, 6, raw, interlaced=1)


def _png_chunks(chance: Random, scale: float) -> bytes:
    kind = chance.choice([b"tEXt", b"iTXt", b"prVt", b"tIME", b"gAMA"])
    return _png(64, 64, 8, 2, bytes(64 * 193), *[_chunk(kind, b"")] * _count(scale, 19 * MEGABYTE // 12))


def _png_text_bomb(chance: Random, scale: float) -> bytes:
    bomb = zlib.compress(bytes(round(900_000 * chance.uniform(0.5, 1))), 9)
    chunks = [_chunk(b"zTXt", b"a%d\0\0" % number + bomb) for number in range(_count(scale, 900))]
    return _png(64, 64, 8, 2, bytes(64 * 193), *chunks)


def _png_profile(chance: Random, scale: float) -> bytes:
    bomb = zlib.compress(bytes(_count(scale, chance.randrange(100, 400) * MEGABYTE)), 9)
    return _png(64, 64, 8, 2, bytes(64 * 193), _chunk(b"iCCP", b"a\0\0" + bomb))


# GIF, BMP, WebP, AVIF


def _gif(width: int, height: int, *blocks: bytes, frame: tuple[int, int] = (1, 1)) -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    image = b"," + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\x02\x02\x44\x01\x00"
    return head + b"".join(blocks) + image + b";"


def _gif_blocks(chance: Random, scale: float) -> bytes:
    piece = chance.choice([b"!\xfe\x01a\x00", b"!\xff\x01a\x01b\x00", b"!\xf9\x04\0\0\0\0\0", b"!\x01\x01a\x00"])
    return _gif(64, 64, *[piece] * _count(scale, 19 * MEGABYTE // len(piece)))


def _gif_canvas(chance: Random, scale: float) -> bytes:
    """A canvas and a frame of the largest size in a few bytes."""
    side = _side(scale)
    return _gif(side, side, frame=(side, side))


def _bmp_rle(chance: Random, scale: float) -> bytes:
    width = _count(scale, 25_000_000) // chance.choice([1, 10, 100])
    height = max(1, _count(scale, 25_000_000) // width)
    runs = b"\x01\x01\0\0" * chance.randrange(1, 5000)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(runs), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 1078 + len(runs), 0, 0, 1078) + info + bytes(range(256)) * 4 + runs


def _bmp_bits(chance: Random, scale: float) -> bytes:
    """One bit a pixel, which becomes three bytes."""
    side = _side(scale) // 32 * 32
    info = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 1, 0, 0, 0, 0, 2, 0)
    pixels = bytes(side * side // 8)
    return b"BM" + struct.pack("<IHHI", 62 + len(pixels), 0, 0, 62) + info + bytes(8) + pixels


def _webp(**options: object) -> Callable[[Random, float], bytes]:
    def make(chance: Random, scale: float) -> bytes:
        side = _side(scale)
        return _saved(Image.new("RGBA", (side, side), (90, 90, 90, 128)), "WEBP", method=0, **options)

    return make


def _avif_larger(chance: Random, scale: float) -> bytes:
    """Declared to be small, coded large."""
    width, height = 2 * _side(scale), 2 * _side(scale)
    content = _saved(Image.new("RGB", (width, height), (90, 90, 90)), "AVIF", speed=10)
    at = content.index(b"ispe") + 8
    small = chance.randrange(64, 1000)
    return content[:at] + struct.pack(">II", small, small) + content[at + 8 :]


def _avif_full(chance: Random, scale: float) -> bytes:
    side = _side(scale)
    return _saved(Image.new("RGBA", (side, side), (90, 90, 90, 120)), "AVIF", speed=10)


# Videos


def _mp4_with_index(chance: Random, scale: float) -> bytes:
    """Tables that claim many samples of one byte."""
    samples = _count(scale, chance.randrange(20_000_000, 200_000_000))
    unity = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    head = _box(b"ftyp", b"isom\0\0\2\0isomiso2avc1mp41")
    entry = bytes(6) + struct.pack(">H", 1) + bytes(16) + struct.pack(">HH", 64, 64)
    entry += struct.pack(">IIIH", 0x480000, 0x480000, 0, 1) + bytes(32) + struct.pack(">Hh", 24, -1)
    table = _full(b"stsd", struct.pack(">I", 1) + _box(b"avc1", entry))
    table += _full(b"stts", struct.pack(">III", 1, samples, 1)) + _full(b"stsc", struct.pack(">IIII", 1, 1, samples, 1))
    table += _full(b"stsz", struct.pack(">II", 1, samples)) + _full(b"stco", struct.pack(">II", 1, len(head) + 8))
    where = _box(b"dinf", _full(b"dref", struct.pack(">I", 1) + _full(b"url ", b"", 1)))
    media = _box(b"minf", _full(b"vmhd", bytes(8), 1) + where + _box(b"stbl", table))
    handler = _full(b"hdlr", bytes(4) + b"vide" + bytes(12) + b"v\0")
    media = _box(b"mdia", _full(b"mdhd", struct.pack(">IIIIHH", 0, 0, 1000, 1000, 0x55C4, 0)) + handler + media)
    size = struct.pack(">II", 64 << 16, 64 << 16)
    track = _full(b"tkhd", struct.pack(">IIIII", 0, 0, 1, 0, 1000) + bytes(16) + unity + size, 3)
    times = struct.pack(">IIIIIH", 0, 0, 1000, 1000, 0x10000, 0x100)
    movie = _full(b"mvhd", times + bytes(10) + unity + bytes(24) + struct.pack(">I", 2))
    return head + _box(b"mdat", bytes(64)) + _box(b"moov", movie + _box(b"trak", track + media))


def encoded(form: str, codec: str, size: tuple[int, int], frames: int, **options: object) -> bytes:
    """A grey video of frames that hardly differ."""
    file = io.BytesIO()
    pixels = options.pop("pix_fmt", "yuv420p")
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        for number in range(frames):
            image = np.full((size[1], size[0], 3), 90 + number % 8, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        container.mux(stream.encode())
    return file.getvalue()


def _h264_references(chance: Random, scale: float) -> bytes:
    """Large frames of which the decoder keeps sixteen."""
    size = (_side(scale, chance.choice([3000, 4096])) // 16 * 16, _side(scale, 2304) // 16 * 16)
    depth = chance.choice(["yuv420p", "yuv444p", "yuv444p10le"])
    extra = {"preset": "ultrafast", "refs": "16", "x264-params": "ref=16:keyint=999"}
    return encoded("mp4", "libx264", size, _count(scale, 40), pix_fmt=depth, **extra)


def _h264_too_large(chance: Random, scale: float) -> bytes:
    size = (_side(scale) // 16 * 16, _side(scale) // 16 * 16)
    return encoded("mp4", "libx264", size, 2, preset="ultrafast")


def _one_frame_again_and_again(codec: str) -> Callable[[Random, float], bytes]:
    """Samples that all point at one picture."""

    def make(chance: Random, scale: float) -> bytes:
        size = (_side(scale, 4096) // 16 * 16, _side(scale, 2304) // 16 * 16)
        content = encoded("mp4", codec, size, 1, pix_fmt="rgb24" if codec == "png" else "yuvj420p")
        return with_samples(content, _count(scale, 10_000))

    return make


def with_samples(content: bytes, count: int) -> bytes:
    """An MP4 of one frame whose tables say that it is shown so often."""
    sizes = content.index(b"stsz")
    size = struct.unpack(">I", content[sizes + 12 : sizes + 16])[0] or struct.unpack(
        ">I", content[sizes + 16 : sizes + 20]
    )
    size = size[0] if isinstance(size, tuple) else size
    offsets = content.index(b"stco")
    offset = struct.unpack(">I", content[offsets + 12 : offsets + 16])[0]
    tables = {
        b"stts": _full(b"stts", struct.pack(">III", 1, count, 512)),
        b"stsc": _full(b"stsc", struct.pack(">IIII", 1, 1, 1, 1)),
        b"stsz": _full(b"stsz", struct.pack(">II", size, count)),
        b"stco": _full(b"stco", struct.pack(">I", count) + struct.pack(">I", offset) * count),
    }
    return _with_boxes(content, tables, (b"moov", b"trak", b"mdia", b"minf", b"stbl"))


def _with_boxes(content: bytes, boxes: dict[bytes, bytes], parents: tuple[bytes, ...]) -> bytes:
    """Boxes of MP4, some of them replaced."""
    at, made = 0, b""
    while at + 8 <= len(content):
        size, kind = struct.unpack(">I4s", content[at : at + 8])
        inner = content[at + 8 : at + size]
        if kind in boxes:
            made += boxes[kind]
        else:
            made += _box(kind, _with_boxes(inner, boxes, parents) if kind in parents else inner)
        at += size
    return made


def _ebml(number: str, content: bytes) -> bytes:
    return bytes.fromhex(number) + (len(content) | 1 << 56).to_bytes(8, "big") + content


def _matroska(chance: Random, scale: float, blocks: bytes) -> bytes:
    head = _ebml("1a45dfa3", _ebml("4282", b"matroska") + _ebml("4287", b"\4") + _ebml("4285", b"\2"))
    sizes = _ebml("b0", struct.pack(">H", 64)) + _ebml("ba", struct.pack(">H", 64))
    track = _ebml("d7", b"\1") + _ebml("73c5", b"\1") + _ebml("83", b"\1") + _ebml("86", b"V_VP8") + _ebml("e0", sizes)
    cluster = _ebml("1f43b675", _ebml("e7", b"\0") + blocks)
    return head + _ebml("18538067", _ebml("1654ae6b", _ebml("ae", track)) + cluster)


def _matroska_blocks(chance: Random, scale: float) -> bytes:
    block = chance.choice([b"\xa3\x84\x81\0\0\0", b"\xa3\x85\x81\0\0\0x", b"\xec\x80"])
    return _matroska(chance, scale, block * _count(scale, 21 * MEGABYTE // len(block)))


def _matroska_laced(chance: Random, scale: float) -> bytes:
    block = _ebml("a3", b"\x81\0\0\x04\xff" + bytes(256))
    return _matroska(chance, scale, block * _count(scale, 20 * MEGABYTE // len(block)))


def _vp9_large(chance: Random, scale: float) -> bytes:
    size = (_side(scale, 4096) // 16 * 16, _side(scale, 2304) // 16 * 16)
    speed = {"deadline": "realtime", "cpu-used": "8"}
    return encoded("webm", "libvpx-vp9", size, _count(scale, 12), **speed)


def _mjpeg_scans(chance: Random, scale: float) -> bytes:
    """Motion JPEG whose frame is a progressive JPEG of many scans."""
    side = min(_side(scale, 3000), 2304)
    jpeg = _progressive(side, _count(scale, 3000))
    content = encoded("mp4", "mjpeg", (64, 64), 1, pix_fmt="yuvj420p")
    start = content.index(b"mdat") + 4
    head = content[: content.index(b"mdat") - 4]
    moov = content[content.index(b"moov") - 4 :]
    sizes = {
        b"stsz": _full(b"stsz", struct.pack(">II", len(jpeg), 1)),
        b"stco": _full(b"stco", struct.pack(">II", 1, start)),
    }
    return head + _box(b"mdat", jpeg) + _with_boxes(moov, sizes, (b"moov", b"trak", b"mdia", b"minf", b"stbl"))


KINDS: Final[dict[str, tuple[str, Callable[[Random, float], bytes]]]] = {
    "JPEG of many scans": ("image/jpeg", _jpeg_scans),
    "JPEG of few scans": ("image/jpeg", _jpeg_few_scans),
    "JPEG with EXIF segments": ("image/jpeg", _jpeg_with(lambda _: _segment(0xE1, b"Exif\0\0MM"))),
    "JPEG with empty segments": ("image/jpeg", _jpeg_with(lambda chance: _segment(chance.randrange(0xE2, 0xF0), b""))),
    "JPEG with profile segments": ("image/jpeg", _jpeg_with(lambda _: _segment(0xE2, b"ICC_PROFILE\0\1\1aaaa"))),
    "JPEG with comments": ("image/jpeg", _jpeg_with(lambda chance: _segment(0xFE, b"a" * chance.randrange(20)))),
    "JPEG with fill bytes": ("image/jpeg", _jpeg_with(lambda _: b"\xff")),
    "PNG of 16 bits": ("image/png", _png_of(16, 0, 1)),
    "PNG with alpha": ("image/png", _png_of(8, 6, 4)),
    "PNG with alpha of 16 bits": ("image/png", _png_of(16, 6, 4)),
    "PNG with a mask": ("image/png", _png_of(8, 4, 2)),
    "PNG interlaced": ("image/png", _png_interlaced),
    "PNG of many chunks": ("image/png", _png_chunks),
    "PNG with a text bomb": ("image/png", _png_text_bomb),
    "PNG with a profile bomb": ("image/png", _png_profile),
    "GIF of many blocks": ("image/gif", _gif_blocks),
    "GIF of a large canvas": ("image/gif", _gif_canvas),
    "BMP run-length encoded": ("image/bmp", _bmp_rle),
    "BMP of bits": ("image/bmp", _bmp_bits),
    "WebP lossless": ("image/webp", _webp(lossless=True)),
    "WebP lossy": ("image/webp", _webp(quality=50)),
    "AVIF larger than declared": ("image/avif", _avif_larger),
    "AVIF with alpha": ("image/avif", _avif_full),
    "MP4 with an index": ("video/mp4", _mp4_with_index),
    "H.264 of 16 references": ("video/mp4", _h264_references),
    "H.264 too large": ("video/mp4", _h264_too_large),
    "MP4 of one JPEG": ("video/mp4", _one_frame_again_and_again("mjpeg")),
    "MP4 of one PNG": ("video/mp4", _one_frame_again_and_again("png")),
    "MJPEG of many scans": ("video/mp4", _mjpeg_scans),
    "Matroska of tiny blocks": ("video/x-matroska", _matroska_blocks),
    "Matroska of laced blocks": ("video/x-matroska", _matroska_laced),
    "VP9 large": ("video/webm", _vp9_large),
}
"""The kinds, with the media type that their files declare."""
