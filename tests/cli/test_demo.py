"""The first minute: `mien` alone, and `mien demo`."""

import re

import numpy as np
import pytest
from PIL import Image
from skimage import data
from typer.testing import CliRunner

import mien
from mien.cli.main import app

ASTRONAUT = (178, 63, 90, 113)
"""Where other tests find her."""


def test_mien_alone_says_what_to_try():
    done = CliRunner().invoke(app, [])
    assert (done.exit_code, done.stderr) == (0, "")
    commands = re.findall(r"mien (\w+)", done.stdout)
    assert len(done.stdout.splitlines()) == 3
    assert {"demo", "predict", "doctor"} == {name for name in commands if name != "that"}
    for name in ("demo", "predict", "doctor"):
        assert CliRunner().invoke(app, [name, "--help"]).exit_code == 0


def test_the_demo_writes_an_annotated_photo(tmp_path):
    done = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "seen")])
    assert (done.exit_code, done.stderr) == (0, "")
    (written,) = (tmp_path / "seen").iterdir()
    assert str(written) in done.stdout
    assert "public domain" in done.stdout
    face = re.search(r"happy \d\d% .* at (\d+), (\d+), (\d+), (\d+)", done.stdout)
    np.testing.assert_allclose([int(number) for number in face.groups()], ASTRONAUT, atol=3)
    drawn, plain = np.asarray(Image.open(written), np.int16), data.astronaut()
    x, y, _, height = ASTRONAUT
    changed = np.abs(drawn - plain).max(axis=2) > 60
    assert changed[y + 5 : y + height - 5, x - 3 : x + 4].any(axis=1).mean() > 0.9
    assert changed[400:].mean() < 0.01


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    done = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "file")])
    with pytest.raises(mien.MienError, match="cannot be made a folder"):
        raise done.exception
