"""What callers of the Python interface give: the wrong is refused in one line, numbers of numpy are numbers."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

import mien
import mien.jobs
from mien.errors import UsageError
from mien.given import choice, finite, flag, real, several, share, shown, whole

FACE = mien.Face(mien.Box(100, 80, 60, 70), 0.9, {"happy": 0.8, "other": 0.2}, track=1)
FRAME = mien.Frame("clip.mp4", 0, 0.0, 640, 480, (FACE,))
GREY = np.zeros((480, 640), np.uint8)
SAMPLE = Path(mien.__file__).parent / "samples" / "astronaut.jpg"

JUNK = [object(), 1j, {1: 2}, [1], b"x", np.zeros(3), math.nan, 10**5000]
"""What is nothing that any call takes."""


@pytest.fixture(scope="module")
def recognizer():
    return mien.Recognizer(threads=1)


@pytest.fixture(scope="module")
def recognized(recognizer):
    return recognizer.recognize(SAMPLE)


def refused(call, value):
    with pytest.raises(UsageError) as caught:
        call(value)
    said = str(caught.value)
    assert "\n" not in said
    assert "expected" in said or "use [picture]" in said
    assert len(said) < 400


RESULTS = {
    "x": lambda value: mien.Box(value, 1, 2, 3),
    "width": lambda value: mien.Box(1, 1, value, 3),
    "rectangle": lambda value: mien.Box.inside(value, 1, 2, 3, image=(9, 9)),
    "image": lambda value: mien.Box.inside(1, 1, 2, 3, image=value),
    "face": lambda value: mien.Face(value, 0.9, {"a": 0.5, "b": 0.5}),
    "confidence": lambda value: mien.Face(FACE.box, value, {"a": 0.5, "b": 0.5}),
    "probabilities": lambda value: mien.Face(FACE.box, 0.9, value),
    "landmarks": lambda value: mien.Face(FACE.box, 0.9, {"a": 0.5, "b": 0.5}, value),
    "track": lambda value: mien.Face(FACE.box, 0.9, {"a": 0.5, "b": 0.5}, track=value),
    "steady": lambda value: mien.Face(FACE.box, 0.9, {"a": 0.5, "b": 0.5}, steady=value),
    "source": mien.Frame,
    "index": lambda value: mien.Frame("a", value),
    "time": lambda value: mien.Frame("a", 0, value),
    "faces": lambda value: mien.Frame("a", faces=value),
    "detection": lambda value: mien.Detection((1, 2, 3, 4), value),
    "detected box": lambda value: mien.Detection(value, 0.5),
    "detected points": lambda value: mien.Detection((1, 2, 3, 4), 0.5, value),
    "video image": lambda value: mien.VideoImage(value, 0.0, GREY),
    "recognized": lambda value: mien.Recognized(value, None),
}
CALLS = {
    "summarize": mien.summarize,
    "summarize one": lambda value: mien.summarize([value]),
    "find_episodes": mien.find_episodes,
    "find_episodes one": lambda value: mien.find_episodes([value]),
    "min_probability": lambda value: mien.find_episodes([FRAME], min_probability=value),
    "min_seconds": lambda value: mien.find_episodes([FRAME], min_seconds=value),
    "annotate": lambda value: mien.annotate(value, [FACE]),
    "annotate faces": lambda value: mien.annotate(GREY, value),
    "annotate one": lambda value: mien.annotate(GREY, [value]),
    "annotate labels": lambda value: mien.annotate(GREY, [FACE], labels=value),
    "to_pandas": lambda value: mien.to_pandas([value]),
    "status": mien.jobs.status,
    "run": lambda value: mien.jobs.run(value, "job"),
    "out": lambda value: mien.jobs.run([str(SAMPLE)], value),
    "shard": lambda value: mien.jobs.Running(shard=value),
    "seconds": lambda value: mien.jobs.Running(seconds=value),
    "workers": lambda value: mien.jobs.Running(workers=value),
}


@pytest.mark.parametrize("value", JUNK, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("call", [*RESULTS.values(), *CALLS.values()], ids=[*RESULTS, *CALLS])
def test_what_makes_no_sense_is_refused_in_one_line(call, value):
    refused(call, value)


@pytest.mark.parametrize("value", JUNK, ids=lambda value: type(value).__name__)
def test_so_it_is_by_a_recognizer(recognizer, recognized, value):
    refused(recognizer.predict_batch, value)
    refused(lambda workers: recognizer.predict_batch([SAMPLE], workers=workers), value)
    refused(recognized.save, value)
    refused(recognized.explain()[0].to_dict, value)
    refused(recognizer.stream, value)
    for option in ("every", "smooth", "time_constant", "raw", "mirror", "fps", "start", "step", "fps_out", "reopen"):
        refused(lambda given, option=option: recognizer.stream("a.mp4", **{option: given}), value)


@pytest.mark.parametrize("value", JUNK, ids=lambda value: type(value).__name__)
def test_so_it_is_as_an_option_of_a_recognizer(value):
    numbers = ("min_confidence", "min_face", "max_yaw", "min_probability", "max_faces", "region", "sets", "threads")
    for option in (*numbers, "model", "detector", "device", "prefer", "out_of_place", "alignment"):
        refused(lambda given, option=option: mien.Recognizer(**{option: given}), value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.zeros((4, 5, 3), np.uint8), "an array of shape (4, 5, 3)"),
        ([np.zeros(2), "a"], "[an array of shape (2,), 'a']"),
        ((np.zeros((2, 2)),), "(an array of shape (2, 2),)"),
        ([1, ("a",), []], "[1, ('a',), []]"),
        (np.float32(3), repr(np.float32(3))),
    ],
)
def test_of_an_array_a_message_shows_the_shape(value, text):
    assert shown(value) == text


def test_an_unknown_option_is_refused(recognizer, recognized):
    for call in (
        lambda: mien.annotate(GREY, [FACE], label=False),
        lambda: recognized.annotated(label=False),
        lambda: recognizer.stream("a.mp4", evry=2),
        lambda: mien.analyze(GREY, modle="mien_s"),
    ):
        with pytest.raises(UsageError, match=r"unknown option .* \(did you mean"):
            call()


NO_IMAGES = [None, GREY.astype(float), GREY[0], GREY[:0], GREY[..., None], np.zeros((9, 9, 4), np.uint8)]


@pytest.mark.parametrize("image", NO_IMAGES)
def test_what_is_no_image_is_named(recognizer, image):
    class Source:
        name, live = "mine", False

        def images(self):
            yield mien.VideoImage(0, 0.0, image)

        def close(self):
            pass

    with pytest.raises(UsageError, match=r"^an image of mine is .*: expected an array of uint8, RGB"):
        list(recognizer.stream(Source()))
    with pytest.raises(UsageError, match=r"^the image to annotate is .*: expected an array of uint8, RGB"):
        mien.annotate(image, [])


def test_boxes_are_drawn_as_far_as_they_lie_in_the_picture():
    faces = [
        mien.Face(mien.Box(*box), 0.9, {"a": 0.5, "b": 0.5}) for box in ((-9, -9, 10**12, 10**12), (0, 0, 640, 480))
    ]
    drawn = [mien.annotate(GREY, [face]) for face in faces]
    assert np.array_equal(*drawn)
    outside = mien.Face(mien.Box(640, 0, 10**12, 9), 0.9, {"a": 0.5, "b": 0.5})
    assert not mien.annotate(np.asmatrix(GREY), [outside]).any()


class Own:
    """A detector and a classifier that give what they are told to."""

    def __init__(self, answer):
        self._answer = answer

    def detect(self, image):
        return self._answer

    def probabilities(self, faces):
        return self._answer


OWN_DETECTIONS = [None, [(1, 2, 3, 4)], np.zeros((2, 5)), mien.Detection((0, 0, 9, 9), 0.9)]
OWN_ANSWERS = [None, [[0.5], [0.5, 0.5]], np.zeros((0, 7)), np.full((2, 7), 1 / 7), np.full(7, 1 / 7)]


def test_parts_of_ones_own_that_give_nothing_usable_are_named():
    for found in OWN_DETECTIONS:
        with pytest.raises(UsageError, match=r"^what the detector gives is .*: expected a list of mien\.Detection$"):
            mien.Recognizer(detector=Own(found)).predict(GREY)
    for answers in OWN_ANSWERS:
        with pytest.raises(UsageError, match=r"^what the classifier gives is .*: expected .* shape \(1, classes\)$"):
            mien.Recognizer(Own(answers), "none").predict(GREY)
    assert mien.Recognizer(Own([[1 / 7] * 7]), "none").predict(GREY)


def test_names_that_fonts_refuse_are_drawn_as_numbers():
    for name in ("two\nlines", "\udcff", ""):
        assert mien.annotate(GREY, [mien.Face(mien.Box(9, 9, 90, 90), 0.9, {name: 0.5, "b": 0.5})]).any()


def test_a_person_may_be_read_by_two_models():
    other = mien.Face(FACE.box, 0.9, {"calm": 0.8, "tense": 0.2}, track=1)
    frames = [mien.Frame("clip.mp4", n, float(n), 640, 480, (face,)) for n, face in enumerate((FACE, other))]
    (person,) = mien.summarize(frames)
    assert person.shares == {"happy": 0.5, "other": 0.0, "calm": 0.5}


@pytest.mark.parametrize(("name", "said"), [("a\0.png", "expected a path"), ("a" * 300 + ".png", "cannot be written")])
def test_a_picture_is_saved_under_no_impossible_name(recognized, tmp_path, name, said):
    with pytest.raises(mien.MienError, match=said):
        recognized.save(f"{tmp_path}/{name}")


def test_one_path_is_no_list_of_sources():
    for one in ("pictures", Path("pictures")):
        with pytest.raises(UsageError, match=r"use \[source\]"):
            mien.jobs.run(one, "job")


def test_results_of_numpy_numbers_hold_plain_ones():
    box = mien.Box(*np.array([100, 80, 60, 70]))
    face = mien.Face(
        box, np.float32(0.5), dict(zip("ab", np.float32([0.25, 0.75]), strict=True)), np.ones((5, 2)), np.int64(1)
    )
    frame = mien.Frame("a", np.int32(3), np.float32(0.5), np.int64(640), np.int64(480), [face])
    assert mien.Box(100, 80, 60, 70) == box
    values = json.loads(frame.to_json())
    assert (values["index"], values["time"], values["faces"][0]["track"]) == (3, 0.5, 1)
    assert values["faces"][0]["landmarks"] == [[1.0, 1.0]] * 5
    assert mien.find_episodes([frame], min_probability=np.float32(0.5), min_seconds=np.int64(0))


def test_options_may_be_numbers_of_numpy(tmp_path, write_clip, stage):
    recognizer = mien.Recognizer(
        min_confidence=np.float32(0.5),
        min_face=np.int64(24),
        max_yaw=np.int16(60),
        min_probability=np.float64(0.25),
        max_faces=np.uint8(2),
        region=np.array([0, 0, 64, 64]),
        sets=np.float32(0.5),
        out_of_place=np.bool_(True),
        threads=np.int64(1),
    )
    options = json.loads(recognizer.header.to_json())["options"]
    assert (options["min_face"], options["max_faces"], options["region"]) == (24, 2, [0, 0, 64, 64])
    clip = write_clip(tmp_path / "a.mp4", [stage(*[(0, 0, 60)] * 3)] * 4)
    frames = recognizer.stream(
        clip,
        every=np.int64(2),
        step=np.int64(2),
        fps=np.float32(5),
        start=np.float64(0),
        end=np.int64(90),
        time_constant=np.float32(0.5),
        raw=np.bool_(False),
        mirror=np.bool_(False),
        reopen=np.int64(0),
    )
    found = list(frames)
    assert [frame.index for frame in found] == [0, 2]
    assert json.loads(found[0].header.to_json())["options"]["step"] == 2
    assert recognizer.predict_batch([SAMPLE], workers=np.int64(1))
    assert mien.jobs.Running(workers=np.int64(2), shard=np.array([0, 2]), seconds=np.float32(5)).shard == (0, 2)


def test_true_is_no_number():
    for call in (lambda: mien.Box(True, 0, 1, 1), lambda: mien.Recognizer(min_confidence=True)):
        with pytest.raises(UsageError, match="is True: expected"):
            call()


def test_values_come_back_plain():
    assert type(whole("a", np.int64(3), "")) is int
    assert type(finite("a", np.float32(3), "")) is float
    assert type(share("a", 1)) is int
    assert flag("a", np.bool_(False)) is False
    assert several("a", iter([1, 2]), int, "") == (1, 2)
    with pytest.raises(UsageError, match=r"^a is an object of int: expected less$"):
        real("a", 10**5000, "less", math.isfinite)
    with pytest.raises(UsageError, match=r"^a is 'rose': expected one of red, blue$"):
        choice("a", "rose", ["red", "blue"])
