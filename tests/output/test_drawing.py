import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from mien.labels import EMOTIONS
from mien.output.colours import COLOURS
from mien.output.drawing import annotate
from mien.output.layout import bar_places, place_labels
from mien.output.places import Occupied, Place
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
    picture = np.full((60, 400, 3), 128, np.uint8)
    drawn = changed(picture, annotate(picture, [face(150, 5, 60, 50)]))
    assert drawn[:, 210:300].any()  # the label stands beside the face
    assert not drawn[:, :145].any()
    assert not drawn[:, 300:].any()


def test_a_whole_image_that_is_a_face_keeps_its_middle_free():
    picture = np.full((480, 480, 3), 128, np.uint8)
    drawn = changed(picture, annotate(picture, [face(0, 0, 480, 480)]))
    assert drawn.any()
    assert not drawn[100:240, 100:380].any()


@pytest.mark.parametrize("shape", [(60, 60), (48, 48), (1, 1), (399, 30)])
def test_a_copy_has_the_size_of_the_picture(shape):
    assert annotate(np.full(shape, 128, np.uint8), [face(0, 0, *shape[::-1])]).shape == (*shape, 3)


@pytest.mark.parametrize("seed", range(50))
def test_no_label_and_no_bars_lie_on_a_face(seed):
    """1 to 40 faces that do not overlap, of sizes that differ up to eightfold, in pictures of 300 to 6000 pixels."""
    random = np.random.default_rng(seed)
    canvas = tuple(random.integers(300, 6000, 2).tolist())
    boxes = []
    for side in min(canvas) * random.uniform(0.03, 0.24, random.integers(1, 41)):
        width, height = int(0.8 * side), int(side)
        box = Place(*(int(random.integers(0, most)) for most in np.subtract(canvas, (width, height))), width, height)
        if not box.meets(boxes):
            boxes.append(box)
    lengths = random.uniform(3, 9, len(boxes))
    labels = place_labels(canvas, boxes, lambda text: [(round(text * ems), round(1.3 * text)) for ems in lengths])
    taken = [place for place in labels.places if place is not None]
    assert len(taken) >= len(boxes) - 1
    for box in boxes:
        panel = 8 * labels.text, 7 * labels.text
        taken += list(bar_places(canvas, box, panel, Occupied(boxes), Occupied(taken)))[:1]
    for number, place in enumerate(taken):
        assert not place.meets([*boxes, *taken[:number]])
        assert min(place.left, place.top) >= 0
        assert place.right <= canvas[0]
        assert place.bottom <= canvas[1]


@pytest.mark.parametrize("seed", range(4))
def test_the_inside_of_every_face_stays_as_it_was(seed):
    random = np.random.default_rng(seed)
    picture = random.integers(0, 256, (700, 900, 3), np.uint8)
    places = [(x, y) for x in range(20, 860, 140) for y in range(30, 640, 150)]
    faces = [
        Face(Box(x, y, *random.integers(20, 90, 2).tolist()), 0.9, tuple(random.dirichlet([0.5] * 7).tolist()))
        for x, y in random.permutation(places)[: random.integers(1, len(places))].tolist()
    ]
    drawn = changed(picture, annotate(picture, faces))
    edge = 8
    for x, y, width, height in (Box.inside(*face.box, image=picture.shape[:2]) for face in faces):
        assert not drawn[y + edge : y + height - edge, x + edge : x + width - edge].any()
    assert drawn.any()


def test_the_labels_of_a_group_photo_are_no_wider_than_a_person():
    """The case of the issue that this answers: faces of 95 pixels in 24 megapixels, 200 pixels apart."""
    boxes = [Place(600 + 200 * column, 500 + 300 * row, 76, 95) for column in range(20) for row in range(2)]
    labels = place_labels((6000, 4002), boxes, lambda text: [(round(5.5 * text), round(1.3 * text))] * 40)
    assert None not in labels.places
    assert 14 <= labels.text <= 20
    assert all(place.width <= 1.5 * 76 for place in labels.places)


def test_labels_find_a_place_between_neighbours_by_becoming_smaller():
    boxes = [Place(20 + 130 * number, 200, 100, 130) for number in range(7)]
    narrow = place_labels((950, 500), boxes, lambda text: [(9 * text, round(1.3 * text))] * 7)
    wide = place_labels((950, 500), boxes, lambda text: [(4 * text, round(1.3 * text))] * 7)
    assert None not in narrow.places + wide.places
    assert narrow.text < wide.text


def test_a_label_lies_on_its_own_face_only_where_the_face_fills_the_picture():
    (place,) = place_labels((100, 100), [Place(2, 2, 96, 96)], lambda text: [(4 * text, text)]).places
    assert place.top in {2, 98 - place.height}
    crowded = [Place(0, 0, 50, 100), Place(50, 0, 50, 100)]
    found = place_labels((100, 100), crowded, lambda text: [(4 * text, text)] * 2).places
    for place, box, other in zip(found, crowded, reversed(crowded), strict=True):
        assert place.meets([box])
        assert not place.meets([other])


def test_a_face_in_the_midst_of_a_crowd_has_no_label_rather_than_one_on_a_face():
    boxes = [Place(300 + 52 * column, 200 + 62 * row, 50, 60) for row in range(3) for column in range(3)]
    places = place_labels((800, 600), boxes, lambda text: [(5 * text, text)] * 9).places
    assert [number for number, place in enumerate(places) if place is None] == [4]
    assert not any(place.meets(boxes) for place in places if place is not None)


def test_what_is_not_certain_is_paler():
    picture = np.zeros((600, 600, 3), np.uint8)
    sure, unsure = (
        annotate(picture, [Face(Box(200, 200, 150, 200), 0.9, HAPPY, min_probability=least)]) for least in (0.7, 0.71)
    )
    red, green, blue = sure[300, 201].tolist()
    paler = unsure[300, 201].tolist()
    assert paler == pytest.approx([value + 0.6 * (255 - value) for value in (red, green, blue)], abs=1)
    label = np.s_[160:198, 200:380]
    assert (unsure[label] == paler).all(axis=2).sum() > (sure[label] == (red, green, blue)).all(axis=2).sum()  # "?"


def test_options_leave_out_labels_and_bars():
    picture = np.zeros((600, 600, 3), np.uint8)
    faces = [face(200, 200, 150, 200)]
    every, none = annotate(picture, faces), annotate(picture, faces, labels=False, bars=False)
    around = np.ones((600, 600), bool)
    around[194:406, 194:356] = False
    assert changed(picture, every)[around].any()
    assert not changed(picture, none)[around].any()
    assert changed(picture, none).any()
    no_bars = annotate(picture, faces, bars=False)
    assert changed(picture, no_bars)[150:195].any()
    assert not changed(picture, no_bars)[:, 400:].any()


def test_no_face_is_said_when_asked_for():
    picture = np.full((600, 600, 3), 90, np.uint8)
    drawn = changed(picture, annotate(picture, [], say_no_face=True))
    assert drawn[:60, :300].any()
    assert not drawn[60:].any()
    np.testing.assert_array_equal(annotate(picture, [face(5, 5, 40, 40)], say_no_face=True)[500:], picture[500:])


def test_line_and_text_grow_with_the_picture():
    for scale in (1, 5, 10):
        picture = np.zeros((600 * scale, 600 * scale, 3), np.uint8)
        drawn = annotate(picture, [face(100 * scale, 200 * scale, 100 * scale, 120 * scale)])
        label = drawn[170 * scale : 199 * scale, 100 * scale : 300 * scale]
        share = (label == COLOURS["happy"]).all(axis=2).mean()
        assert share == pytest.approx(0.45, abs=0.1)


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
    assert drawn.shape == picture.shape
