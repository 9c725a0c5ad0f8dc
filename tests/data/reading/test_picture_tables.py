"""Csvs that name pictures, as spreadsheets of several systems and languages write them."""

import os

import numpy as np
import pytest
from PIL import Image

from mien.data.reading.importing import import_data
from mien.data.reading.picture_tables import table_pictures
from mien.errors import DataError, MienError

LABELS = ("高兴", "خوف", "=1+1", "🙂")


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate(("a.png", "sub/b.png", "sub/c, d.png", "e.png")):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (48, 48), 10 * number + 5).save(path)
    return tmp_path / "photos"


def written(folder, text, encoding="utf-8"):
    (folder / "list.csv").write_bytes(text.encode(encoding))
    return folder / "list.csv"


@pytest.mark.parametrize(
    ("delimiter", "encoding", "end"), [(",", "utf-8", "\n"), (";", "utf-8-sig", "\r\n"), ("\t", "utf-8-sig", "\n")]
)
@pytest.mark.parametrize("slash", ["/", "\\"])
def test_what_spreadsheets_write_is_read(folder, tmp_path, delimiter, encoding, end, slash):
    names = ["a.png", f"sub{slash}b.png", f'"sub{slash}c, d.png"', f'"{folder}/e.png"']
    lines = [["Path", "note", " LABEL ", "usage"], *([name, '"two\nlines"', label, "TRAIN"] for name, label in
             zip(names, LABELS, strict=True))]  # fmt: skip
    source = written(folder, end.join(delimiter.join(line) for line in lines) + end, encoding)
    store = import_data(source, tmp_path / "out")
    assert [store.class_of(row) for row in range(4)] == list(LABELS)
    assert store.faces[:, 0, 0].tolist() == [5, 15, 25, 35]
    assert store.files.tolist() == ["a.png", "sub/b.png", "sub/c, d.png", "e.png"]
    assert not store.usages.any()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a.png,x,g", "", "e.png,y,"], "line 4 has no group: expected one in every line, or in none"),
        (['"a.png","x\nz",g', "a.png,y,h"], r"line 4 names 'a\.png' again, as line 3"),
        (["a.png,x,g,h"], "line 2 has more cells than the header: expected text with ',' in it in quotes"),
        (
            ["a.png,x,g", 'e.png,"y,h', "sub/b.png,y,h"],
            r"not a csv after line 2 \(unexpected end of data\): expected each",
        ),
        (["", '"a.png" ,"x",g'], "list.csv: line 3 has text or blanks after a closing quote: expected nothing there"),
        (['a.png,"quoted" word,g'], "line 2 has text or blanks after a closing quote: .* within quotes doubled"),
        (['"a.png,x,g', '"e.png",y,h'], "lines 2 to 3 have text or blanks after a closing quote"),
        ([r"..\photos\a.png,x,g"], r"expected a path that begins in the csv's folder"),
        (["/etc/hostname,x,g"], "expected a path that begins in the csv's folder"),
        (["gone.png,x,g"], r"line 2 names 'gone\.png': no such file in"),
        ([",x,g"], "line 2 has path '' and label 'x': expected text in both"),
    ],
)
def test_a_bad_line_is_named_by_its_number_in_the_file(folder, lines, message):
    with pytest.raises(DataError, match=message):
        table_pictures(written(folder, "\n".join(["path,label,group", *lines])), "Training")


def test_blank_cells_beyond_the_header_say_nothing(folder):
    (picture,) = table_pictures(written(folder, "path,label\na.png,x,,\n"), "Training")
    assert (picture.path, picture.name) == (folder / "a.png", "x")


def test_blanks_before_a_quote_are_none_of_the_cell(folder):
    (picture,) = table_pictures(written(folder, 'path, label\n"a.png", "x, y"\n'), "Training")
    assert (picture.path, picture.name) == (folder / "a.png", "x, y")


def test_a_csv_with_other_names_of_columns_is_told_which_ones_are_meant(folder, tmp_path):
    with pytest.raises(DataError, match=r"the header is 'image,class'.*or, in a csv of pictures, path and label"):
        import_data(written(folder, "image,class\na.png,x\n"), tmp_path / "out")


def test_a_pipe_among_pictures_is_named_and_not_waited_for(tmp_path):
    for name in ("x", "y"):
        (tmp_path / "faces" / name).mkdir(parents=True)
        Image.new("L", (48, 48)).save(tmp_path / "faces" / name / "a.png")
    os.mkfifo(tmp_path / "faces" / "x" / "pipe.png")
    with pytest.raises(MienError, match=r"1 picture cannot be read.*pipe\.png: not a regular file"):
        import_data(tmp_path / "faces", tmp_path / "out", usage="Training")


def test_names_of_files_may_be_made_of_any_bytes(tmp_path):
    for name in (b"x/caf\xe9/\xfc.png", b"y/th\xe9/\xfc.png"):
        path = tmp_path / "faces" / os.fsdecode(name)
        path.parent.mkdir(parents=True)
        Image.new("L", (48, 48)).save(path)
    store = import_data(tmp_path / "faces", tmp_path / "out", usage="Training", groups="folder")
    assert store.files.tolist() == [r"x/caf\udce9/\udcfc.png", r"y/th\udce9/\udcfc.png"]
    assert store.groups.tolist() == [r"caf\udce9", r"th\udce9"]
    assert all(name.encode() for name in np.concatenate([store.files, store.groups]))


def test_pictures_beside_the_folders_of_classes_are_said_to_be_left_out(tmp_path, caplog):
    for name in ("x/a.png", "y/b.png", "c.jpg", "notes.txt"):
        path = tmp_path / "faces" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (48, 48)).save(path, "png")
    assert len(import_data(tmp_path / "faces", tmp_path / "out", usage="Training")) == 2
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / 'faces'}: left out what lies beside its folders: 'c.jpg'"
    ]
