"""Which faces are wanted, and that videos and pictures keep them."""

from dataclasses import dataclass

import numpy as np
import pytest

from mien.errors import InputError, UsageError
from mien.faces.selection import ALL, Selection, region_of
from mien.media.video_source import VideoImage
from mien.recognition.recognizer import Recognizer
from mien.results import Box


@dataclass(frozen=True)
class Found:
    box: Box


class Even:
    """Says nothing about any face."""

    def probabilities(self, faces):
        return np.full((len(faces), 7), 1 / 7)


class Clip:
    """Images as a video."""

    name, live = "clip", False

    def __init__(self, images):
        self._images = images

    def images(self):
        yield from (VideoImage(number, number / 25, image) for number, image in enumerate(self._images))

    def close(self):
        pass


LARGE, MIDDLE, SMALL = (Found(Box(*box)) for box in ((0, 0, 40, 40), (85, 35, 30, 30), (150, 60, 20, 20)))
FACES = [LARGE, MIDDLE, SMALL]


@pytest.mark.parametrize(
    ("selection", "kept"),
    [
        (ALL, FACES),
        (Selection(1), [LARGE]),
        (Selection(2), [LARGE, MIDDLE]),
        (Selection(9), FACES),
        (Selection(1, "central"), [MIDDLE]),
        (Selection(2, "central"), [MIDDLE, SMALL]),
        (Selection(region=(80, 0, 120, 100)), [MIDDLE, SMALL]),
        (Selection(1, region=(80, 0, 120, 100)), [MIDDLE]),
        (Selection(1, "central", (120, 40, 80, 60)), [SMALL]),
        (Selection(region=(0, 0, 20, 20)), []),  # the middle of the large one lies on its open edge
        (Selection(region=(0, 0, 21, 21)), [LARGE]),
    ],
)
def test_the_faces_that_are_wanted_stay_in_their_order(selection, kept):
    assert selection.of(FACES, (100, 200)) == kept


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_faces": 0}, "max_faces is 0"),
        ({"max_faces": True}, "max_faces is True"),
        ({"prefer": "nearest", "max_faces": 1}, "prefer is 'nearest': expected one of largest, central"),
        ({"prefer": "central"}, "say how many with max_faces"),
        ({"region": (1, 2, 3)}, "four whole numbers"),
        ({"region": "1,2,3,4"}, "four whole numbers"),
        ({"region": (0, 0, 0, 9)}, "region is 0x9 pixels"),
        ({"region": (-1, 0, 9, 9)}, "four whole numbers"),
    ],
)
def test_what_cannot_be_selected_is_refused(options, words):
    with pytest.raises(UsageError, match=words):
        Selection(**options)
    with pytest.raises(UsageError, match=words):
        Recognizer(Even(), **options)


@pytest.mark.parametrize("text", ["", "1,2,3", "a,b,c,d", "1,2,3,-4", "1;2;3;4", "1,2,3,4,5"])
def test_a_region_is_written_as_four_numbers(text):
    assert region_of(" 1,2 ,3,4") == (1, 2, 3, 4)
    with pytest.raises(UsageError, match="region is"):
        region_of(text)


def test_pictures_and_videos_keep_the_wanted_faces(stage):
    picture = stage((0, 20, 60), (1, 280, 60))
    left, right = sorted(Recognizer(Even()).predict(picture), key=lambda face: face.box.x)
    assert [face.box for face in Recognizer(Even(), region=(200, 0, 226, 240)).predict(picture)] == [right.box]
    largest = max(left, right, key=lambda face: face.box.area)
    recognizer = Recognizer(Even(), max_faces=1)
    assert [face.box for face in recognizer.predict(picture)] == [largest.box]
    assert recognizer.header.options["max_faces"] == 1


def test_a_region_outside_a_picture_or_a_video_is_said(stage):
    recognizer = Recognizer(Even(), region=(426, 0, 9, 9))
    with pytest.raises(InputError, match=r"the region 426,0,9,9 lies outside of its 426x240 pixels"):
        recognizer.predict(stage((0, 20, 60)))
    with pytest.raises(InputError, match=r"^clip: the region 426,0,9,9 lies outside"):
        list(recognizer.stream(Clip([stage()])))
