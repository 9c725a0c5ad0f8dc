"""Files whose decoding costs far more than their size, by kind and seed.

Tests and `benchmarks/service.py --hostile` send them. Each kind is a function of a random generator and a scale: 1 is
full size, tests take a hundredth.
"""

import base64
import io
import json
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
from skimage import data

MEGABYTE: Final = 2**20
_TO_TABLES: Final = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
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
        accept: what the client wants back.
    """

    kind: str
    content: bytes
    media_type: str
    path: str = PREDICT
    accept: str = "*/*"

    @property
    def headers(self) -> dict[str, str]:
        return {"content-type": self.media_type, "accept": self.accept}


def attacks(seed: int, scale: float = 1.0) -> Iterator[Attack]:
    """One file of every kind."""
    for number, (kind, (media_type, make)) in enumerate(KINDS.items()):
        chance = Random(1000 * seed + number)  # noqa: S311 - the same files every time
        path = VIDEO if media_type.startswith("video/") else PREDICT
        yield Attack(kind, make(chance, scale), media_type, path, "image/png" if "drawn" in kind else "*/*")


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


def _jpeg_plain(side: int) -> bytes:
    return _saved(Image.new("L", (side, side), 90), "JPEG", quality=50)


def _jpeg_drawn(chance: Random, scale: float) -> bytes:
    return _jpeg_plain(_side(scale))


def _crowd(chance: Random, scale: float) -> bytes:
    """Faces side by side, as small as they are found."""
    side = chance.randrange(20, 40)
    face = Image.fromarray(data.astronaut()[0:220, 120:320]).resize((side, side))
    row = np.tile(np.asarray(face), (1, max(2, _side(scale, 2000) // side), 1))
    return _saved(Image.fromarray(np.tile(row, (max(2, _side(scale, 2000) // side), 1, 1))), "JPEG", quality=90)


def _form(picture: bytes, count: int) -> bytes:
    part = b'--x\r\ncontent-disposition: form-data; name="picture"; filename="a"\r\n\r\n' + picture + b"\r\n"
    return part * count + b"--x--\r\n"


def _form_of_large(chance: Random, scale: float) -> bytes:
    return _form(_jpeg_plain(_side(scale)), 16)


def _form_of_costly(chance: Random, scale: float) -> bytes:
    return _form(_png_of(8, 6, 4)(chance, scale), 5)


def _form_of_boundaries(chance: Random, scale: float) -> bytes:
    """A file whose lines begin like a boundary, or blanks after one: the parser takes them byte by byte."""
    lines = chance.choice([b"\r\n--x%c" % letter for letter in b"a-\r"])
    return _form(chance.choice([lines * _count(scale, 3_000_000), b"a\r\n--x" + b" " * _count(scale, 19_000_000)]), 1)


def _json_of_large(chance: Random, scale: float) -> bytes:
    picture = {"data": base64.b64encode(_jpeg_plain(_side(scale))).decode()}
    return json.dumps({"pictures": [picture] * 16}).encode()


def exif_of_itself(count: int, size: int) -> bytes:
    """Tags whose values are all of the block."""
    tags = b"".join(struct.pack(">HHII", 0x9000 + number % 99, 7, size - 8, 8) for number in range(count))
    return (b"MM\0*\0\0\0\x08" + struct.pack(">H", count) + tags).ljust(size, b"\0")


def _jpeg_exif_of_itself(chance: Random, scale: float) -> bytes:
    block = exif_of_itself(_count(scale, 60_000), _count(scale, 1_000_000))
    parts = [block[at : at + 65_000] for at in range(0, len(block), 65_000)]
    jpeg = _jpeg_plain(64)
    return jpeg[:2] + b"".join(_segment(0xE1, b"Exif\0\0" + part) for part in parts) + jpeg[2:]


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


def _png_exif_of_itself(chance: Random, scale: float) -> bytes:
    block = exif_of_itself(_count(scale, 60_000), _count(scale, 19 * MEGABYTE))
    return _png(64, 64, 8, 2, bytes(64 * 193), _chunk(b"eXIf", block))


def _png_exif_as_text(chance: Random, scale: float) -> bytes:
    """EXIF as ImageMagick writes it, compressed: a few bytes become half a megabyte that is named again and again."""
    block = exif_of_itself(_count(scale, 36_000), _count(scale, 500_000)).hex()
    text = zlib.compress(f"\nexif\n{len(block) // 2}\n{block}".encode(), 9)
    return _png(64, 64, 8, 2, bytes(64 * 193), _chunk(b"zTXt", b"Raw profile type exif\0\0" + text))


def _png_narrow(chance: Random, scale: float) -> bytes:
    """One pixel wide, as high as is allowed: what is done by the row costs most."""
    height = _count(scale, chance.choice([4_000_000, 25_000_000]))
    colour, channels = chance.choice([(0, 1), (2, 3), (6, 4)])
    return _png(1, height, 8, colour, bytes((1 + channels) * height))


def _png_frames(chance: Random, scale: float) -> bytes:
    """An animation that claims as many images as a number holds, each as large as is allowed."""
    side = _side(scale)
    claim = _chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))
    shown = [_chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, side, side, 0, 0, 1, 1, 0, 0)) for number in range(500)]
    return _png(side, side, 8, 0, (b"\0" + bytes(side)) * side, claim, *shown)


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


def _gif_frame(chance: Random, scale: float) -> bytes:
    """A frame far larger than the canvas."""
    return _gif(1, 1, frame=(65_535, chance.randrange(1000, 65_535)))


def _gif_noise(chance: Random, scale: float) -> bytes:
    side = _side(scale, 3700)
    return _saved(Image.frombytes("L", (side, side), chance.randbytes(side * side)), "GIF")


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


def _webp_frames(chance: Random, scale: float) -> bytes:
    side = _side(scale)
    images = [Image.new("RGB", (side, side), (90, shade, 90)) for shade in (60, 90, 120)]
    return _saved(images[0], "WEBP", method=0, save_all=True, append_images=images[1:], lossless=True)


def _avif_larger(chance: Random, scale: float) -> bytes:
    """Declared to be small, coded large."""
    width, height = 2 * _side(scale), 2 * _side(scale)
    content = _saved(Image.new("RGB", (width, height), (90, 90, 90)), "AVIF", speed=10)
    at = content.index(b"ispe") + 8
    small = chance.randrange(64, 1000)
    return content[:at] + struct.pack(">II", small, small) + content[at + 8 :]


def avif_exif_of_itself(chance: Random, scale: float) -> bytes:
    hostile = exif_of_itself(_count(scale, 60_000), _count(scale, 19 * MEGABYTE))
    sound = exif_of_itself(0, len(hostile))  # Pillow reads what it writes
    return _saved(Image.new("RGB", (64, 64)), "AVIF", speed=10, exif=sound).replace(sound, hostile)


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
    flags = {"movflags": flags} if (flags := options.pop("movflags", "")) else {}
    with av.open(file, "w", format=form, options=flags) as container:
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
    return _with_boxes(content, tables, _TO_TABLES)


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


def _mp4_of_empty_samples(chance: Random, scale: float) -> bytes:
    """As many frames of the largest size as are allowed, by a few bytes."""
    size = (_side(scale, 4096) // 16 * 16, _side(scale, 2304) // 16 * 16)
    content = encoded("mp4", "libx264", size, 1, preset="ultrafast")
    count = _count(scale, 200_000)
    tables = {
        b"stts": _full(b"stts", struct.pack(">III", 1, count, 1)),
        b"stsz": _full(b"stsz", struct.pack(">II", 1, count)),
    }
    return _with_boxes(content, tables, _TO_TABLES)


def _mp4_of_runs(chance: Random, scale: float) -> bytes:
    """A fragment whose runs all name one frame."""
    size = (_side(scale, 4096) // 16 * 16, _side(scale, 2304) // 16 * 16)
    options = {"preset": "ultrafast", "movflags": "frag_keyframe+empty_moov+default_base_moof"}
    content = encoded("mp4", "libx264", size, 1, **options)
    start = content.index(b"moof") - 4
    head, moof, rest = content[:start], *_split(content[start:])
    run = next(inner for kind, inner in _boxes(dict(_boxes(moof[8:]))[b"traf"]) if kind == b"trun")
    flags, fields = struct.unpack(">I", run[:4])[0], run[12:]
    traf = [(kind, inner) for kind, inner in _boxes(dict(_boxes(moof[8:]))[b"traf"]) if kind != b"trun"]
    head_of_moof = dict(_boxes(moof[8:]))[b"mfhd"]

    def made(count: int, offset: int) -> bytes:
        one = _box(b"trun", struct.pack(">IIi", flags | 1, 1, offset) + fields)
        inside = b"".join(_box(kind, inner) for kind, inner in traf) + one * count
        return _box(b"moof", _box(b"mfhd", head_of_moof) + _box(b"traf", inside))

    count = _count(scale, 20_000)
    return head + made(count, len(made(count, 0)) + 8) + rest


def _split(content: bytes) -> tuple[bytes, bytes]:
    """The first box, and what follows."""
    size = struct.unpack(">I", content[:4])[0]
    return content[:size], content[size:]


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    while len(content) >= 8:
        first, content = _split(content)
        yield first[4:8], first[8:]


def _avi_of_one_image(chance: Random, scale: float) -> bytes:
    """An index that names one image again and again."""
    size = (_side(scale, 4096) // 16 * 16, _side(scale, 2304) // 16 * 16)
    content = encoded("avi", "mjpeg", size, 1, pix_fmt="yuvj420p")
    at = content.index(b"idx1")
    entries = content[at + 8 : at + 24] * _count(scale, 100_000)
    return content[:at] + b"idx1" + struct.pack("<I", len(entries)) + entries


def _ebml(number: str, content: bytes) -> bytes:
    return bytes.fromhex(number) + (len(content) | 1 << 56).to_bytes(8, "big") + content


def _matroska(chance: Random, scale: float, blocks: bytes, codec: bytes = b"V_VP8", more: bytes = b"") -> bytes:
    head = _ebml("1a45dfa3", _ebml("4282", b"matroska") + _ebml("4287", b"\4") + _ebml("4285", b"\2"))
    sizes = _ebml("b0", struct.pack(">H", 64)) + _ebml("ba", struct.pack(">H", 64))
    track = _ebml("d7", b"\1") + _ebml("73c5", b"\1") + _ebml("83", b"\1") + _ebml("86", codec) + _ebml("e0", sizes)
    track += more
    cluster = _ebml("1f43b675", _ebml("e7", b"\0") + blocks)
    return head + _ebml("18538067", _ebml("1654ae6b", _ebml("ae", track)) + cluster)


def _matroska_blocks(chance: Random, scale: float) -> bytes:
    block = chance.choice([b"\xa3\x84\x81\0\0\0", b"\xa3\x85\x81\0\0\0x", b"\xec\x80"])
    return _matroska(chance, scale, block * _count(scale, 21 * MEGABYTE // len(block)))


def matroska_broken(chance: Random, scale: float) -> bytes:
    """Packets of which none can be decoded, which Matroska does not count."""
    codec = chance.choice([b"V_VP8", b"V_VP9", b"V_MJPEG"])
    return _matroska(chance, scale, _ebml("a3", b"\x81\0\0\x80" + chance.randbytes(9)) * _count(scale, 200_000), codec)


def matroska_jumping(chance: Random, scale: float) -> bytes:
    """Pictures whose times jump back and forth, which is worth a warning."""
    picture = _saved(Image.new("RGB", (64, 64), "gray"), "JPEG")
    times = (struct.pack(">h", chance.randrange(30_000)) for _ in range(_count(scale, 9_000)))
    blocks = b"".join(_ebml("a3", b"\x81" + time + b"\x80" + picture) for time in times)
    return _matroska(chance, scale, blocks, b"V_MJPEG")


def _matroska_laced(chance: Random, scale: float) -> bytes:
    block = _ebml("a3", b"\x81\0\0\x04\xff" + bytes(256))
    return _matroska(chance, scale, block * _count(scale, 20 * MEGABYTE // len(block)))


def matroska_compressed(chance: Random, scale: float) -> bytes:
    """Blocks of zeros, compressed."""
    packed = zlib.compress(bytes(_count(scale, chance.randrange(8, 30) * MEGABYTE)), 9)
    compression = _ebml("6d80", _ebml("6240", _ebml("5034", _ebml("4254", b"\0"))))
    block = _ebml("a3", b"\x81\0\0\x80" + packed)
    return _matroska(chance, scale, block * _count(scale, 500), b"V_MJPEG", compression)


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
    return head + _box(b"mdat", jpeg) + _with_boxes(moov, sizes, _TO_TABLES)


KINDS: Final[dict[str, tuple[str, Callable[[Random, float], bytes]]]] = {
    "JPEG of many scans": ("image/jpeg", _jpeg_scans),
    "JPEG of few scans": ("image/jpeg", _jpeg_few_scans),
    "JPEG drawn": ("image/jpeg", _jpeg_drawn),
    "JPEG of a crowd": ("image/jpeg", _crowd),
    "form of large JPEGs": ("multipart/form-data; boundary=x", _form_of_large),
    "form of costly PNGs": ("multipart/form-data; boundary=x", _form_of_costly),
    "form of boundaries": ("multipart/form-data; boundary=x", _form_of_boundaries),
    "JSON of large JPEGs": ("application/json", _json_of_large),
    "JPEG with EXIF of itself": ("image/jpeg", _jpeg_exif_of_itself),
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
    "PNG drawn": ("image/png", _png_of(8, 6, 4)),
    "PNG of many images": ("image/png", _png_frames),
    "PNG with EXIF of itself": ("image/png", _png_exif_of_itself),
    "PNG with EXIF as text": ("image/png", _png_exif_as_text),
    "PNG one pixel wide": ("image/png", _png_narrow),
    "PNG of many chunks": ("image/png", _png_chunks),
    "PNG with a text bomb": ("image/png", _png_text_bomb),
    "PNG with a profile bomb": ("image/png", _png_profile),
    "GIF of many blocks": ("image/gif", _gif_blocks),
    "GIF of a large canvas": ("image/gif", _gif_canvas),
    "GIF of a larger frame": ("image/gif", _gif_frame),
    "GIF of noise": ("image/gif", _gif_noise),
    "BMP run-length encoded": ("image/bmp", _bmp_rle),
    "BMP of bits": ("image/bmp", _bmp_bits),
    "WebP lossless": ("image/webp", _webp(lossless=True)),
    "WebP lossy": ("image/webp", _webp(quality=50)),
    "WebP of several images": ("image/webp", _webp_frames),
    "AVIF larger than declared": ("image/avif", _avif_larger),
    "AVIF with EXIF of itself": ("image/avif", avif_exif_of_itself),
    "AVIF with alpha": ("image/avif", _avif_full),
    "MP4 with an index": ("video/mp4", _mp4_with_index),
    "H.264 of 16 references": ("video/mp4", _h264_references),
    "H.264 too large": ("video/mp4", _h264_too_large),
    "MP4 of one JPEG": ("video/mp4", _one_frame_again_and_again("mjpeg")),
    "MP4 of one PNG": ("video/mp4", _one_frame_again_and_again("png")),
    "MP4 of empty samples": ("video/mp4", _mp4_of_empty_samples),
    "MP4 of runs of one frame": ("video/mp4", _mp4_of_runs),
    "AVI of one image": ("video/x-msvideo", _avi_of_one_image),
    "MJPEG of many scans": ("video/mp4", _mjpeg_scans),
    "Matroska of tiny blocks": ("video/x-matroska", _matroska_blocks),
    "Matroska of broken packets": ("video/x-matroska", matroska_broken),
    "Matroska whose clock jumps": ("video/x-matroska", matroska_jumping),
    "Matroska of laced blocks": ("video/x-matroska", _matroska_laced),
    "Matroska of compressed blocks": ("video/x-matroska", matroska_compressed),
    "VP9 large": ("video/webm", _vp9_large),
}
"""The kinds, with the media type that their files declare."""
