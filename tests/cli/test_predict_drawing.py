"""What `mien predict` draws in copies, and how large they are."""

import numpy as np
import pytest
from PIL import Image
from skimage import data
from typer.testing import CliRunner

import mien
from mien.cli.main import app
from mien.errors import UsageError
from mien.output.blur import blurred


@pytest.fixture
def workplace(tmp_path, write_linear_model):
    folder = tmp_path
    write_linear_model(folder / "model.onnx")
    Image.fromarray(data.astronaut()).save(folder / "a.png")
    Image.fromarray(data.astronaut()[:300, 100:400]).save(folder / "small.png")
    Image.fromarray(data.coffee()).save(folder / "coffee.png")
    return folder


def copies(workplace, monkeypatch, *options):
    """The annotated copies of the pictures by name."""
    monkeypatch.chdir(workplace)
    names = ("a", "small", "coffee")
    command = ["predict", *(f"{name}.png" for name in names), "--model", "model.onnx", "--out", "out", *options]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.stderr
    return {name: np.asarray(Image.open(f"out/{name}.mien.png")) for name in names}


def test_copies_have_the_size_of_the_picture_and_what_was_asked_for(workplace, monkeypatch):
    found = copies(workplace, monkeypatch, "--no-labels", "--no-bars", "--say-no-face")
    assert {name: copy.shape for name, copy in found.items()} == {
        "a": (512, 512, 3), "small": (300, 300, 3), "coffee": data.coffee().shape,
    }  # fmt: skip
    faces = mien.recognize(data.astronaut(), model="model.onnx").faces
    np.testing.assert_array_equal(found["a"], mien.annotate(data.astronaut(), faces, labels=False, bars=False))
    assert (found["coffee"] != data.coffee())[:40, :150].any()


def test_blurred_copies_show_no_face(workplace, monkeypatch):
    copy = copies(workplace, monkeypatch, "--blur")["a"]
    (face,) = faces = mien.recognize(data.astronaut(), model="model.onnx").faces
    hidden = blurred(data.astronaut(), [face.box])
    np.testing.assert_array_equal(copy, mien.annotate(hidden, faces))
    np.testing.assert_array_equal(copy, mien.annotate(data.astronaut(), faces, blur=True))


@pytest.mark.parametrize("option", [("--min-face", "60"), ("--max-yaw", "30")])
def test_blurring_refuses_filters_that_would_leave_faces_clear(workplace, monkeypatch, option):
    monkeypatch.chdir(workplace)
    result = CliRunner().invoke(app, ["predict", "a.png", "--blur", "--out", "out", *option])
    assert isinstance(result.exception, UsageError)
