from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage import data

from mien.errors import UsageError
from mien.faces.align import FRAME_LANDMARKS
from mien.faces.detection import Detection, distinct
from mien.faces.detectors import create_detector
from mien.faces.haar import HaarDetector
from mien.faces.whole_image import WholeImage
from mien.faces.yunet import YuNetDetector
from mien.recognition.recognizer import Recognizer

# Where a person sees them in scikit-image's astronaut: eyes, tip of the nose, corners of the mouth.
ASTRONAUT_LANDMARKS = np.array([(202, 101), (247, 103), (223, 124), (202, 142), (242, 143)])


@pytest.fixture(scope="module")
def detector():
    return YuNetDetector()


@pytest.fixture(scope="module")
def astronaut():
    return data.astronaut()


def resized(image, side):
    shrinks = side < image.shape[0]
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def test_the_astronaut_has_one_face_with_landmarks_left_to_right(detector, astronaut):
    (face,) = detector.detect(astronaut)
    assert face.score > 0.9
    np.testing.assert_allclose(face.landmarks, ASTRONAUT_LANDMARKS, atol=5)
    x, y, width, height = face.box
    assert all(x < px < x + width and y < py < y + height for px, py in face.landmarks)


def test_a_gray_picture_is_the_colour_picture_without_colour(detector, astronaut):
    gray = cv2.cvtColor(astronaut, cv2.COLOR_RGB2GRAY)
    assert detector.detect(gray) == detector.detect(np.dstack([gray] * 3))
    assert len(detector.detect(gray)) == 1


@pytest.mark.parametrize("side", [100, 256, 1024, 2000, 4000])
def test_a_face_is_found_at_every_size_of_the_picture(detector, astronaut, side):
    (face,) = detector.detect(resized(astronaut, side))
    np.testing.assert_allclose(np.array(face.landmarks) * 512 / side, ASTRONAUT_LANDMARKS, atol=8)


@pytest.mark.parametrize("side", [60, 300, 640, 1280, 3000])
def test_a_face_that_fills_the_picture_is_found_once(detector, astronaut, side):
    (face,) = detector.detect(resized(astronaut[60:195, 150:285], side))
    assert face.score > 0.85


def test_small_faces_of_a_large_picture_are_found(detector, astronaut):
    group = np.full((2000, 3000, 3), 128, np.uint8)
    portrait = resized(astronaut[:300, 80:380], 200)  # the face is 75 px high
    for row in range(3):
        for column in range(4):
            group[100 + 600 * row :, 200 + 700 * column :][:200, :200] = portrait
    assert len(detector.detect(group)) == 12


def crowd(portraits, size, heights):
    """A picture of (height, width) with 40 portraits whose faces have heights in a range (pixels); their centres."""
    rng = np.random.default_rng(40)
    height, width = size
    image = cv2.resize(rng.integers(40, 216, (12, 16, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    columns = next(count for count in range(1, 41) if 40 % count == 0 and width / count <= 1.6 * height * count / 40)
    cell_height, cell_width = height // (40 // columns), width // columns
    centres = []
    for number in range(40):
        row, column = divmod(number, columns)
        side = round(rng.uniform(*heights) / 0.45)  # a face fills so much of a portrait's height, or less
        portrait = resized(portraits[number % 2], side)[:, :: rng.choice([-1, 1])]
        top = row * cell_height + int(rng.integers(0, cell_height - side))
        left = column * cell_width + int(rng.integers(0, cell_width - side))
        image[top : top + side, left : left + side] = portrait
        centres.append((left + side / 2, top + side / 2))
    return image, centres


@pytest.mark.parametrize(
    ("size", "heights"),
    [((6000, 8000), (48, 66)), ((2000, 16_000), (76, 105)), ((3000, 4000), (48, 66)), ((1500, 2000), (48, 66))],
)
def test_small_faces_are_found_at_any_size_of_the_picture_once_each(detector, portraits, size, heights):
    image, centres = crowd(portraits, size, heights)
    found = detector.detect(image)
    assert len(found) == 40
    middles = np.array([(x + width / 2, y + height / 2) for (x, y, width, height) in (face.box for face in found)])
    for centre in centres:
        assert np.abs(middles - centre).max(axis=1).min() < heights[1] / 2


def test_faces_of_all_sizes_of_one_large_picture_are_found_once_each(detector, astronaut):
    image = np.full((6000, 8000, 3), 128, np.uint8)
    places = {200: (100, 100), 600: (100, 2000), 1500: (1500, 200), 3900: (2000, 3500)}
    for side, (top, left) in places.items():
        image[top : top + side, left : left + side] = resized(astronaut[:300, 80:380], side)
    assert len(detector.detect(image)) == len(places)


def test_a_larger_least_face_takes_fewer_pixels_and_finds_the_large(astronaut):
    image = resized(astronaut, 2048)  # its face is 450 px high
    assert pixels_seen(YuNetDetector(min_face=300), image) <= pixels_seen(YuNetDetector(), image) / 10


def pixels_seen(detector, image):
    """Pixels that the network is shown while one face is found."""
    rows, seen = detector._network.rows, []

    def spy(part, score):
        seen.append(part.shape[0] * part.shape[1])
        return rows(part, score)

    detector._network.rows = spy
    assert len(detector.detect(image)) == 1
    return sum(seen)


@pytest.mark.parametrize("size", [(1500, 2000), (3000, 4000), (6000, 8000)])
def test_a_reduced_picture_shows_the_same_faces(detector, portraits, size):
    image, _ = crowd(portraits, size, (60, 90))
    factor = detector.reduction(max(size))
    small = cv2.resize(image, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    boxes = [sorted(tuple(face.box) for face in detector.detect(*seen)) for seen in ((image,), (small, factor))]
    assert len(boxes[0]) == len(boxes[1]) == 40
    np.testing.assert_allclose(np.array(boxes[1]) * factor, np.array(boxes[0]), atol=15)


def test_pictures_are_reduced_as_far_as_the_least_face_allows():
    assert [YuNetDetector().reduction(longer) for longer in (640, 1280, 3000, 4000, 8000)] == [1, 1, 1, 2, 2]
    assert [YuNetDetector(min_face=200).reduction(longer) for longer in (640, 1280, 3000, 8000)] == [1, 2, 4, 8]
    assert YuNetDetector(min_face=16).reduction(8000) == 1


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (1, 3000), (3000, 1), (33, 7), (40_000, 3)])
def test_pictures_of_odd_shapes_have_no_face(detector, shape):
    assert detector.detect(np.zeros(shape, np.uint8)) == []
    assert detector.detect(np.full((*shape, 3), 255, np.uint8)) == []


@pytest.mark.parametrize("name", ["coffee", "chelsea", "rocket", "brick", "gravel", "coins", "page"])
def test_pictures_without_people_have_no_face(detector, name):
    assert detector.detect(getattr(data, name)()) == []


def test_the_least_score_holds(astronaut):
    assert YuNetDetector(min_score=0.99).detect(astronaut) == []


def test_threads_may_share_a_detector(detector, astronaut):
    pictures = [resized(astronaut, side) for side in (128, 200, 333, 512)] * 5
    expected = [detector.detect(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(detector.detect, pictures)) == expected


def test_of_two_detections_of_one_face_the_better_stays():
    large = Detection((0, 0, 100, 100), 0.9)
    shifted = replace(large, box=(20, 10, 100, 100), score=0.8)
    part = Detection((30, 30, 20, 20), 0.7)
    neighbour = Detection((80, 0, 100, 100), 0.65)
    assert distinct([part, neighbour, large, shifted]) == [large, neighbour]
    assert distinct([]) == []


def test_the_whole_image_is_one_face():
    assert WholeImage().detect(np.zeros((30, 40, 3), np.uint8)) == [Detection((0, 0, 40, 30), 1.0)]


def test_detectors_are_made_by_name():
    assert isinstance(create_detector("none"), WholeImage)
    assert isinstance(create_detector("yunet"), YuNetDetector)
    assert isinstance(create_detector("haar"), HaarDetector)
    with pytest.raises(UsageError, match="unknown face detector 'mtcnn': expected one of yunet, haar, none"):
        create_detector("mtcnn")


@pytest.mark.parametrize("options", [{"min_score": 1.5}, {"min_score": float("nan")}, {"min_face": 11}])
def test_values_out_of_range_are_refused(options):
    with pytest.raises(UsageError, match="expected"):
        YuNetDetector(**options)


def test_haar_is_opencvs_cascade_with_the_steps_of_s3(astronaut):
    gray = cv2.cvtColor(astronaut, cv2.COLOR_RGB2GRAY)
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    expected = cascade.detectMultiScale(gray, scaleFactor=1.3, minNeighbors=5)
    assert len(expected) > 0
    for image in (astronaut, gray):
        found = HaarDetector().detect(image)
        assert [face.box for face in found] == [tuple(map(float, box)) for box in expected]
        assert {(face.score, face.landmarks) for face in found} == {(1.0, ())}
    assert HaarDetector().detect(np.zeros((50, 60, 3), np.uint8)) == []


@pytest.mark.parametrize("options", [{"scale": 1.0}, {"scale": float("nan")}, {"neighbours": -1}])
def test_haar_steps_out_of_range_are_refused(options):
    with pytest.raises(UsageError, match="Haar"):
        HaarDetector(**options)


@pytest.mark.parametrize(
    "wrong",
    [
        {"box": (0, 0, float("nan"), 10)},
        {"box": (float("inf"), 0, 10, 10)},
        {"score": float("nan")},
        {"landmarks": ((0.0, float("nan")),)},
    ],
)
def test_numbers_of_a_detection_are_finite(wrong):
    with pytest.raises(UsageError, match="expected finite numbers"):
        Detection(**{"box": (0, 0, 10, 10), "score": 0.9, **wrong})


def test_a_detector_of_ones_own_may_give_arrays():
    box, points = np.array([30, 20, 100, 110], np.int32), np.array(FRAME_LANDMARKS, np.float32) * 2 + (35, 25)
    given = Detection(box, np.float32(1), points)
    plain = Detection(tuple(box.tolist()), 1.0, tuple(map(tuple, points.tolist())))
    assert given == plain
    assert {type(number) for number in (*given.box, given.score, *given.landmarks[0])} == {float}
    image = np.random.default_rng(0).integers(0, 256, (160, 180, 3), dtype=np.uint8)
    faces = [Recognizer(detector=Gives(found)).predict(image) for found in (given, plain)]
    assert len(faces[0]) == 1
    assert faces[0] == faces[1]


def test_points_of_an_iterator_are_kept():
    given = Detection(iter((1, 2, 3, 4)), 1, ((number, number) for number in range(5)))
    assert given.box == (1, 2, 3, 4)
    assert given.landmarks == tuple((number, number) for number in range(5))


@pytest.mark.parametrize("wrong", [{"box": np.zeros((2, 4))}, {"landmarks": np.zeros((5, 3))}, {"box": np.zeros(5)}])
def test_arrays_of_another_shape_are_refused(wrong):
    with pytest.raises(UsageError, match=r"^detection with box .*: expected finite numbers, \(x, y, width, height\)"):
        Detection(**{"box": (0, 0, 10, 10), "score": 0.9, **wrong})


class Gives:
    """A detector that finds one face wherever it looks."""

    def __init__(self, face):
        self._face = face

    def detect(self, image):
        return [self._face]
