"""Decoding itself is tested through `read_image` in inference/test_media.py; here, that it is the same everywhere."""

import io

import numpy as np
import pytest
from PIL import Image

from mien.data.reading.importing import import_data
from mien.errors import InputError
from mien.media.decode_picture import decode_picture
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
