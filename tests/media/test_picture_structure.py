"""Pictures of every kind that Pillow writes pass; attacks, made here in small, do not; nothing raises another error."""

import contextlib
import io
import struct
import zlib
from random import Random

import numpy as np
import pillow_heif
import pytest
from attacks import avif_exif_of_itself
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from mien.errors import TooLargeError
from mien.media.animated import is_animation
from mien.media.decode_picture import decode_picture
from mien.media.hevc_size import hevc_pixels
from mien.media.picture_structure import announced_pixels, check_picture

MOST = 25_000_000
RANDOM = np.random.default_rng(3)
PHOTO = Image.fromarray(RANDOM.integers(0, 256, (150, 211, 3), np.uint8))
STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"\0\0\0\x18ftypavif", b"\0\0\0\x18ftypheic")
STARTS = (*STARTS, b"RIFF\0\0\0\0WEBP", b"II*\0", b"MM\0+", b"\0\0\0\x0cjP  \xff\x4f\xff\x51")


def written(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def with_texts():
    texts = PngImagePlugin.PngInfo()
    for number in range(50):
        texts.add_text(f"key {number}", "words " * 100, zip=True)
    return {"pnginfo": texts}


def with_exif():
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "words " * 1000
    return {"exif": exif.tobytes(), "icc_profile": bytes(200_000)}


REAL = {
    **{f"JPEG {mode} progressive={on}": (PHOTO.convert(mode), "JPEG", {"progressive": on})
       for mode in ("RGB", "L", "CMYK") for on in (False, True)},
    **{f"JPEG {sampling} {restart}": (PHOTO, "JPEG", {"subsampling": sampling, "restart_marker_blocks": restart})
       for sampling in (0, 1, 2) for restart in (0, 1, 7)},
    "JPEG with metadata": (PHOTO, "JPEG", with_exif() | {"comment": b"words " * 10_000}),
    "MPO": (PHOTO, "MPO", {"save_all": True, "append_images": [PHOTO] * 3}),
    **{f"PNG {mode}": (PHOTO.convert(mode), "PNG", {}) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")},
    "PNG with texts": (PHOTO, "PNG", with_texts()),
    "PNG with metadata": (PHOTO, "PNG", with_exif()),
    "APNG": (PHOTO, "PNG", {"save_all": True, "append_images": [PHOTO] * 9}),
    "large PNG": (Image.fromarray(RANDOM.integers(0, 256, (1500, 1500, 3), np.uint8)), "PNG", {"compress_level": 1}),
    "GIF": (PHOTO, "GIF", {"comment": b"words " * 20_000}),
    "GIF of one image": (PHOTO, "GIF", {"save_all": True, "loop": 0}),
    "APNG beside a still": (PHOTO, "PNG", {"save_all": True, "append_images": [PHOTO] * 2, "default_image": True}),
    "animated GIF": (PHOTO, "GIF", {"save_all": True, "append_images": [PHOTO.rotate(90)] * 9, "loop": 0}),
    "BMP": (PHOTO, "BMP", {}),
    "grey BMP": (PHOTO.convert("L"), "BMP", {}),
    **{f"WebP lossless={on}": (PHOTO, "WEBP", {"lossless": on, **with_exif()}) for on in (False, True)},
    **{f"AVIF {mode}": (PHOTO.convert(mode), "AVIF", with_exif()) for mode in ("RGB", "RGBA", "L")},
    "AVIF 444": (PHOTO, "AVIF", {"subsampling": "4:4:4"}),
    "animated AVIF": (PHOTO, "AVIF", {"save_all": True, "append_images": [PHOTO] * 3}),
    **{f"TIFF {how}": (PHOTO, "TIFF", {"compression": how, **with_exif()}) for how in ("tiff_lzw", "raw", "jpeg")},
    "big TIFF": (PHOTO, "TIFF", {"big_tiff": True}),
    "animated WebP": (PHOTO, "WEBP", {"save_all": True, "append_images": [PHOTO.rotate(90)] * 9}),
    **{f"JPEG 2000 {size} {precinct}": (PHOTO, "JPEG2000", {"tile_size": size, "precinct_size": precinct})
       for size, precinct in ((None, None), ((64, 64), None), (None, (128, 128)))},
    "plain": (PHOTO.convert("L").resize((40, 30)), "PPM", {}),
}  # fmt: skip


@pytest.fixture(scope="module", params=REAL)
def real(request):
    image, form, options = REAL[request.param]
    return written(image, form, **options)


def test_what_pillow_writes_passes_and_is_decoded(real):
    decode_picture(io.BytesIO(real), "real", max_pixels=MOST)


def test_whether_it_moves_is_what_pillow_says(real, tmp_path):
    path = tmp_path / "real"
    path.write_bytes(real)
    with Image.open(path) as image:
        moves = image.format in {"GIF", "WEBP", "PNG", "AVIF"} and image.is_animated
    assert is_animation(path) == moves
    for length in np.linspace(0, len(real), 20).astype(int):
        path.write_bytes(real[:length])
        assert is_animation(path) in {True, False}


def test_it_passes_cut_off_at_any_place(real):
    for length in np.linspace(0, len(real), 50).astype(int):
        check_picture(real[:length], "cut", MOST)


def test_a_file_on_the_disk_is_checked_too(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(scans(33))
    with path.open("rb") as file, pytest.raises(TooLargeError, match="33 scans"):
        decode_picture(file, "a.jpg", max_pixels=MOST)


def segment(marker, content):
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def inserted(content, at, more):
    return content[:at] + more + content[at:]


def scans(count, side=5000):
    head = b"\xff\xd8" + segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + bytes([1, 0x11, 0]))
    return head + (segment(0xDA, bytes([1, 1, 0, 1, 63, 0x10])) + b"\0") * count + b"\xff\xd9"


def rle_bmp(width, height, content=b"\x01\x01\0\0"):
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(content), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 1078 + len(content), 0, 0, 1078) + info + bytes(1024) + content


def wide_avif(side):
    """A small AVIF whose sequence header says more: both numbers of bits are raised to 16, the sides follow."""
    content = written(PHOTO, "AVIF")
    bits = f"{15:04b}{15:04b}{side - 1:016b}{side - 1:016b}".ljust(48, "0")
    head = bytes([0x0A, 8, 0b00011000]) + int("0" * 2 + bits[:46], 2).to_bytes(6, "big") + bytes(1)
    at = content.index(b"mdat") + 4
    start = content.index(b"\x0a", at)
    return content[:start] + head + content[start + len(head) :]


def jpeg2000(side, tile, layers=1, precinct=0xFF):
    sizes = struct.pack(">HIIIIIIIIH", 0, side, side, 0, 0, tile, tile, 0, 0, 1) + bytes([7, 1, 1])
    style = bytes([1, 0]) + struct.pack(">HB", layers, 0) + bytes([2, 4, 4, 0, 0, 0xFF, precinct, precinct])
    return b"\0\0\0\x0cjP  \r\n\x87\n\xff\x4f" + segment(0x51, sizes) + segment(0x52, style)


WEBP = written(PHOTO, "WEBP")
JPEG, PNG, GIF = written(PHOTO, "JPEG"), written(PHOTO, "PNG"), written(PHOTO, "GIF")
PALETTE = 13 + (3 << (GIF[10] & 7) + 1)
ATTACKS = {
    "scans of a large picture": scans(33),
    "scans of a small picture": scans(501, 8),
    "the size said after the scans began": JPEG[:-2] + scans(33)[2:],
    "EXIF again and again": inserted(JPEG, 2, segment(0xE1, b"Exif\0\0MM") * 17),
    "Photoshop again and again": inserted(JPEG, 2, segment(0xED, b"Photoshop 3.0\0") * 17),
    "empty segments": inserted(JPEG, 2, segment(0xE5, b"") * 4097),
    "fill bytes": inserted(JPEG, 2, b"\xff" * 70_000),
    "junk": inserted(JPEG, 20, bytes(70_000)),
    "restart markers": inserted(JPEG, 2, b"\xff\xd0" * 40_000),
    "nothing but fill bytes": b"\xff\xd8" + b"\xff" * 70_000,
    "nothing but junk": b"\xff\xd8\xff\x00" + bytes(70_000),
    "ends before the picture": inserted(JPEG, 2, b"\xff\xd9" * 5000),
    "empty chunks": inserted(PNG, 33, chunk(b"tEXt", b"") * 2000),
    "empty image data": inserted(PNG, 33, chunk(b"IDAT", b"") * 2000),
    "profiles": inserted(PNG, 33, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(1000))) * 2),
    "comments": inserted(GIF, PALETTE, b"!\xfe\x01a\x00" * 10_001),
    "blocks of one comment": inserted(GIF, PALETTE, b"!\xfe" + b"\x01a" * 20_001 + b"\0"),
    "junk in a GIF": inserted(GIF, PALETTE, bytes(20_001)),
    "a wide RLE BMP": rle_bmp(25_000_000, 1),
    "a high RLE BMP": rle_bmp(1, -25_000_000),
    "a long RLE BMP": rle_bmp(100, 100, b"\x01\x01" * 2_000_000),
    "an AVIF larger than it says": wide_avif(15_000),
    "chunks of a WebP": inserted(WEBP, 12, b"EXIF\0\0\0\0" * 20_001),
    "tags of a TIFF": b"II*\0\x08\0\0\0" + struct.pack("<H", 1001) + struct.pack("<HHII", 254, 4, 1, 0) * 1001,
    "tags that hold the file": b"MM\0*\0\0\0\x08" + struct.pack(">H", 9) + struct.pack(">HHII", 700, 1, 99, 0) * 9,
    "tags of EXIF within a TIFF": b"MM\0*\0\0\0\x08\0\1" + struct.pack(">HHII", 0x8769, 4, 1, 22)
    + struct.pack(">H", 9) + struct.pack(">HHII", 700, 1, 99, 0) * 9,
    "EXIF of itself in AVIF": avif_exif_of_itself(Random(1), 0.001),
    "tags of a big TIFF": b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 50) + struct.pack("<HHQQ", 7, 5, 999, 0) * 50,
    "tiles of JPEG 2000": jpeg2000(5000, 32),
    "a large JPEG 2000": jpeg2000(5001, 5001),
    "layers of JPEG 2000": jpeg2000(500, 500, layers=101),
    "precincts of JPEG 2000": jpeg2000(500, 500, precinct=0x33),
    "numbers as text": b"P2 5000 5000 255\n" + b"1 " * 2_000_000,
}  # fmt: skip


@pytest.mark.parametrize("what", ATTACKS)
def test_an_attack_is_refused(what):
    with pytest.raises(TooLargeError, match="too costly"):
        check_picture(ATTACKS[what], "attack", MOST)


def test_the_size_of_avif_is_read_as_pillow_wrote_it():
    sides = [(64, 48), (513, 301), (1000, 1), (2049, 1025)]
    for width, height in sides:
        content = written(Image.new("RGB", (width, height)), "AVIF")
        check_picture(content, "avif", width * height)
        with pytest.raises(TooLargeError):
            check_picture(content, "avif", int(width * height / 1.11) - 1)


def test_the_size_of_heic_is_read_as_libheif_wrote_it():
    for width, height in [(64, 48), (513, 301), (1032, 520)]:
        content = io.BytesIO()
        pillow_heif.from_pillow(Image.new("RGB", (width, height))).save(content, quality=50)
        at = content.getvalue().index(b"hvcC")
        (pixels,) = hevc_pixels(content.getvalue(), at + 4, len(content.getvalue()))
        assert width * height <= pixels <= (width + 63) * (height + 63)
        assert announced_pixels(content.getvalue()) >= width * height
        check_picture(content.getvalue(), "heic", width * height + 64 * (width + height))
        with pytest.raises(TooLargeError):
            check_picture(content.getvalue(), "heic", int(pixels / 1.11) - 1)


def test_the_size_of_a_bmp_of_os2_is_read_as_pillow_reads_it():
    content = (
        b"BM" + struct.pack("<IHHI", 26 + 24 * 9, 0, 0, 26) + struct.pack("<IHHHH", 12, 8, 9, 1, 24) + bytes(24 * 9)
    )
    assert Image.open(io.BytesIO(content)).size == (8, 9)
    assert announced_pixels(content) == 72


def test_the_size_of_a_jpeg_is_looked_for_no_further_than_its_check_looks():
    content = written(PHOTO, "JPEG")
    for times, pixels in ((1, PHOTO.width * PHOTO.height), (3, 0)):
        padded = content[:2] + (b"\xff\0" * 15_000 + b"\xff\xfe\0\4ab") * times + content[2:]
        assert announced_pixels(padded) == pixels
        with contextlib.nullcontext() if pixels else pytest.raises(TooLargeError):
            check_picture(padded, "jpeg", MOST)


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 50}, {"quality": 50, "exif": b"Exif\0\0MM"}])
def test_the_size_of_webp_is_read_as_pillow_wrote_it(options):
    for mode in ("RGB", "RGBA"):
        assert announced_pixels(written(Image.new(mode, (301, 203), 9), "WEBP", **options)) == 301 * 203


@given(st.sampled_from(STARTS), st.binary(max_size=3000))
@example(b"\xff\xd8\xff", b"")
@example(b"\0\0\0\x18ftypavif", b"\0\0\0\x09meta\0")
def test_any_bytes_raise_nothing_else(start, content):
    with contextlib.suppress(TooLargeError):
        check_picture(start + content, "any", 1000)


@given(st.sampled_from(sorted(REAL)), st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=8))
def test_a_mutated_picture_raises_nothing_else(which, changes):
    content = bytearray(SEEDS[which])
    for place, value in changes:
        content[place % len(content)] = value
    with contextlib.suppress(TooLargeError):
        check_picture(bytes(content), "mutated", MOST)


SEEDS = {name: written(image, form, **options)[:3000] for name, (image, form, options) in REAL.items()}
