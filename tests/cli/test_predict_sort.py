"""`mien predict --sort`: every picture has one place, and nothing is overwritten."""

import json
import os
import shutil
from collections import Counter
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image
from skimage import data
from typer.testing import CliRunner

import mien
from mien.cli.main import app
from mien.errors import InputError, UsageError
from mien.media.search import Search
from mien.output.sorted_pictures import SortedPictures, place_of
from mien.results import Box, Face, Frame, Header
from waiting import HANG

HEADER = Header("mien_s", None, {})


def face(emotion, least=0.0):
    return Face(Box(0, 0, 9, 9), 0.9, (0.05 + 0.65 * np.eye(7)[emotion]).tolist(), min_probability=least)


@pytest.mark.parametrize(
    ("faces", "error", "place"),
    [
        ([face(3)], None, "happy"),
        ([face(3), face(3)], None, "happy"),
        ([face(3), face(6)], None, "_mixed"),
        ([face(3), face(3, 0.8)], None, "_uncertain"),
        ([face(3, 0.8), face(6)], None, "_uncertain"),
        ([], None, "_no-face"),
        ([], "a.jpg: broken", "_failed"),
    ],
)
def test_every_picture_has_one_place(faces, error, place):
    assert place_of(Frame("a.jpg", faces=tuple(faces), error=error), mien.EMOTIONS) == place


def test_a_class_that_is_called_like_a_folder_keeps_it():
    assert place_of(Frame("a.jpg"), ("_No-Face", "__no-face")) == "___no-face"


@pytest.fixture
def photos(tmp_path, monkeypatch, write_linear_model):
    """Pictures of one name in several folders, one of them twice the same, one broken; the current folder."""
    monkeypatch.chdir(tmp_path)
    write_linear_model(tmp_path / "model.onnx")
    for number, name in enumerate(("photos/x.png", "photos/a/x.png", "photos/b/x.png")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(data.astronaut()[:300, 100 : 400 - number]).save(name)
    (tmp_path / "photos" / "c").mkdir()
    shutil.copy("photos/x.png", "photos/c/x.png")
    Image.fromarray(data.coffee()).save("photos/coffee.png")
    (tmp_path / "photos" / "broken.png").write_text("no picture")
    return tmp_path


def sort(*options):
    return CliRunner().invoke(app, ["predict", "photos", "--model", "model.onnx", "--format", "jsonl", *options])


def places(folder):
    """Content by place."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.glob("*/*")) if path.is_file()}


def test_copies_lie_in_folders_by_expression_and_a_second_run_adds_none(photos):
    result = sort("--sort", "sorted")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1  # the broken one
    found = places(photos / "sorted")
    sources = {row["source"]: (photos / row["source"]).read_bytes() for row in rows}
    assert sorted(found.values()) == sorted(sources.values())  # byte for byte, each once
    expected = Counter(row["faces"][0]["emotion"] if row["faces"] else "_no-face" for row in rows if not row["error"])
    assert Counter(name.split("/")[0] for name in found) == expected + Counter({"_failed": 1})
    assert {"_no-face/coffee.png", "_failed/broken.png"} < found.keys()
    assert "sorted 6 pictures into sorted: _failed 1, _no-face 1" in result.stderr
    assert json.loads((photos / "sorted" / "sorted.mien.json").read_text())["model"]["name"]
    sort("--sort", "sorted")
    assert places(photos / "sorted") == found


def test_links_point_to_the_pictures_and_what_is_there_is_never_replaced(photos):
    (photos / "sorted" / "_no-face").mkdir(parents=True)
    (photos / "sorted" / "_no-face" / "coffee.png").write_text("mine")
    sort("--sort", "sorted", "--sort-as", "link")
    link = photos / "sorted" / "_no-face" / "coffee-2.png"
    assert link.is_symlink()
    assert link.resolve() == photos / "photos" / "coffee.png"
    assert (photos / "sorted" / "_no-face" / "coffee.png").read_text() == "mine"
    before = sorted((photos / "sorted").rglob("*"))
    sort("--sort", "sorted", "--sort-as", "link")
    assert sorted((photos / "sorted").rglob("*")) == before


def test_sorted_pictures_are_not_found_again_unless_they_are_named(photos):
    sort("--sort", "photos/sorted")
    search = Search()
    found = search.expand(["photos"])
    assert len(found) == 6
    assert search.left_out() == ["left out 1 folder, sorted by mien: photos/sorted; name it to read it"]
    assert len(Search().expand(["photos/sorted"])) == 6
    assert len(Search().expand(["photos/**/*.png"])) == 6


def test_a_picture_that_cannot_be_copied_is_named_and_the_others_are_sorted(photos):
    (photos / "sorted").mkdir()
    (photos / "sorted" / "_no-face").write_text("a file")
    result = sort("--sort", "sorted")
    assert result.exit_code == 1
    assert "sorted/_no-face: cannot be made a folder" in result.stderr
    assert len(places(photos / "sorted")) == 5


def test_what_is_no_picture_file_is_refused_or_left_out(photos, write_clip, stage):
    with pytest.raises(UsageError, match="--sort sorted sorts picture files, and there are none"):
        raise sort_of("--fps", "10").exception
    with pytest.raises(UsageError, match="with clear faces"):
        raise sort_of("--blur").exception
    with pytest.raises(UsageError, match="--sort-as says how --sort DIR sorts: add that"):
        raise sort("--sort-as", "link").exception
    with pytest.raises(UsageError, match=r"--sort photos: what is to be sorted, photos.a.x\.png, lies in it"):
        raise sort("--sort", "photos").exception
    (photos / "loop").symlink_to("loop")
    with pytest.raises(InputError, match="loop: a link that leads nowhere, to loop"):
        raise sort("--sort", "loop").exception
    assert not list(photos.rglob("sorted.mien.json"))
    write_clip(photos / "photos" / "clip.mp4", [stage((0, 100, 60))] * 3)
    assert "--sort leaves out 1 video; it sorts picture files" in sort_of().stderr
    assert not list((photos / "sorted").rglob("clip*"))


@pytest.mark.parametrize("files", [(), ("photos/coffee.png",)])
def test_pictures_from_pipes_have_no_file_to_sort(photos, files):
    os.mkfifo("pipe")
    writer = Thread(target=lambda: Path("pipe").write_bytes(Path("photos/x.png").read_bytes()), daemon=True)
    if files:  # otherwise the pipe is not read
        writer.start()
    words = ("--model", "model.onnx", "--format", "jsonl", "--sort", "sorted")
    result = CliRunner().invoke(app, ["predict", "pipe", *files, *words])
    if files:
        writer.join(HANG)
        assert len(result.stdout.splitlines()) == 2
        assert "--sort leaves out 1 pipe; it sorts picture files" in result.stderr
        assert "sorted 1 pictures into sorted: " in result.stderr
    else:
        expected = (
            "--sort sorted sorts picture files, and what comes through a pipe is none: name files, or leave it out"
        )
        assert isinstance(result.exception, UsageError)
        assert str(result.exception) == expected
        assert not (photos / "sorted").exists()


def sort_of(*options):
    return sort("--sort", "sorted", *options)


def test_files_of_one_run_are_never_one_though_they_are_equal(tmp_path):
    for folder in "ab":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.jpg").write_bytes(b"same")
    pictures = {folder: tmp_path / folder / "x.jpg" for folder in "ab"}
    with SortedPictures(tmp_path / "out", pictures, HEADER, "copy") as sink:
        for folder in "ab":
            sink.add(mien.Recognized(Frame(folder, faces=(face(3),)), None))
    assert sorted(path.name for path in (tmp_path / "out" / "happy").iterdir()) == ["x-2.jpg", "x.jpg"]
