"""Decoding itself is tested through `read_image` in test_read_image.py; here, that it is the same everywhere."""

import io
import struct

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo
from skimage import data

from mien.data.reading.importing import import_data
from mien.errors import InputError, TooLargeError
from mien.media.decode_picture import decode_picture, decode_reduced
from mien.media.read_image import read_image
from mien.recognition.recognizer import Recognizer

RANDOM = np.random.default_rng(0)
COLOUR = RANDOM.integers(0, 256, (61, 90, 3), np.uint8)
DEEP = RANDOM.integers(0, 65536, (30, 52), np.uint16)


def with_exif(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return {"exif": exif}


FILES = {
    "grey.png": (Image.fromarray(COLOUR[:48, :48, 0]), {}),
    "tall.png": (Image.fromarray(COLOUR[:, :7, 0]), {}),
    "wide.jpg": (Image.fromarray(COLOUR[:20]), {}),
    "small.png": (Image.fromarray(COLOUR[:5, :9]), {}),
    "colour.png": (Image.fromarray(COLOUR), {}),
    "deep.png": (Image.fromarray(DEEP), {}),
    "alpha.png": (Image.fromarray(np.dstack([COLOUR, COLOUR[:, :, 1]])), {}),
    "grey-alpha.png": (Image.fromarray(COLOUR[:, :, :2].copy(), "LA"), {}),
    "palette.png": (Image.fromarray(COLOUR).quantize(16), {}),
    "see-through.png": (Image.fromarray(COLOUR).quantize(16), {"transparency": 3}),
    "bits.png": (Image.fromarray(COLOUR[:, :, 0]).convert("1"), {}),
    "cmyk.jpg": (Image.fromarray(COLOUR).convert("CMYK"), {}),
    "turned.jpg": (Image.fromarray(COLOUR), with_exif(6)),
}


class NoClassifier:
    """Stands where none is asked."""

    def probabilities(self, faces):
        raise AssertionError


@pytest.mark.filterwarnings("ignore:'mode' parameter")
@pytest.mark.parametrize("name", FILES)
def test_a_file_gives_the_same_face_in_a_data_set_and_in_prediction(tmp_path, name):
    path = tmp_path / "set/train/happy" / name
    path.parent.mkdir(parents=True)
    image, options = FILES[name]
    image.save(path, **options)
    imported = import_data(tmp_path / "set", tmp_path / "store").faces[0]
    (candidate,) = Recognizer(NoClassifier(), "none").pipeline.find(read_image(path))
    np.testing.assert_array_equal(imported, candidate.crop)
    assert np.ptp(imported) > 50


def encoded(form):
    content = io.BytesIO()
    Image.fromarray(COLOUR).save(content, form)
    content.seek(0)
    return content


def test_only_the_formats_asked_for_are_read():
    assert decode_picture(encoded("GIF"), "a").shape == COLOUR.shape
    with pytest.raises(InputError, match=r"a: not a picture \(none of PNG, or damaged"):
        decode_picture(encoded("GIF"), "a", frozenset({"PNG"}))
    np.testing.assert_array_equal(decode_picture(encoded("PNG"), "a", frozenset({"PNG"})), COLOUR)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("factor", [1, 2, 4, 8])
@pytest.mark.parametrize("size", [(496, 328), (501, 333)])
def test_a_jpeg_is_decoded_smaller_and_its_own_size_is_known(size, orientation, factor):
    picture = Image.fromarray(data.astronaut()).crop((0, 0, *size))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    file = io.BytesIO()
    picture.save(file, format="JPEG", quality=95, exif=exif)
    asked = []
    file.seek(0)
    reduced = decode_reduced(file, "a.jpg", lambda longer: asked.append(longer) or factor)
    file.seek(0)
    whole = decode_picture(file, "a.jpg")
    assert asked == [max(size)]
    assert (reduced.height, reduced.width) == whole.shape[:2]
    assert reduced.factor == factor
    assert reduced.pixels.shape[:2] == tuple(-(-side // factor) for side in whole.shape[:2])
    if size == (496, 328):  # no block reaches beyond the picture
        expected = cv2.resize(whole, reduced.pixels.shape[1::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(reduced.pixels.astype(int) - expected).mean() < 4


@pytest.mark.parametrize("size", [(4001, 1), (1, 4001), (3, 4001)])
def test_a_thin_jpeg_keeps_a_pixel_of_its_short_side(size):
    file = io.BytesIO()
    Image.new("RGB", size, (9, 99, 9)).save(file, format="JPEG")
    file.seek(0)
    reduced = decode_reduced(file, "a.jpg", lambda longer: 8)
    assert (reduced.width, reduced.height) == size
    assert reduced.pixels.shape[:2] == tuple(-(-side // reduced.factor) for side in size[::-1])


def test_other_formats_are_decoded_whole_and_the_limit_is_that_of_the_picture():
    files = {form: io.BytesIO() for form in ("PNG", "JPEG")}
    for form, file in files.items():
        Image.fromarray(data.astronaut()).save(file, format=form)
        file.seek(0)
    reduced = decode_reduced(files["PNG"], "a.png", lambda longer: 8)
    assert (reduced.pixels.shape, reduced.factor) == ((512, 512, 3), 1)
    with pytest.raises(TooLargeError, match="512x512 pixels"):
        decode_reduced(files["JPEG"], "a.jpg", lambda longer: 8, max_pixels=512 * 511)


@pytest.mark.parametrize("shape", [(200_001, 1), (70_000, 3), (3, 70_000)])
def test_a_narrow_picture_with_transparency_is_laid_on_white(shape):
    values = RANDOM.integers(0, 256, (*shape, 4), np.uint8)
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG", compress_level=1)
    file.seek(0)
    share = values[:, :, 3:] / 255
    expected = np.rint(values[:, :, :3] * share + 255 * (1 - share))
    assert np.array_equal(decode_picture(file, "a.png"), expected)


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize(("tags", "turned"), [(1, True), (40, False)])
def test_exif_in_the_text_of_a_png_turns_it_unless_its_tags_name_it_again_and_again(behind, tags, turned):
    block = b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHH", tags, 0x0112, 3, 1, 6, 0)
    block += struct.pack(">HHII", 0x9000, 7, 12 * tags, 8) * (tags - 1)
    text = PngInfo()
    text.add_text("Raw profile type exif", f"\nexif\n{len(block)}\n{block.hex()}", zip=True)
    file = io.BytesIO()
    Image.fromarray(COLOUR).save(file, "PNG", pnginfo=text)
    content = file.getvalue()
    if behind:
        content = _behind_the_pixels(content, b"zTXt")
    assert decode_picture(io.BytesIO(content), "a.png").shape[:2] == ((90, 61) if turned else (61, 90))


def _behind_the_pixels(png, kind):
    """A PNG whose chunk of that kind stands before its end."""
    at = png.index(kind) - 4
    end = at + 12 + int.from_bytes(png[at : at + 4], "big")
    return png[:at] + png[end:-12] + png[at:end] + png[-12:]


@pytest.mark.parametrize("seed", range(20))
def test_damage_that_pillow_finds_while_it_decodes_is_not_read_as_black(seed):
    random, file = np.random.default_rng(seed), io.BytesIO()
    Image.fromarray(COLOUR).save(file, "PNG")
    content = bytearray(file.getvalue())
    start = content.index(b"IDAT") + 4
    if seed % 2:
        at = int(random.integers(start, len(content) - 500))
        del content[at : at + 400]
    else:
        content[int(random.integers(start, len(content) - 20))] ^= int(random.integers(1, 256))
    try:
        Image.open(io.BytesIO(content)).load()
    except Exception:  # as decoders raise
        with pytest.raises(InputError, match=r"a\.png: a damaged or truncated picture"):
            decode_reduced(io.BytesIO(content), "a.png", lambda side: 1)
    else:
        decode_reduced(io.BytesIO(content), "a.png", lambda side: 1)
