import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.errors import InputError, SinkError
from mien.media.sources import sort_sources
from mien.output.drawing import annotate
from mien.output.folder import HEADER_FILE, AnnotatedPictures, Names
from mien.output.recognized import Recognized
from mien.results import Box, Face, Frame, Header

PICTURE = np.random.default_rng(0).integers(0, 256, (410, 420, 3), np.uint8)
FACE = Face(Box(30, 60, 100, 100), 0.9, (0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1))


def recognized(source, **values):
    return Recognized(Frame(str(source), width=420, height=410, faces=(FACE,), **values), PICTURE)


def saved(folder, *sources, kept=()):
    """The files that a sink for pictures writes for sources."""
    with AnnotatedPictures(Names(folder, kept)) as sink:
        for source in sources:
            sink.add(recognized(source))
        return list(sink.close())


def test_the_annotated_picture_is_saved(tmp_path):
    (path,) = saved(tmp_path / "new" / "out", "somewhere/party.png")
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
    (path,) = saved(tmp_path, source)
    assert path.name == name
    assert Image.open(path).format == form


def test_sources_of_one_name_do_not_overwrite_each_other(tmp_path):
    names = [path.name for path in saved(tmp_path, "a/x.jpg", "b/x.jpg", "c/x.jpg")]
    assert names == ["x.mien.jpg", "x-2.mien.jpg", "x-3.mien.jpg"]


def test_what_differs_in_its_suffix_has_names_of_its_own(tmp_path):
    sources = ["x/1.avif", "x/1.jpg", "x/1.png", "y/1.jpg"]
    explained, copied, filmed = Names(tmp_path), Names(tmp_path), Names(tmp_path)
    assert [explained.explained(source).name for source in sources] == [
        "1.explained.mien", "1-2.explained.mien", "1-3.explained.mien", "1-4.explained.mien",
    ]  # fmt: skip
    assert [copied.picture(source).name for source in sources] == [
        "1.mien.png", "1.mien.jpg", "1-2.mien.png", "1-2.mien.jpg",
    ]  # fmt: skip
    for name in ("1.mp4", "1.mkv"):
        (tmp_path / name).touch()
    assert [filmed.video(str(tmp_path / name)).name for name in ("1.mp4", "1.mkv")] == ["1.mien", "1-2.mien"]


@pytest.mark.parametrize("second", ["CAFÉ.PNG", "cafe\u0301.png"])
def test_names_differ_in_more_than_capitals_and_the_encoding_of_accents(tmp_path, second):
    """Or file systems that ignore these, as those of Windows and macOS do, would hold one file for two pictures."""
    names = Names(tmp_path)
    first, other = names.picture("café.png"), names.picture(second)
    assert (first.name, other.name) == ("café.mien.png", f"{Path(second).stem}-2.mien.png")


@pytest.mark.parametrize("stem", ["results", "sorted"])
def test_a_video_does_not_take_the_name_of_the_file_that_says_what_results_come_from(tmp_path, stem):
    video = tmp_path / f"{stem}.mp4"
    video.touch()
    assert Names(tmp_path).video(str(video)).name == f"{stem}-2.mien"


def test_subfolders_of_searched_folders_are_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("photos/x.png", "photos/a/x.png", "photos/a/b/x.jpg", "more/a/x.png", "alone/x.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(PICTURE).save(name)
    found = sort_sources(["photos", "more/*/x.png", "alone/x.png"])
    assert found.folders == (Path("photos"), Path("more"))
    names = Names(tmp_path / "out", found.pictures, found.folders)
    kept = [names.picture(str(source)).relative_to(tmp_path / "out") for source in found.pictures]
    assert dict(zip(map(str, found.pictures), map(str, kept), strict=True)) == {
        "photos/x.png": "x.mien.png", "photos/a/x.png": "a/x.mien.png", "photos/a/b/x.jpg": "a/b/x.mien.jpg",
        "more/a/x.png": "a/x-2.mien.png", "alone/x.png": "x-2.mien.png",
    }  # fmt: skip
    assert names.video("photos/a/x.png") == tmp_path / "out" / "a" / "x.mien"
    assert Names(tmp_path / "o", (), sort_sources(["."]).folders).picture("photos/a/x.png").parent.name == "a"


def test_a_subfolder_that_cannot_be_made_keeps_nothing_else_from_being_written(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").touch()
    sink = AnnotatedPictures(Names(tmp_path / "out", searched=(Path("in"),)))
    for source in ("in/a/x.png", "in/y.png", "../in/z.png"):
        sink.add(recognized(source))
    with pytest.raises(SinkError, match="out/a: cannot be made a folder") as caught:
        sink.close()
    assert [path.name for path in caught.value.paths] == ["y.mien.png", "z.mien.png"]


def test_no_source_is_ever_overwritten(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sources = [tmp_path / "x.jpg", tmp_path / "x.mien.jpg"]
    for source in sources:
        source.write_bytes(b"original")
    paths = saved(sources[0].parent.relative_to(tmp_path), *sources, kept=sources)
    assert [path.name for path in paths] == ["x-2.mien.jpg", "x.mien.mien.jpg"]
    assert [source.read_bytes() for source in sources] == [b"original"] * 2


def test_an_earlier_result_is_replaced(tmp_path):
    assert saved(tmp_path, "x.png") == saved(tmp_path, "x.png")


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file: cannot be made a folder"):
        Names(tmp_path / "file")


def test_a_picture_that_cannot_be_written_is_named_and_keeps_no_other_from_being_written(tmp_path):
    (tmp_path / "x.mien.png").mkdir()
    with pytest.raises(SinkError, match=r"x\.mien\.png: cannot be written") as caught:
        saved(tmp_path, "x.png", "y.png")
    assert [path.name for path in caught.value.paths] == ["y.mien.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.mien.png", "y.mien.png"]


def test_frames_of_videos_and_what_could_not_be_read_are_passed_over(tmp_path):
    sink = AnnotatedPictures(Names(tmp_path))
    sink.add(recognized("a.mp4", time=0.0))
    sink.add(Recognized(Frame("b.png", error="b.png: no such file"), None))
    assert sink.close() == []


def test_a_file_beside_the_pictures_says_what_they_come_from(tmp_path):
    header = Header("mien_s", "ab" * 32, {"detector": "yunet"})
    sink = AnnotatedPictures(Names(tmp_path))
    sink.add(recognized("a.png", header=header))
    assert [path.name for path in sink.close()] == ["a.mien.png", HEADER_FILE]
    assert json.loads((tmp_path / HEADER_FILE).read_text()) == header.to_dict()


@pytest.mark.parametrize("letter", ["l", "ü", "🎉"])
def test_a_name_as_long_as_file_systems_allow_fits(tmp_path, letter):
    longest = letter * (251 // len(letter.encode()))
    first, second = saved(tmp_path, f"{longest}.jpg", f"{longest[:-1]}x.jpg")
    assert first.name == f"{longest[: 220 // len(letter.encode())]}.mien.jpg"
    assert second.name.endswith("-2.mien.jpg")
    assert [entry.name for entry in tmp_path.iterdir() if "partial" in entry.name] == []
