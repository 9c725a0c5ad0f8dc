from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import onnxruntime as ort
import pytest
from PIL import Image
from skimage import data

from mien.errors import InputError, ModelFileError, UsageError
from mien.faces.align import align_face
from mien.faces.detection import Detection
from mien.faces.whole_image import WholeImage
from mien.faces.yunet import YuNetDetector
from mien.labels import EMOTIONS
from mien.media.read_image import read_image, read_reduced
from mien.model.onnx_model import Bundle
from mien.recognition.pictures import recognize_files
from mien.recognition.recognizer import Recognizer
from mien.results import Box


class FakeClassifier:
    """Says class c for a crop whose mean grey lies in the c-th seventh, and keeps what it was shown."""

    def __init__(self):
        self.batches = []

    def probabilities(self, faces):
        self.batches.append(faces)
        winners = (faces.reshape(len(faces), -1).mean(axis=1) * 7 / 256).astype(int)
        return 0.3 / 7 + 0.7 * np.eye(7)[winners]


class FixedDetector:
    """Finds the same faces in every picture."""

    def __init__(self, *detections):
        self.detections = list(detections)

    def detect(self, image):
        return self.detections


@pytest.fixture
def classifier():
    return FakeClassifier()


def gray(level, shape=(48, 48)):
    return np.full(shape, level, np.uint8)


def test_a_crowd_is_classified_in_parts(classifier):
    """One pass over 600 faces would take memory for all of them."""
    boxes = [Detection((float(10 * (number % 30)), float(10 * (number // 30)), 9.0, 9.0), 0.9) for number in range(600)]
    image = np.repeat(np.arange(200, dtype=np.uint8)[:, None], 300, axis=1)
    faces = Recognizer(classifier, FixedDetector(*boxes)).predict(image)
    assert [len(batch) for batch in classifier.batches] == [256, 256, 88]
    levels = np.concatenate(classifier.batches).reshape(600, -1).mean(axis=1)
    assert [face.emotion for face in faces] == [EMOTIONS[int(level * 7 / 256)] for level in levels]


def test_a_face_given_directly_reaches_the_network_pixel_for_pixel(classifier):
    faces = np.random.default_rng(0).integers(0, 256, (5, 48, 48), np.uint8)
    results = Recognizer(classifier, "none").predict_batch(list(faces))
    np.testing.assert_array_equal(classifier.batches[0], faces)
    assert [face.box for (face,) in results] == [Box(0, 0, 48, 48)] * 5
    assert [(face.confidence, face.landmarks) for (face,) in results] == [(1.0, ())] * 5


def test_the_same_face_gives_the_same_numbers_by_every_path(tmp_path, write_linear_model):
    """Training's preprocessing, the model file and the recogniser agree, whatever form the picture has."""
    bundle = Bundle.load(write_linear_model(tmp_path / "m.onnx"))
    face = np.random.default_rng(1).integers(0, 256, (48, 48), np.uint8)
    path = tmp_path / "face.png"
    Image.fromarray(face).save(path)
    expected = bundle.probabilities(face[None])[0]
    recognizer = Recognizer(tmp_path / "m.onnx", "none")
    for picture in (face, path, path.read_bytes(), np.dstack([face] * 3), Image.open(path)):
        (found,) = recognizer.predict(picture)
        np.testing.assert_allclose(list(found.probabilities.values()), expected, atol=1e-12)


def test_a_detected_face_reaches_the_network_aligned(classifier):
    astronaut = data.astronaut()
    (face,) = Recognizer(classifier).predict(astronaut)
    expected = align_face(cv2.cvtColor(astronaut, cv2.COLOR_RGB2GRAY), face.landmarks)
    np.testing.assert_array_equal(classifier.batches[0], expected[None])
    assert len(face.landmarks) == 5
    assert all(
        type(value) is float for value in (*face.probabilities.values(), face.confidence, *sum(face.landmarks, ()))
    )


def test_all_faces_of_all_pictures_go_through_the_network_together(classifier):
    levels = [10, 100, 250]
    detector = FixedDetector(Detection((0, 0, 20, 20), 0.9), Detection((30, 30, 50, 60), 0.8))
    results = Recognizer(classifier, detector).predict_batch([gray(level, (100, 100)) for level in levels])
    assert [len(batch) for batch in classifier.batches] == [6]
    assert [[face.emotion for face in faces] for faces in results] == [
        ["angry", "angry"],
        ["disgust" if level * 7 // 256 == 1 else "fear" for level in (100, 100)],
        ["neutral", "neutral"],
    ]


def test_the_largest_face_comes_first(classifier):
    sizes = (10, 40, 20, 30)
    detector = FixedDetector(*(Detection((0, 0, side, side), 0.9) for side in sizes))
    faces = Recognizer(classifier, detector).predict(gray(9, (50, 50)))
    assert [face.box.width for face in faces] == [40, 30, 20, 10]


class Measuring(FakeClassifier):
    """Has two features: the mean grey of a face, and its largest."""

    def features(self, faces):
        return np.array([(face.mean(), face.max()) for face in faces]).reshape(-1, 2)


def test_the_features_of_faces_come_in_their_order(classifier):
    image = np.zeros((100, 200), np.uint8)
    image[10:40, 10:40], image[20:80, 100:160] = 50, 200
    detector = FixedDetector(Detection((10.0, 10.0, 30.0, 30.0), 0.9), Detection((100.0, 20.0, 60.0, 60.0), 0.9))
    features = Recognizer(Measuring(), detector).embed(image)
    assert features.dtype == np.float32
    assert features.tolist() == [[200.0, 200.0], [50.0, 50.0]]
    assert Recognizer(Measuring(), FixedDetector()).embed(image).shape == (0, 2)
    with pytest.raises(UsageError, match="a FakeClassifier gives no features"):
        Recognizer(classifier, detector).embed(image)


def test_boxes_lie_inside_the_picture(classifier):
    detector = FixedDetector(Detection((-5.4, 20.2, 30, 40), 0.9), Detection((90, 90, 5, 5), 0.9))
    (face,) = Recognizer(classifier, detector).predict(gray(9, (50, 40)))
    assert face.box == Box(0, 20, 25, 30)


def test_unsure_faces_are_dropped(classifier):
    detector = FixedDetector(Detection((0, 0, 10, 10), 0.69), Detection((0, 0, 20, 20), 0.7))
    assert len(Recognizer(classifier, detector, min_confidence=0.7).predict(gray(9))) == 1
    assert Recognizer(classifier, detector, min_confidence=0.71).predict(gray(9)) == []


def test_no_face_is_an_empty_list_and_needs_no_network(classifier):
    recognizer = Recognizer(classifier)
    assert recognizer.predict(gray(128, (100, 100))) == []
    assert recognizer.predict_batch([]) == []
    assert classifier.batches == []


@pytest.mark.parametrize("one", ["a.jpg", b"content", gray(1), Image.fromarray(gray(1))])
def test_one_picture_is_no_batch(classifier, one):
    with pytest.raises(UsageError, match="takes a list"):
        Recognizer(classifier, "none").predict_batch(one)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"detector": "mtcnn"}, "unknown face detector"),
        ({"min_confidence": 1.1}, "min_confidence is 1.1"),
        ({"min_confidence": float("nan")}, "min_confidence is nan"),
        ({"min_confidence": "a"}, "min_confidence is 'a'"),
        ({"model": 3}, "model is 3: expected a name, a path or a classifier"),
        ({"detector": 3}, "detector is 3: expected a name or an object"),
        ({"threads": 1.5}, r"threads is 1\.5"),
        ({"threads": -1}, "threads is -1"),
        ({"threads": 0}, "threads is 0"),
    ],
)
def test_contradictions_are_refused(classifier, options, words):
    with pytest.raises(UsageError, match=words):
        Recognizer(**{"model": classifier, **options})


def test_an_unknown_model_is_named():
    with pytest.raises(ModelFileError, match=r"nope\.onnx"):
        Recognizer("nope.onnx", "none")


@pytest.mark.parametrize("device", ["cuda", "directml", "coreml"])
def test_a_device_that_is_not_there_is_refused(device):
    if set(ort.get_available_providers()) - {"CPUExecutionProvider", "AzureExecutionProvider"}:
        pytest.skip("this onnxruntime has another device")
    with pytest.raises(UsageError, match=f"^device {device}: "):
        Recognizer(detector="none", device=device)


def test_threads_may_share_a_recognizer(tmp_path, write_linear_model):
    recognizer = Recognizer(write_linear_model(tmp_path / "m.onnx"))
    astronaut = data.astronaut()
    pictures = [np.ascontiguousarray(astronaut[: 512 - 8 * number, number:]) for number in range(12)]
    expected = [recognizer.predict(picture) for picture in pictures]
    assert all(expected)
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(recognizer.predict, pictures)) == expected


@pytest.fixture
def pictures(tmp_path):
    """Nine files of different grey levels, of which the third is missing and the sixth is no picture."""
    paths = [tmp_path / f"{number}.png" for number in range(9)]
    for number, path in enumerate(paths):
        Image.fromarray(gray(number * 28, (10 + number, 20))).save(path)
    paths[2].unlink()
    paths[5].write_text("text")
    return paths


@pytest.mark.parametrize("batch", [1, 2, 4, 100])
def test_files_come_back_in_order_and_broken_ones_say_why(classifier, pictures, batch):
    files = list(recognize_files(Recognizer(classifier, "none").pipeline, pictures, batch))
    assert [file.frame.source for file in files] == [str(path) for path in pictures]
    broken = [number for number, file in enumerate(files) if file.frame.error]
    assert broken == [2, 5]
    assert str(pictures[2]) in files[2].frame.error
    for number, file in enumerate(files):
        if number in broken:
            assert (file.image, file.frame.width, file.frame.height, file.frame.faces) == (None, 0, 0, ())
        else:
            assert (file.frame.width, file.frame.height) == (20, 10 + number)
            assert file.frame.faces[0].probabilities[EMOTIONS[number * 28 * 7 // 256]] > 0.7


def test_files_are_classified_by_the_batch(classifier, pictures):
    list(recognize_files(Recognizer(classifier, "none").pipeline, pictures, 4))
    assert [len(batch) for batch in classifier.batches] == [3, 3, 1]


def test_files_are_read_as_they_are_needed(classifier, pictures):
    files = recognize_files(Recognizer(classifier, "none").pipeline, iter(pictures), 2)
    next(files)
    assert len(classifier.batches) == 1


def test_large_pictures_are_classified_in_smaller_batches(classifier, pictures, monkeypatch):
    monkeypatch.setattr("mien.recognition.pipeline.PIXELS_AT_ONCE", 300)
    list(recognize_files(Recognizer(classifier, "none").pipeline, pictures, 100))
    assert max(len(batch) for batch in classifier.batches) <= 2


def test_a_broken_picture_raises_when_asked_for_alone(classifier, pictures):
    with pytest.raises(InputError, match="not a picture"):
        Recognizer(classifier, "none").predict(pictures[5])


def test_of_several_pictures_the_broken_one_is_named_by_its_place(classifier, pictures):
    recognizer = Recognizer(classifier, "none")
    with pytest.raises(InputError, match=r"^images\[1\]: .*not a picture") as caught:
        recognizer.predict_batch([pictures[0], pictures[5]])
    with pytest.raises(InputError) as alone:
        recognizer.predict(pictures[5])
    assert str(caught.value) == f"images[1]: {alone.value}"
    with pytest.raises(UsageError, match=r"^images\[2\]: the image array is float64"):
        recognizer.predict_batch([gray(1), gray(2), gray(3) / 255])


def test_detectors_may_be_handed_in(classifier):
    astronaut = data.astronaut()
    by_name = Recognizer(classifier).predict(astronaut)
    assert Recognizer(classifier, YuNetDetector()).predict(astronaut) == by_name
    assert len(Recognizer(classifier, WholeImage()).predict(astronaut)) == 1


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (None, {}, "a NoneType is no video: expected a path"),
        ((number for number in range(3)), {}, "a generator is no video"),
        (True, {}, "a bool is no video"),
        ("clip.mp4", {"every": 2.5}, "every is 2.5: expected a whole number"),
        ("clip.mp4", {"every": True}, "every is True: expected a whole number"),
        ("clip.mp4", {"mirror": "no"}, "mirror is 'no': expected True, False or None"),
    ],
)
def test_a_wrong_argument_of_stream_is_refused_when_it_is_called(source, options, message):
    with pytest.raises(UsageError, match=message):
        Recognizer().stream(source, **options)


def large_jpeg(path, astronaut, side):
    """A photo of 4000x3000 whose face is about 0.22 times ``side`` pixels high."""
    image = np.full((3000, 4000, 3), 120, np.uint8)
    image[500 : 500 + side, 700 : 700 + side] = cv2.resize(astronaut, (side, side), interpolation=cv2.INTER_CUBIC)
    Image.fromarray(image).save(path, quality=92)
    return path, image


@pytest.mark.parametrize("side", [500, 2000])
def test_a_large_jpeg_is_read_smaller_and_gives_the_face_of_all_its_pixels(tmp_path, side):
    path, image = large_jpeg(tmp_path / "large.jpg", data.astronaut(), side)
    recognizer = Recognizer()
    (face,), (expected,) = recognizer.predict(path), recognizer.predict(image)
    np.testing.assert_allclose(tuple(face.box), tuple(expected.box), atol=0.02 * side)
    np.testing.assert_allclose(face.landmarks, expected.landmarks, atol=0.02 * side)
    assert max(abs(face.probabilities[name] - expected.probabilities[name]) for name in EMOTIONS) < 0.15
    seen = recognizer.recognize(path)
    assert seen.faces == (face,)
    assert seen.image.shape == image.shape
    assert (seen.frame.width, seen.frame.height) == (4000, 3000)


@pytest.mark.parametrize(("side", "times"), [(500, 1), (2000, 0)])
def test_all_pixels_are_read_for_small_faces_only(tmp_path, side, times):
    path, _ = large_jpeg(tmp_path / "large.jpg", data.astronaut(), side)
    pipeline, decoded = Recognizer().pipeline, []
    picture = read_reduced(path, pipeline.reduction)
    assert picture.factor == 2
    (found,) = pipeline.find_in(picture, lambda: decoded.append(1) or read_image(path))
    assert len(decoded) == times
    assert found.crop.shape == (48, 48)
