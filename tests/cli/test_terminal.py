"""What people see in a terminal."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rich.cells import cell_len

from mien.cli.tables import shortened

if sys.platform == "win32":
    pytest.skip("Windows has no pseudo-terminals", allow_module_level=True)

from terminal import shown

ESCAPE = "\x1b["


@pytest.fixture
def picture(tmp_path, monkeypatch, write_linear_model):
    monkeypatch.chdir(tmp_path)
    write_linear_model(tmp_path / "model.onnx")

    def save(name):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (48, 48)).save(tmp_path / name)

    return save


def predict(*names, **options):
    return shown("predict", *names, "--model", "model.onnx", "--detector", "none", **options)


def test_control_characters_of_names_do_not_reach_the_terminal(picture):
    picture("a\x1b]0;title\x07\nb\x9b1m.png")
    text = predict("a\x1b]0;title\x07\nb\x9b1m.png", "gone\x1b]2J.png")
    assert r"a\x1b]0;title\x07\nb\x9b1m.png" in text
    assert r"mien: gone\x1b]2J.png: no such file" in text


@pytest.mark.parametrize("arguments", [("gone.png",), ("gone.png", "face.png", "--save"), ("--batch", "0", "face.png")])
def test_colours_are_left_out_where_they_are_not_wanted(picture, arguments):
    picture("face.png")
    assert ESCAPE in predict(*arguments)
    assert "\x1b[3" not in predict(*arguments, NO_COLOR="1").replace("\x1b[39m", "")
    assert ESCAPE not in predict(*arguments, TERM="dumb").replace("\x1b[0m", "")
    assert ESCAPE in predict(*arguments, NO_COLOR="")


def test_files_of_one_folder_are_told_apart_at_80_columns(picture):
    folder = "a folder for photographs of the summer holidays/by the sea/2024-07-14"
    names = [f"{folder}/IMG_20240714_1635{number:02}.png" for number in range(3)]
    for name in names:
        picture(name)
    lines = predict(folder, columns=80).splitlines()
    for name in names:
        (line,) = [line for line in lines if name.rpartition("/")[2] in line]
        assert line.startswith("a f")
        assert "…" in line
        assert len(line) <= 80


def test_a_name_longer_than_the_terminal_stays_whole(picture):
    name = "x" * 120 + ".png"
    picture(f"folder/{name}")
    assert name in predict(f"folder/{name}", columns=80).replace("\n", "")


@given(st.text("ab é漢/", max_size=60), st.text("xyz.漢", min_size=1, max_size=20), st.integers(1, 80))
def test_the_name_of_the_file_stays_whole_and_the_rest_fits(folders, file, width):
    name = f"{folders}/{file}"
    cut = shortened(name, width)
    assert cut.endswith(file)
    assert cell_len(cut) <= max(width, cell_len(file) + 2)
    if cell_len(name) <= width:
        assert cut == name


def test_models_fit_into_80_columns():
    assert max(map(len, shown("models", TERM="dumb").splitlines())) <= 80
