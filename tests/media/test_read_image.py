import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin

from mien.errors import InputError, UsageError
from mien.media.read_image import read_image
from mien.media.tiff_structure import pages_of

RGB = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
GRAY = RGB[:, :, 0]


def encoded(image, form="PNG", **options):
    content = io.BytesIO()
    image.save(content, form, **options)
    return content.getvalue()


def png_header(width, height):
    """A PNG file that declares a size and holds no pixels."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_a_picture_is_the_same_as_path_text_bytes_array_and_pillow_image(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(RGB).save(path)
    for source in (path, str(path), path.read_bytes(), RGB, Image.fromarray(RGB), Image.open(path)):
        np.testing.assert_array_equal(read_image(source), RGB)


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "PPM", "TGA", "GIF", "WEBP", "JPEG2000"])
def test_formats_without_loss_come_back_exactly(form):
    few_colours = (RGB // 128 * 255).astype(np.uint8)
    options = {"lossless": True} if form == "WEBP" else {}
    np.testing.assert_array_equal(read_image(encoded(Image.fromarray(few_colours), form, **options)), few_colours)


@pytest.mark.parametrize("mode", ["L", "1"])
def test_pictures_without_colour_stay_two_dimensional(mode):
    image = Image.fromarray(GRAY).convert(mode)
    np.testing.assert_array_equal(read_image(encoded(image)), np.asarray(image.convert("L")))


def test_transparency_is_laid_on_white():
    rgba = np.dstack([RGB, np.full(RGB.shape[:2], 255, np.uint8)])
    rgba[:10, :, 3] = 0
    rgba[10:12, :, 3] = 128
    expected = Image.new("RGBA", (30, 20), "white")
    expected.alpha_composite(Image.fromarray(rgba))
    expected = np.asarray(expected.convert("RGB")).astype(int)
    assert (expected[:10] == 255).all()
    for source in (encoded(Image.fromarray(rgba)), Image.fromarray(rgba), rgba):
        assert np.abs(read_image(source) - expected).max() <= 1
    gray_alpha = Image.fromarray(rgba).convert("LA")
    assert (read_image(encoded(gray_alpha))[:10] == 255).all()


def test_a_palette_with_a_transparent_colour_is_laid_on_white():
    image = Image.new("P", (4, 2), 1)
    image.putpalette([0, 0, 0, 10, 200, 30])
    image.putpixel((0, 0), 0)
    pixels = read_image(encoded(image, transparency=0))
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[1, 3].tolist() == [10, 200, 30]


def test_sixteen_bits_are_scaled_not_cut():
    deep = GRAY.astype(np.uint16) * 257
    np.testing.assert_array_equal(read_image(encoded(Image.fromarray(deep))), GRAY)
    np.testing.assert_array_equal(read_image(encoded(Image.fromarray(deep), "TIFF")), GRAY)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.float32([[0, 0.5, 1]]), [0, 128, 255]),
        (np.float32([[0, 100, 255]]), [0, 100, 255]),
        (np.float32([[0, 257, 65535]]), [0, 1, 255]),
        (np.float32([[-1, 0, 1]]), [0, 128, 255]),
        (np.float32([[0, 1e6, 2e6]]), [0, 128, 255]),
        (np.float32([[np.nan, 0.2, np.inf]]), [0, 51, 0]),
        (np.float32([[0, 0, 0]]), [0, 0, 0]),
        (np.float32([[-7, -7, -7]]), [0, 0, 0]),
        (np.int32([[0, 1, 255]]), [0, 1, 255]),
        (np.int32([[0, 257, 65535]]), [0, 1, 255]),
    ],
)
def test_values_of_unknown_range_are_scaled(values, expected):
    assert read_image(encoded(Image.fromarray(values), "TIFF"))[0].tolist() == expected


def test_cmyk_becomes_rgb():
    image = Image.fromarray(RGB).convert("CMYK")
    np.testing.assert_array_equal(read_image(encoded(image, "TIFF")), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_in_exif_is_applied(orientation, tmp_path):
    as_seen = np.kron(np.arange(6, dtype=np.uint8).reshape(2, 3) * 40, np.ones((16, 16), np.uint8))
    # What has to be done to the stored picture to see it upright, after the EXIF standard's table.
    stored = {
        1: as_seen, 2: as_seen[:, ::-1], 3: as_seen[::-1, ::-1], 4: as_seen[::-1], 5: as_seen.T,
        6: np.rot90(as_seen), 7: as_seen[::-1, ::-1].T, 8: np.rot90(as_seen, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(Image.fromarray(np.ascontiguousarray(stored)), "JPEG", exif=exif, quality=100)
    assert np.abs(read_image(content).astype(int) - as_seen).max() <= 2


def test_broken_exif_leaves_the_picture_readable():
    content = encoded(Image.fromarray(RGB), "JPEG", exif=b"Exif\x00\x00MM\x00\x2a\xff\xff\xff\xff garbage")
    assert read_image(content).shape == RGB.shape


@pytest.mark.parametrize(("width", "height"), [(10_001, 10_000), (13_400, 13_400), (60_000, 60_000)])
def test_more_than_100_megapixels_are_refused_before_decoding(tmp_path, width, height):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(width, height))
    with pytest.raises(InputError, match=r"bomb\.png: .*more than 100 megapixels"):
        read_image(path)


def test_100_megapixels_are_not_too_many():
    with pytest.raises(InputError, match="truncated"):  # so the size was accepted
        read_image(png_header(10_000, 10_000))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"just text", "not a picture"),
        (encoded(Image.fromarray(RGB))[:-700], "truncated"),
        (encoded(Image.fromarray(RGB), "JPEG")[:-200], "damaged"),
        (encoded(Image.fromarray(RGB), "EPS"), "EPS"),
    ],
)
def test_a_file_that_is_no_whole_picture_is_named(tmp_path, content, words):
    path = tmp_path / "bad.jpg"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        read_image(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=words):
        read_image(content)


@given(st.integers(0, 2**32 - 1))
def test_damaged_files_raise_nothing_but_input_errors(seed):
    random = np.random.default_rng(seed)
    form = random.choice(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
    content = bytearray(encoded(Image.fromarray(RGB), form))
    for place in random.integers(0, len(content), 5):
        content[place] = random.integers(256)
    with contextlib.suppress(InputError):
        assert read_image(bytes(content[: random.integers(1, len(content) + 1)])).dtype == np.uint8


@pytest.mark.parametrize("name", ["nope.jpg", "", "a" * 5000, "nul\0.jpg"])
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(InputError, match=r"no such file|cannot be read|a folder"):
        read_image(tmp_path / name)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((4, 4)), "float64: expected uint8; scale it"),
        (np.zeros((4, 4), bool), "bool"),
        (np.zeros((4, 4, 2), np.uint8), r"\(4, 4, 2\)"),
        (np.zeros((0, 4), np.uint8), r"\(0, 4\)"),
        (np.zeros(4, np.uint8), r"\(4,\)"),
        (np.zeros((1, 4, 4, 3), np.uint8), r"\(1, 4, 4, 3\)"),
    ],
)
def test_arrays_of_another_kind_are_refused(array, words):
    with pytest.raises(UsageError, match=words):
        read_image(array)


def test_arrays_may_be_views_and_have_one_channel():
    np.testing.assert_array_equal(read_image(GRAY[:, :, None]), GRAY)
    assert read_image(RGB[::2, :, ::-1]).flags.c_contiguous


@pytest.mark.parametrize("thing", [None, 3, [1, 2]])
def test_what_is_no_picture_is_refused(thing):
    with pytest.raises(UsageError, match="cannot be a"):
        read_image(thing)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("raw.cr2", encoded(Image.fromarray(RGB), "TIFF"), "a camera raw file, which is not read"),
        ("raw.DNG", encoded(Image.fromarray(RGB), "TIFF"), "a camera raw file, which is not read"),
        ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a drawing, not a photograph"),
        ("picture.jxl", b"\xff\x0a rest", "JPEG XL"),
    ],
)
def test_pictures_that_are_not_read_are_called_by_what_they_are(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        read_image(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")


def test_content_decides_where_a_name_says_something_else(tmp_path):
    for name in ("a.svg", "a.heic", "a.jpg", "a.mp4", "a"):
        (tmp_path / name).write_bytes(encoded(Image.fromarray(RGB)))
        np.testing.assert_array_equal(read_image(tmp_path / name), RGB)


def test_a_video_is_called_a_video(tmp_path, write_clip):
    path = write_clip(tmp_path / "clip.mp4", [RGB[:16, :16]] * 3)
    misnamed = tmp_path / "clip.jpg"
    misnamed.write_bytes(path.read_bytes())
    for source in (path, misnamed, path.read_bytes()):
        with pytest.raises(InputError, match="a video, not a picture"):
            read_image(source)


@pytest.mark.parametrize(("options", "pages"), [({}, 3), ({"big_tiff": True}, 3), ({"compression": "jpeg"}, 3)])
def test_a_document_of_several_pages_says_that_the_first_is_read(tmp_path, caplog, options, pages):
    path = tmp_path / "a.tif"
    others = [Image.fromarray(RGB[::-1].copy()) for _ in range(pages - 1)]
    Image.fromarray(RGB).save(path, save_all=True, append_images=others, **options)
    read_image(path)
    assert caplog.messages == [f"{path}: the first of 3 pages is read; save the others as pictures"]


@pytest.mark.parametrize("kind", [1, 4])
def test_a_smaller_version_or_a_mask_is_no_page(tmp_path, caplog, kind):
    path, tags = tmp_path / "a.tif", TiffImagePlugin.ImageFileDirectory_v2()
    tags[254] = kind
    small = Image.fromarray(RGB[::2, ::2].copy())
    small.encoderinfo = {"tiffinfo": tags}
    Image.fromarray(RGB).save(path, save_all=True, append_images=[small])
    with Image.open(path) as written:
        written.seek(1)
        assert written.tag_v2[254] == kind
    read_image(path)
    assert caplog.messages == []


@given(st.binary(max_size=200), st.sampled_from([b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"]))
def test_pages_of_damaged_files_are_counted_without_end_or_error(content, start):
    assert 0 <= pages_of(start + content) <= 200


def test_pages_that_name_each_other_are_counted_once():
    def directory(after):
        return struct.pack("<HHHIII", 1, 256, 3, 1, 5, after)

    content = b"II*\0" + struct.pack("<I", 8) + directory(8 + 18) + directory(8)
    assert pages_of(content) == 2
