import cv2
import numpy as np
import pytest
from skimage import data

from mien.data.statistics import brightness
from mien.evaluation.quality import sharpness
from mien.face_quality import Quality
from mien.faces.quality import MODEL, QualityLimits, pose, quality_of
from mien.faces.yunet import YuNetDetector
from mien.results import Box


def rotation(yaw, pitch, roll):
    """Of a head in a right-handed space (x right, y down, z away): nodded, then turned, then tilted."""
    turn, nod, tilt = np.radians([-yaw, -pitch, roll])
    nodded = cv2.Rodrigues(np.array([nod, 0.0, 0.0]))[0]
    turned = cv2.Rodrigues(np.array([0.0, turn, 0.0]))[0]
    tilted = cv2.Rodrigues(np.array([0.0, 0.0, tilt]))[0]
    return tilted @ turned @ nodded


def points(plane):
    return tuple(map(tuple, plane.tolist()))


def seen(angles, distance, shape=MODEL):
    """Landmarks of the model at angles, from a camera so many heads (of 48 pixels) away."""
    space = (shape - MODEL.mean(axis=0)) @ rotation(*angles).T + (0, 0, 48 * distance)
    return points(space[:, :2] / space[:, 2:] * 3000 + 500)


ANGLES = [(0, 0, 0), (30, 0, 0), (-30, 10, 0), (0, 20, 0), (0, -25, 5), (12, -8, 40), (60, 15, -20), (-75, 0, 170)]


@pytest.mark.parametrize("angles", ANGLES)
def test_planted_points_give_the_angles_they_were_turned_by(angles):
    assert pose(seen(angles, 1e6)) == pytest.approx(angles, abs=0.01)
    assert pose(seen(angles, 8)) == pytest.approx(angles, abs=3)  # what perspective does at two metres


def test_the_nose_says_what_the_signs_mean():
    """Turned right, the nose comes nearer to the right eye; raised, to both; tilted clockwise, that eye sinks."""
    right, raised, tilted = (np.array(seen(angles, 1e6)) for angles in [(30, 0, 0), (0, 20, 0), (0, 0, 15)])
    frontal = np.array(seen((0, 0, 0), 1e6))
    assert abs(right[2, 0] - right[1, 0]) < abs(right[2, 0] - right[0, 0])
    assert raised[2, 1] - raised[:2, 1].mean() < frontal[2, 1] - frontal[:2, 1].mean()
    assert tilted[1, 1] > tilted[0, 1]


def test_angles_are_those_of_opencv_on_faces_that_are_not_the_model():
    """`cv2.solvePnP` fits the same model by another method, with a camera that is far away."""
    random = np.random.default_rng(0)
    camera = np.array([[3000.0, 0, 500], [0, 3000, 500], [0, 0, 1]])
    far = np.array([0.0, 0, 48 * 40])
    apart = []
    for _ in range(60):
        angles = random.uniform([-40, -20, -30], [40, 20, 30])
        landmarks = seen(angles, 40, MODEL + random.normal(0, 0.6, (5, 3)))
        start = cv2.Rodrigues(rotation(*angles))[0]
        centred = MODEL - MODEL.mean(axis=0)
        _, turned, _ = cv2.solvePnP(centred, np.array(landmarks), camera, None, start, far.copy(), True)
        matrix = cv2.Rodrigues(turned)[0]
        yaw, pitch = np.arcsin(matrix[2, 0]), -np.arctan2(matrix[2, 1], matrix[2, 2])
        apart.append(np.degrees([yaw, pitch, np.arctan2(matrix[1, 0], matrix[0, 0])]) - pose(landmarks))
    assert np.sqrt(np.square(apart).mean(axis=0)) == pytest.approx([0, 0, 0], abs=3)


@pytest.mark.parametrize("landmarks", [(), ((1.0, 2.0),) * 5, tuple((float(x), 2.0 * x) for x in range(5))])
def test_without_a_plane_of_landmarks_there_are_no_angles(landmarks):
    assert pose(landmarks) is None


@pytest.fixture(scope="module")
def faces():
    """The largest face of a photo, of its mirror image, and of the photo turned by 20 degrees clockwise."""
    photo = cv2.resize(data.astronaut()[:300], (1024, 600), interpolation=cv2.INTER_CUBIC)
    turn = cv2.getRotationMatrix2D((446, 240), -20, 1)
    turned = cv2.warpAffine(photo, turn, (1024, 600), borderMode=cv2.BORDER_REPLICATE)
    views = photo, np.ascontiguousarray(photo[:, ::-1]), turned
    detector = YuNetDetector(threads=1)
    return [max(detector.detect(view), key=lambda face: face.box[3]) for view in views]


def test_a_mirrored_photo_is_turned_the_other_way_and_a_turned_one_is_tilted(faces):
    plain, mirrored, turned = (pose(face.landmarks) for face in faces)
    assert mirrored == pytest.approx((-plain[0], plain[1], -plain[2]), abs=10)  # what the detector's landmarks allow
    assert turned[2] - plain[2] == pytest.approx(20, abs=5)
    assert abs(plain[0]) < 15


@pytest.mark.parametrize("shape", [(48, 48), (48, 48, 3)])
def test_sharpness_and_brightness_are_those_of_evaluations(shape):
    crop = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    grey = crop if len(shape) == 2 else cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    found = quality_of(Box(1, 2, 30, 40), (), crop)
    assert (found.face_size, found.yaw, found.pitch, found.roll) == (40, None, None, None)
    assert found.sharpness == pytest.approx(sharpness(grey[None])[0], rel=1e-5)
    assert found.brightness == pytest.approx(brightness(grey[None])[0])


def test_limits_leave_out_small_and_turned_faces():
    small, turned = Quality(40, 1.0, 1.0, 5.0), Quality(80, 1.0, 1.0, -31.0)
    unknown = Quality(80, 1.0, 1.0)
    assert [QualityLimits(41).hold(face) for face in (small, turned, unknown)] == [False, True, True]
    assert [QualityLimits(None, 30.9).hold(face) for face in (small, turned, unknown)] == [True, False, True]
    assert all(QualityLimits().hold(face) for face in (small, turned, unknown))
