import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from mien.labels import EMOTIONS
from mien.output.colours import COLOURS
from mien.output.drawing import LEAST_SIDE, annotate
from mien.results import Box, Face

HAPPY = (0.02, 0.03, 0.05, 0.7, 0.05, 0.1, 0.05)


def face(x, y, width, height, probabilities=HAPPY):
    return Face(Box(x, y, width, height), 0.9, probabilities)


def changed(before, after):
    """Pixels (H, W) that drawing changed."""
    return (before != after).any(axis=2)


def test_a_picture_without_faces_stays_as_it_is_and_the_original_is_never_touched():
    astronaut = data.astronaut()
    before = astronaut.copy()
    np.testing.assert_array_equal(annotate(astronaut, []), before)
    assert changed(annotate(astronaut, [face(178, 63, 90, 113)]), before).any()
    np.testing.assert_array_equal(astronaut, before)


def test_a_gray_picture_becomes_rgb():
    gray = np.full((500, 500), 90, np.uint8)
    np.testing.assert_array_equal(annotate(gray, []), np.dstack([gray] * 3))


@pytest.mark.parametrize("emotion", EMOTIONS)
@pytest.mark.parametrize("background", [0, 128, 255])
def test_box_and_label_have_the_colour_of_the_emotion(emotion, background):
    probabilities = tuple(0.4 if name == emotion else 0.1 for name in EMOTIONS)
    drawn = annotate(np.full((600, 600, 3), background, np.uint8), [face(200, 200, 150, 200, probabilities)])
    for y, x in ((300, 201), (398, 275), (300, 348), (201, 275)):  # the middle of every side of the box
        assert tuple(drawn[y, x]) == COLOURS[emotion]
    plate = (drawn[160:198, 200:350] == COLOURS[emotion]).all(axis=2)
    assert plate.mean() > 0.3


def test_bars_are_as_long_as_the_probabilities():
    drawn = annotate(np.zeros((600, 600, 3), np.uint8), [face(50, 200, 150, 200, (0, 0.1, 0, 0.6, 0.3, 0, 0))])
    beside = drawn[:, 210:]
    lengths = {
        name: max((row == COLOURS[name]).all(axis=1).sum() for row in beside) for name in ("disgust", "happy", "sad")
    }
    assert lengths["happy"] == pytest.approx(6 * lengths["disgust"], rel=0.2)
    assert lengths["sad"] == pytest.approx(lengths["happy"] / 2, rel=0.2)
    assert not (beside == COLOURS["angry"]).all(axis=2).any()


@pytest.mark.parametrize("background", [0, 255])
def test_text_stands_out_from_its_plate(background):
    def luminance(rgb):  # WCAG 2.1's relative luminance
        shares = np.asarray(rgb) / 255
        linear = np.where(shares <= 0.03928, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
        return linear @ (0.2126, 0.7152, 0.0722)

    for emotion in EMOTIONS:
        probabilities = tuple(0.4 if name == emotion else 0.1 for name in EMOTIONS)
        drawn = annotate(np.full((900, 900, 3), background, np.uint8), [face(300, 300, 250, 300, probabilities)])
        colours = luminance(drawn[262:292, 310:480].reshape(-1, 3))  # within the plate
        plate = luminance(np.array([COLOURS[emotion]]))[0]
        contrasts = (np.maximum(colours, plate) + 0.05) / (np.minimum(colours, plate) + 0.05)
        assert np.percentile(contrasts, 99) > 4.5  # WCAG's least for text


def test_bars_never_cover_another_face():
    faces = [face(200 * column + 20, 200 * row + 20, 150, 150) for column in range(4) for row in range(3)]
    picture = np.full((600, 800, 3), 128, np.uint8)
    both = annotate(picture, faces)
    for one in faces:
        box = one.box
        inner = np.s_[box.y + 60 : box.y + 90, box.x + 10 : box.x + 140]  # labels may touch the upper or lower edge
        assert (both[inner] == 128).all()


def test_bars_are_left_out_where_there_is_no_room():
    picture = np.full((80, 400, 3), 128, np.uint8)
    drawn = changed(picture, annotate(picture, [face(150, 5, 60, 70)]))
    assert drawn[:, 145:260].any()
    assert not drawn[:, :145].any()
    assert not drawn[:, 260:].any()


def test_a_whole_image_that_is_a_face_keeps_its_middle_free():
    picture = np.full((480, 480, 3), 128, np.uint8)
    drawn = changed(picture, annotate(picture, [face(0, 0, 480, 480)]))
    assert drawn.any()
    assert not drawn[100:240, 100:380].any()


@pytest.mark.parametrize("side", [60, 48, 1, 399])
def test_tiny_pictures_are_enlarged_by_a_whole_number(side):
    drawn = annotate(np.full((side, side), 128, np.uint8), [face(0, 0, side, side)])
    assert drawn.shape[0] % side == 0
    assert drawn.shape[0] >= LEAST_SIDE
    assert annotate(np.zeros((LEAST_SIDE, 30), np.uint8), []).shape == (LEAST_SIDE, 30, 3)


def test_line_and_text_grow_with_the_picture():
    for scale in (1, 5, 10):
        picture = np.zeros((600 * scale, 600 * scale, 3), np.uint8)
        drawn = annotate(picture, [face(100 * scale, 200 * scale, 100 * scale, 120 * scale)])
        label = drawn[170 * scale : 199 * scale, 100 * scale : 300 * scale]
        share = (label == COLOURS["happy"]).all(axis=2).mean()
        assert share == pytest.approx(0.3, abs=0.15)


@settings(max_examples=40)
@given(st.integers(1, 700), st.integers(1, 700), st.integers(0, 2**32 - 1), st.integers(0, 12))
def test_any_faces_in_any_picture_can_be_drawn(height, width, seed, count):
    random = np.random.default_rng(seed)
    picture = random.integers(0, 256, (height, width, 3), np.uint8)
    faces = []
    for _ in range(count):
        x, y = random.integers(0, width), random.integers(0, height)
        box = Box.inside(x, y, random.integers(1, 400), random.integers(1, 400), image=(height, width))
        faces.append(Face(box, 0.5, tuple(random.dirichlet([0.5] * 7).tolist())))
    drawn = annotate(picture, faces)
    assert drawn.dtype == np.uint8
    assert drawn.shape[0] % height == drawn.shape[1] % width == 0
