import pytest
from PIL import Image

from mien.media.sources import sort_sources


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


def test_without_fps_they_are_pictures():
    found = sort_sources(["shots", "clip.mp4"])
    assert (len(found.pictures), [str(video) for video in found.videos]) == (12, ["clip.mp4"])
