import io
import subprocess
import sys

import numpy as np
import pillow_heif
import pytest
from PIL import Image
from skimage import data

from mien.errors import InputError, TooLargeError
from mien.media.decode_picture import decode_picture
from mien.media.read_image import read_image
from waiting import HANG

ASTRONAUT = data.astronaut()
HEAD = np.ascontiguousarray(ASTRONAUT[20:180, 160:288])
"""A part of it, RGB (160, 128, 3): encoding HEIC is slow."""


@pytest.fixture(scope="module")
def heic():
    """HEAD as a HEIC file's content."""
    content = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(HEAD)).save(content, quality=95)
    return content.getvalue()


def test_a_heic_picture_is_read_whatever_it_is_called(heic, tmp_path):
    for name in ("IMG_1.HEIC", "IMG_2.jpg", "IMG_3"):
        (tmp_path / name).write_bytes(heic)
        difference = read_image(tmp_path / name).astype(int) - HEAD
        assert np.abs(difference).mean() < 4


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 1), (8, 3)])
def test_it_is_upright(orientation, turns):
    exif = Image.Exif()
    exif[0x0112] = orientation
    pillow_heif.register_heif_opener()  # which writes the orientation as phones do, as a property of the picture
    content = io.BytesIO()
    turned = Image.fromarray(np.ascontiguousarray(np.rot90(HEAD, turns)))
    turned.save(content, "HEIF", exif=exif.tobytes(), quality=95)
    assert np.abs(read_image(content.getvalue()).astype(int) - HEAD).mean() < 5


def test_a_damaged_one_is_named_in_a_line(heic, tmp_path):
    for end in (30, 200, len(heic) // 2):
        (tmp_path / "cut.heic").write_bytes(heic[:end])
        with pytest.raises(InputError, match=r"cut\.heic: a damaged") as caught:
            read_image(tmp_path / "cut.heic")
        assert "\n" not in str(caught.value)


def test_too_many_pixels_are_refused_before_they_are_decoded(heic):
    with pytest.raises(TooLargeError, match="its coded pictures are larger"):
        decode_picture(io.BytesIO(heic), "a", max_pixels=1000)


def test_without_the_extra_the_row_and_a_line_name_it(heic, tmp_path):
    (tmp_path / "a.heic").write_bytes(heic)
    Image.fromarray(ASTRONAUT).save(tmp_path / "b.jpg")
    code = "import sys; sys.modules['pi_heif'] = sys.modules['pillow_heif'] = None;from mien.cli.main import run; run()"
    command = [sys.executable, "-c", code, "predict", str(tmp_path), "--format", "csv"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=False)
    assert done.returncode == 1
    words = f"{tmp_path / 'a.heic'}: a HEIC picture, whose reader is not installed: pip install 'mien[heif]'"
    assert words in done.stderr
    assert [words in line for line in done.stdout.splitlines()] == [False, True, False]
    assert ",happy," in done.stdout
