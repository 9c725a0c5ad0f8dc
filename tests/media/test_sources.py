from pathlib import Path

import pytest
from PIL import Image

from mien.media.sequence import PictureSequence
from mien.media.sources import sort_sources, video_name


@pytest.fixture(autouse=True)
def shots(tmp_path, monkeypatch):
    """A folder of twelve pictures whose numbers have no zeros in front; the current one holds it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shots").mkdir()
    for number in range(12):
        Image.new("L", (8, 8)).save(f"shots/f{number}.png")


def names(video):
    return [path.name for path in video]


@pytest.mark.parametrize("source", ["shots", "shots/*.png"])
def test_pictures_of_a_folder_or_pattern_are_one_video_in_the_order_of_their_numbers(source):
    (video,) = sort_sources([source], fps=10).videos
    assert names(video) == [f"f{number}.png" for number in range(12)]


def test_pictures_named_one_by_one_are_one_video_in_the_order_given():
    found = sort_sources(["shots/f3.png", "shots", "clip.mp4", "shots/f10.png", "-"], fps=10)
    folder, clip, named, stream = found.videos
    assert (len(folder), str(clip), names(named), stream) == (12, "clip.mp4", ["f3.png", "f10.png"], "-")


@pytest.mark.parametrize(
    ("sources", "name"),
    [(["shots"], "shots"), (["."], "."), (["shots/f1.png", "elsewhere.png"], "."), (["shots/f1.png", "{}"], "shots")],
)
def test_a_video_of_pictures_has_the_name_of_the_folder_of_all(sources, name):
    Path("shots/deeper").mkdir()
    for path in ("shots/deeper/f1.png", "elsewhere.png"):
        Path(path).write_bytes(Path("shots/f1.png").read_bytes())
    (video,) = sort_sources([source.format(Path("shots/f2.png").absolute()) for source in sources], fps=10).videos
    assert video_name(video) == PictureSequence(list(video), 10).name == name


def test_a_picture_that_is_missing_is_no_frame_of_a_video():
    found = sort_sources(["nosuch", "shots/f1.png", "nosuch.png"], fps=10)
    assert list(map(str, found.pictures)) == ["nosuch", "nosuch.png"]
    assert [names(video) for video in found.videos] == [["f1.png"]]


def test_without_fps_they_are_pictures():
    found = sort_sources(["shots", "clip.mp4"])
    assert (len(found.pictures), [str(video) for video in found.videos]) == (12, ["clip.mp4"])


def test_a_name_longer_than_a_file_system_takes_is_left_for_reading_to_report():
    overlong = 300 * "x" + ".png"
    found = sort_sources([overlong, "shots/f3.png", 300 * "y" + "*.png"])
    assert found.pictures[:2] == (Path(overlong), Path("shots/f3.png"))
    assert found.folders == (Path(),)
