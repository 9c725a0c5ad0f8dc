import numpy as np
import pytest
from PIL import Image

from mien.errors import InputError
from mien.inference.saving import PictureFolder
from mien.output.drawing import annotate
from mien.results import Box, Face, Frame

PICTURE = np.random.default_rng(0).integers(0, 256, (410, 420, 3), np.uint8)
FACE = Face(Box(30, 60, 100, 100), 0.9, (0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1))


def frame(source):
    return Frame(str(source), width=420, height=410, faces=(FACE,))


def test_the_annotated_picture_is_saved(tmp_path):
    folder = PictureFolder(tmp_path / "new" / "out", [])
    path = folder.save(frame("somewhere/party.png"), PICTURE)
    assert path == tmp_path / "new" / "out" / "party.mien.png"
    np.testing.assert_array_equal(np.asarray(Image.open(path)), annotate(PICTURE, [FACE]))
    assert [entry.name for entry in path.parent.iterdir()] == ["party.mien.png"]


@pytest.mark.parametrize(
    ("source", "name", "form"),
    [
        ("a.jpg", "a.mien.jpg", "JPEG"),
        ("a.JPEG", "a.mien.jpeg", "JPEG"),
        ("a.tiff", "a.mien.png", "PNG"),
        ("a", "a.mien.png", "PNG"),
        ("a.b.webp", "a.b.mien.png", "PNG"),
    ],
)
def test_jpeg_stays_jpeg_and_all_else_becomes_png(tmp_path, source, name, form):
    path = PictureFolder(tmp_path, []).save(frame(source), PICTURE)
    assert path.name == name
    assert Image.open(path).format == form


def test_sources_of_one_name_do_not_overwrite_each_other(tmp_path):
    folder = PictureFolder(tmp_path, [])
    names = [folder.save(frame(f"{place}/x.jpg"), PICTURE).name for place in "abc"]
    assert names == ["x.mien.jpg", "x-2.mien.jpg", "x-3.mien.jpg"]


def test_no_source_is_ever_overwritten(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sources = [tmp_path / "x.jpg", tmp_path / "x.mien.jpg"]
    for source in sources:
        source.write_bytes(b"original")
    folder = PictureFolder(sources[0].parent.relative_to(tmp_path), sources)
    assert [folder.save(frame(source), PICTURE).name for source in sources] == ["x-2.mien.jpg", "x.mien.mien.jpg"]
    assert [source.read_bytes() for source in sources] == [b"original"] * 2


def test_an_earlier_result_is_replaced(tmp_path):
    first = PictureFolder(tmp_path, []).save(frame("x.png"), PICTURE)
    assert PictureFolder(tmp_path, []).save(frame("x.png"), PICTURE) == first


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file: cannot be made a folder"):
        PictureFolder(tmp_path / "file", [])


def test_a_picture_that_cannot_be_written_is_named(tmp_path):
    folder = PictureFolder(tmp_path / "out", [])
    (tmp_path / "out" / "x.mien.png").mkdir()
    with pytest.raises(InputError, match=r"x\.mien\.png: cannot be written"):
        folder.save(frame("x.png"), PICTURE)
    assert not list((tmp_path / "out").glob(".*"))
