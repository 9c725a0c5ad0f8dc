import os

import numpy as np
import pytest
from PIL import Image

from mien.errors import InputError
from mien.media.read_image import read_image
from mien.media.search import EmptySource, Search
from mien.output.picture_file import write_picture

GRAY = np.random.default_rng(0).integers(0, 256, (20, 30), np.uint8)


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for name in ("b.jpg", "a.PNG", "notes.txt", "deep/er/c.webp", ".hidden.jpg", "we[ird].jpg", "empty/x.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["b.jpg"], ["b.jpg"]),
        (["."], ["a.PNG", "b.jpg", "deep/er/c.webp", "we[ird].jpg"]),
        (["*.jpg"], ["b.jpg", "we[ird].jpg"]),
        (["**/*.webp"], ["deep/er/c.webp"]),
        (["we[ird].jpg"], ["we[ird].jpg"]),
        (["d*"], ["deep/er/c.webp"]),
        (["missing.jpg", "b.jpg"], ["missing.jpg", "b.jpg"]),
        (["b.jpg", "*.jpg", "./b.jpg"], ["b.jpg", "we[ird].jpg"]),
        (["notes.txt"], ["notes.txt"]),
        (["a" * 5000], ["a" * 5000]),
    ],
)
def test_files_folders_and_patterns_are_expanded(tree, sources, expected):
    assert [str(path) for path in Search().expand(sources)] == expected


def test_what_holds_no_picture_stays_in_its_place(tree):
    found = Search().expand(["empty/", "b.jpg", "*.tif", "e*", "*.tif"])
    assert [entry.source if isinstance(entry, EmptySource) else str(entry) for entry in found] == [
        "empty", "b.jpg", "*.tif", "e*",
    ]  # fmt: skip
    assert found[0].error.startswith("empty: no pictures or videos in this folder")
    assert found[2].error == "*.tif: no picture or video matches this pattern"


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        (["empty"], "^empty: no pictures or videos in this folder"),
        (["*.tif"], r"^\*\.tif: no picture or video matches this pattern$"),
        (["empty", "*.tif"], r"^empty: no pictures or videos .*; \*\.tif: no picture"),
        ([], "no sources"),
    ],
)
def test_nothing_at_all_is_an_error(tree, sources, words):
    with pytest.raises(InputError, match=words):
        Search().expand(sources)


def save(path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(GRAY).save(path, **options)
    return path


def found_in(folder, *sources):
    """Relative paths that are found, and what is said of the others."""
    search = Search()
    entries = search.expand([str(source) for source in sources or [folder]])
    errors = [entry.error for entry in entries if isinstance(entry, EmptySource)]
    assert not errors
    return [str(entry.relative_to(folder)) for entry in entries], search.left_out()


def test_every_file_that_looks_like_one_is_found_by_its_name_or_its_content(tmp_path, write_clip):
    for name in ("a.jpg", "b.heic", "c.cr2", "d.svg", "e.mp4", "f.mkv", "g.3g2", "h.rmvb", "i.JXL", "j.h264"):
        (tmp_path / name).touch()
    save(tmp_path / "no suffix", format="JPEG")
    save(tmp_path / "photo.jpg_large", format="PNG")
    write_clip(tmp_path / "clip.mp4", [np.zeros((16, 16, 3), np.uint8)]).rename(tmp_path / "clip.backup")
    for name in ("notes.txt", "code.ts", "song.mp3", "table.csv"):
        (tmp_path / name).write_text("export const a = 1;\n" * 30)
    expected = ["a.jpg", "b.heic", "c.cr2", "clip.backup", "d.svg", "e.mp4", "f.mkv", "g.3g2", "h.rmvb", "i.JXL"]
    assert found_in(tmp_path) == ([*expected, "j.h264", "no suffix", "photo.jpg_large"], [])


def test_pictures_in_rare_formats_are_told_from_other_files_of_their_suffix(tmp_path):
    for name, content in {
        "light.hdr": b"#?RADIANCE\n\n-Y 1 +X 1\n\x80\x80\x80\x81", "scan.hdr": b"ENVI\nsamples = 4\n",
        "light.pfm": b"PF\n1 1\n-1.0\n" + bytes(12), "font.pfm": b"\0\1" + bytes(200),
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(content)
    assert found_in(tmp_path) == (["light.hdr", "light.pfm"], [])
    for name in ("light.hdr", "light.pfm"):
        with pytest.raises(InputError, match="in a rare format, which is not read; convert it to JPEG or PNG"):
            read_image(tmp_path / name)


def test_linked_folders_are_searched_once_and_loops_end(tmp_path):
    photos = tmp_path / "photos"
    save(photos / "a.png")
    save(photos / "deep" / "b.png")
    save(tmp_path / "elsewhere" / "c.png")
    save(tmp_path / "not asked for.png")
    for name, target in {
        "self": ".", "up": "..", "deep/top": "..", "deep/loop": "loop",
        "linked": "../elsewhere", "again": "../elsewhere",
    }.items():  # fmt: skip
        (photos / name).symlink_to(target)
    found, (said, broken) = found_in(photos)
    assert broken.startswith("left out 1 file, links to nothing: ")
    assert found == ["a.png", "again/c.png", "deep/b.png"]
    assert said.startswith("left out 4 files, found before: ")
    found, _ = found_in(photos, photos / "**" / "*.png")
    assert found == ["a.png", "again/c.png", "deep/b.png"]


def test_a_linked_picture_is_found_once_and_a_broken_link_is_named(tmp_path):
    save(tmp_path / "photos" / "b.png")
    outside = save(tmp_path / "outside.png")
    for name, target in {"a.png": "b.png", "c.png": str(outside), "gone.jpg": "nowhere", "gone": "nowhere"}.items():
        (tmp_path / "photos" / name).symlink_to(target)
    found, said = found_in(tmp_path / "photos")
    assert found == ["b.png", "c.png", "gone.jpg"]  # reading gone.jpg says that it is missing
    assert [line.partition(": ")[0] for line in said] == [
        "left out 1 file, found before", "left out 1 file, links to nothing",
    ]  # fmt: skip


@pytest.mark.parametrize("pattern", ["", "*", "**/*", "*.mp4"])
def test_a_pipe_is_named_and_not_opened(tmp_path, pattern):
    for name in ("pipe.mp4", "pipe.jpg", "pipe"):
        os.mkfifo(tmp_path / name)
    found = Search().expand([str(save(tmp_path / "a.png")), str(tmp_path / pattern)])
    errors = [entry.error for entry in found if isinstance(entry, EmptySource)]
    assert f"{tmp_path / 'pipe.mp4'}: a pipe, socket or device, not a file; name it to read it" in errors
    assert [entry for entry in found if not isinstance(entry, EmptySource)] == [tmp_path / "a.png"]


def test_a_pipe_that_is_named_is_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.ts")
    assert Search().expand([str(tmp_path / "pipe.ts")]) == [tmp_path / "pipe.ts"]


def test_hidden_folders_are_counted_and_searched_when_they_are_named(tmp_path):
    save(tmp_path / "a.png")
    for name in (".thumbnails/b.png", "deep/.cache/c.png"):
        save(tmp_path / name)
    line = f"left out 2 folders, hidden: {tmp_path / '.thumbnails'}, ...; name it to read it"
    for pattern in ("", "**/*.png"):
        assert found_in(tmp_path, tmp_path / pattern) == (["a.png"], [line])
    assert found_in(tmp_path, tmp_path / ".thumbnails") == ([".thumbnails/b.png"], [])


def test_a_file_that_is_written_in_two_ways_is_found_once(tmp_path, monkeypatch):
    save(tmp_path / "photos" / "a.png")
    (tmp_path / "photos" / "b.png").symlink_to("a.png")
    monkeypatch.chdir(tmp_path)
    ways = ["photos", str(tmp_path / "photos"), "photos/../photos/*.png", "photos/b.png"]
    search = Search()
    assert list(map(str, search.expand(ways))) == ["photos/a.png"]
    assert search.left_out()[0].startswith("left out 5 files, found before: ")


def test_hidden_pictures_are_counted(tmp_path):
    for name in ("a.png", ".b.png", ".c.mp4", ".notes"):
        (tmp_path / name).touch()
    assert found_in(tmp_path) == (["a.png"], [f"left out 2 files, hidden: {tmp_path / '.b.png'}, ..."])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_must_not_be_read_is_named(tmp_path):
    save(tmp_path / "a.png")
    (tmp_path / "closed").mkdir(mode=0)
    _, closed = Search().expand([str(tmp_path)])
    assert closed.error == f"{tmp_path / 'closed'}: cannot be searched (Permission denied)"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may enter every folder")
@pytest.mark.parametrize("pattern", ["", "**/*.png", "closed/*"])
def test_files_of_a_folder_that_must_not_be_entered_are_found(tmp_path, pattern):
    save(tmp_path / "closed" / "a.png")
    (tmp_path / "closed").chmod(0o444)
    assert Search().expand([str(tmp_path / pattern)]) == [tmp_path / "closed" / "a.png"]
    (tmp_path / "closed").chmod(0o755)


@pytest.fixture
def own(tmp_path):
    """A folder with a picture, and what mien made of it under several names."""
    save(tmp_path / "party.jpg")
    for name in ("party.mien.jpg", "holiday.png", "deep/er/IMG_0001.jpeg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_picture(tmp_path / name, GRAY)
    (tmp_path / "clip.mien.mp4").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("patterns", "left_out"),
    [([""], 4), (["*"], 4), (["*.jpg"], 1), (["**/*.jp*g"], 2), (["party.jpg", "party.mien.jpg"], 1)],
)
def test_what_mien_made_is_left_out_whatever_it_is_called(own, patterns, left_out):
    found, (said,) = found_in(own, *(own / pattern for pattern in patterns))
    assert found == ["party.jpg"]
    files = "1 file" if left_out == 1 else f"{left_out} files"
    assert said.startswith(f"left out {files}, made by mien: ")


def test_what_mien_made_is_read_when_it_alone_is_named(own):
    assert found_in(own, own / "party.mien.jpg") == (["party.mien.jpg"], [])
    assert found_in(own, own / "party.mien.jpg", own / "holiday.png") == (["party.mien.jpg", "holiday.png"], [])


def test_a_folder_of_nothing_else_says_how_many_there_are(own):
    (own / "party.jpg").unlink()
    with pytest.raises(InputError, match="no pictures or videos in this folder but 4 that mien wrote"):
        Search().expand([str(own)])
    with pytest.raises(InputError, match="no picture or video matches this pattern but 1 that mien wrote"):
        Search().expand([str(own / "*.jpg")])
