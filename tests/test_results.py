import copy
import csv
import io
import json
import pickle
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien import __version__
from mien.errors import UsageError
from mien.face_quality import Quality
from mien.labels import EMOTIONS
from mien.output.table_rows import table_columns, table_rows
from mien.results import Box, Face, Frame, Header, Probabilities

LANDMARKS = ((1.5, 2.0), (3.0, 2.0), (2.0, 3.0), (1.0, 4.0), (3.0, 4.5))
QUALITY = Quality(113, 250.26, 127.0, yaw=-12.34)
numbers = st.floats(-1e4, 1e4)
boxes = st.builds(Box, st.integers(0, 999), st.integers(0, 999), st.integers(1, 999), st.integers(1, 999))
faces = st.builds(
    Face,
    boxes,
    st.floats(0, 1),
    st.permutations([0.4, 0.2, 0.15, 0.1, 0.1, 0.05, 0.0]).map(tuple),
    st.sampled_from([(), LANDMARKS]),
    st.none() | st.integers(0),
    quality=st.none() | st.just(QUALITY),
)
frames = st.builds(
    Frame,
    st.text(st.characters()),
    st.integers(0),
    st.none() | st.floats(0, 1e6),
    st.integers(0, 9999),
    st.integers(0, 9999),
    st.lists(faces, max_size=3).map(tuple),
    st.none() | st.text(),
)


def a_face(**changes):
    return Face(**{"box": Box(1, 2, 3, 4), "confidence": 0.9, "probabilities": (0, 0, 0, 0.7, 0, 0.3, 0)} | changes)


@given(numbers, numbers, st.floats(0, 1e4), st.floats(0, 1e4), st.integers(1, 5000), st.integers(1, 5000))
def test_a_box_inside_an_image_lies_inside_it_and_inside_the_rectangle(x, y, width, height, image_height, image_width):
    box = Box.inside(x, y, width, height, image=(image_height, image_width))
    if box is None:  # only what misses the image, or covers less than half a pixel of it, vanishes
        overlap_x = min(image_width, Fraction(x) + Fraction(width)) - max(0, Fraction(x))
        overlap_y = min(image_height, Fraction(y) + Fraction(height)) - max(0, Fraction(y))
        assert min(overlap_x, overlap_y) <= 1
        return
    assert box.x >= 0
    assert box.y >= 0
    assert box.x + box.width <= image_width
    assert box.y + box.height <= image_height
    assert x - 0.5 <= box.x or box.x == 0
    assert box.x + box.width <= x + width + 0.5
    assert box.y + box.height <= y + height + 0.5
    assert box.area == box.width * box.height
    assert all(type(value) is int for value in box)


@given(boxes, st.integers(0, 50), st.integers(0, 50))
def test_a_whole_rectangle_inside_the_image_is_kept(box, right, below):
    image = (box.y + box.height + below, box.x + box.width + right)
    assert Box.inside(box.x, box.y, box.width, box.height, image=image) == box


def test_a_box_unpacks():
    x, y, width, height = Box(1, 2, 3, 4)
    assert (x, y, width, height) == (1, 2, 3, 4)


def test_probabilities_go_by_name_in_the_models_order():
    probabilities = Probabilities.of([0.5, 0.3, 0.2], ["b", "a", "c"])
    assert list(probabilities.items()) == [("b", 0.5), ("a", 0.3), ("c", 0.2)]
    assert a_face(probabilities=dict(probabilities)) == a_face(probabilities=probabilities)
    assert a_face(probabilities=probabilities).emotion == "b"
    assert hash(probabilities) == hash(Probabilities({"a": 0.3, "b": 0.5, "c": 0.2}))


def test_probabilities_cannot_be_changed():
    probabilities = a_face().probabilities
    with pytest.raises(TypeError, match="item assignment"):
        probabilities["happy"] = 1.0
    with pytest.raises(AttributeError):
        probabilities.pop("happy")


@pytest.mark.parametrize("again", [copy.deepcopy, lambda face: pickle.loads(pickle.dumps(face))])
def test_results_can_be_copied_and_sent(again):
    frame = Frame("a.mp4", 3, 0.12, 640, 480, (a_face(track=1, steady="surprise"),))
    assert again(frame) == frame
    assert hash(again(frame)) == hash(frame)


def test_what_is_printed_is_short():
    face = Face(Box(178, 63, 90, 113), 0.92, (0, 0, 0, 0.93, 0.07, 0, 0))
    assert repr(face) == "Face(happy 93 %, box=(178, 63, 90, 113), detector 0.92)"
    assert repr(a_face(track=2)) == "Face(happy 70 %, box=(1, 2, 3, 4), detector 0.90, track 2)"
    assert repr(Frame("a.jpg", faces=(face,))) == f"Frame('a.jpg', faces=[{face}])"
    assert repr(Frame("a.mp4", 3, 0.12)) == "Frame('a.mp4', index 3 at 0.120 s, faces=[])"
    assert repr(Frame("a.jpg", error="a.jpg: no such file")) == "Frame('a.jpg', error='a.jpg: no such file')"
    assert repr(Probabilities.of([0.25, 0.75], "ab")) == "{a: 0.25, b: 0.75}"


def test_an_empty_box_is_refused():
    with pytest.raises(UsageError, match="0x4"):
        Box(1, 1, 0, 4)


def test_a_face_names_its_likeliest_expression():
    assert (a_face().emotion, a_face().probability) == ("happy", 0.7)


def test_an_expression_that_holds_over_time_is_the_faces_expression():
    face = a_face(steady="surprise")
    assert (face.emotion, face.probability, face.to_dict()["emotion"]) == ("surprise", 0.3, "surprise")


@pytest.mark.parametrize(
    "changes",
    [
        {"steady": "bored"},
        {"probabilities": (0.5, 0.5)},
        {"probabilities": (0.5, 0, 0, 0, 0, 0, 0)},
        {"probabilities": (1.5, -0.5, 0, 0, 0, 0, 0)},
        {"probabilities": (float("nan"), 0, 0, 0, 0, 0, 0)},
        {"probabilities": (1, 0, 0, 0, 0, 0, float("nan"))},
        {"confidence": 1.01},
        {"confidence": float("nan")},
    ],
)
def test_malformed_faces_are_refused(changes):
    with pytest.raises(UsageError, match="expected"):
        a_face(**changes)


@given(frames)
def test_json_is_one_line_that_says_everything(frame):
    text = frame.to_json()
    assert text.isascii()
    assert len(text.splitlines()) == 1
    assert json.loads(text) == frame.to_dict()


def test_json_has_the_documented_keys():
    found = json.loads(
        Frame("a.jpg", 0, None, 640, 480, (a_face(landmarks=LANDMARKS, track=3, quality=QUALITY),)).to_json()
    )
    assert found == {
        "schema": 2, "source": "a.jpg", "index": 0, "time": None, "width": 640, "height": 480, "error": None,
        "faces": [
            {
                "face": 0, "box": [1, 2, 3, 4], "confidence": 0.9, "emotion": "happy", "probability": 0.7,
                "certain": True, "track": 3, "face_size": 113, "sharpness": 250.3, "brightness": 127.0,
                "yaw": -12.3, "pitch": None, "roll": None,
                "probabilities": dict(zip(EMOTIONS, [0, 0, 0, 0.7, 0, 0.3, 0], strict=True)),
                "landmarks": [[1.5, 2.0], [3.0, 2.0], [2.0, 3.0], [1.0, 4.0], [3.0, 4.5]],
            }
        ],
    }  # fmt: skip


@pytest.mark.parametrize(("least", "certain"), [(0.0, True), (0.7, True), (0.71, False), (1.0, False)])
def test_an_expression_is_certain_from_the_least_probability_on(least, certain):
    assert a_face(min_probability=least).certain is certain
    assert a_face(min_probability=least).to_dict()["certain"] is certain


def test_an_expression_that_is_not_certain_has_a_question_mark():
    assert repr(a_face(min_probability=0.8)) == "Face(happy? 70 %, box=(1, 2, 3, 4), detector 0.90)"


def test_what_is_certain_follows_a_steadied_expression():
    surprised = a_face(min_probability=0.5, steady="surprise")
    assert not surprised.certain
    assert replace(surprised, probabilities=(0, 0, 0, 0.4, 0, 0.6, 0)).certain


def test_probabilities_have_six_digits_in_json_and_tables():
    frame = Frame("a.jpg", faces=(a_face(probabilities=(1 / 3, 2 / 3, 0, 0, 0, 0, 0)),))
    (face,), (row,) = frame.to_dict()["faces"], table_rows([frame], EMOTIONS)
    assert face["probabilities"]["angry"] == row["angry"] == 0.333333
    assert face["probability"] == row["probability"] == row["disgust"] == 0.666667
    assert frame.faces[0].probability == 2 / 3


def test_every_value_of_json_stands_in_the_table_under_the_same_name():
    frame = Frame("a.mp4", 2, 0.5, 10, 10, (a_face(track=1), a_face(track=2)))
    document = frame.to_dict()
    for face, row in zip(document["faces"], table_rows([frame], EMOTIONS), strict=True):
        assert {"source": "a.mp4", "index": 2, "time": 0.5, "error": None}.items() <= row.items()
        assert [row[name] for name in ("x", "y", "width", "height")] == face["box"]
        assert {**face, **face["probabilities"]}.items() >= {
            (name, value) for name, value in row.items() if name in face or name in EMOTIONS
        }


def test_a_header_says_what_results_come_from():
    header = Header("mien_s", "ab" * 32, {"detector": "yunet"}).with_options(smooth="ema")
    expected = {
        "schema": 2, "mien": __version__, "model": {"name": "mien_s", "sha256": "ab" * 32},
        "labels": list(EMOTIONS), "options": {"detector": "yunet", "smooth": "ema"},
    }  # fmt: skip
    assert json.loads(header.to_json()) == header.to_dict() == expected
    assert Frame("a", header=header) == Frame("a")


def test_a_source_whose_name_is_not_text_is_still_json():
    name = b"caf\xe9.jpg".decode("utf-8", "surrogateescape")
    text = Frame(name).to_json()
    assert json.loads(text.encode().decode())["source"] == name


@given(st.lists(frames, max_size=4))
def test_the_table_has_a_row_per_face_and_one_per_frame_without(frames):
    rows = list(table_rows(frames, EMOTIONS))
    assert len(rows) == sum(max(1, len(frame.faces)) for frame in frames)
    assert all(tuple(row) == table_columns(EMOTIONS) for row in rows)
    expected = [
        (frame.source, index) for frame in frames for index in (range(len(frame.faces)) if frame.faces else [None])
    ]
    assert [(row["source"], row["face"]) for row in rows] == expected


def test_a_table_row_becomes_a_csv_line():
    failed = Frame("b.jpg", error="b.jpg: not a picture")
    rows = list(table_rows([Frame("a.jpg", 2, 0.5, 10, 10, (a_face(track=1, quality=QUALITY),)), failed], EMOTIONS))
    text = io.StringIO()
    writer = csv.DictWriter(text, table_columns(EMOTIONS))
    writer.writerows(rows)
    assert text.getvalue().splitlines() == [
        "a.jpg,2,0.5,0,1,1,2,3,4,0.9,happy,0.7,True,113,250.3,127.0,-12.3,,,,,,0.0,0.0,0.0,0.7,0.0,0.3,0.0,",
        "b.jpg,0,,,,,,,,,,,,,,,,,,,,,,,,,,,,b.jpg: not a picture",
    ]
