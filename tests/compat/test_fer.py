"""What fer's README, changelog, docstrings and tests promise."""

import base64
import io
from pathlib import Path
from zipfile import ZipFile

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from skimage import data

import mien
from mien.compat.fer import FER, Video
from mien.compat.fer.classes import Video as VideoOfClasses
from mien.compat.fer.exceptions import InvalidImage, InvalidModelFile
from mien.compat.fer.fer import FER as FEROfFer  # noqa: N811
from mien.compat.fer.utils import draw_annotations
from mien.media.open_video import open_video
from mien.model.onnx_model import Bundle
from mien.output import window

EMOTIONS = ["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"]  # of the README's sample
ASTRONAUT = data.astronaut()
BGR = np.ascontiguousarray(ASTRONAUT[:, :, ::-1])


@pytest.fixture(scope="module")
def detector():
    return FER(mtcnn=True)


def test_its_modules_have_their_names():
    assert (VideoOfClasses, FEROfFer) == (Video, FER)


def test_a_face_is_a_box_and_seven_scores(detector):
    (face,) = detector.detect_emotions(BGR)
    (expected,) = mien.analyze(ASTRONAUT)
    assert list(face) == ["box", "emotions"]
    assert face["box"] == list(expected.box)
    assert sorted(face["emotions"]) == EMOTIONS
    assert face["emotions"] == {name: round(value, 2) for name, value in expected.probabilities.items()}
    assert detector.emotions == [face]


def png(image):
    content = io.BytesIO()
    Image.fromarray(image).save(content, "PNG")
    return content.getvalue()


def test_pictures_come_in_many_forms(detector, tmp_path):
    (tmp_path / "a.png").write_bytes(png(ASTRONAUT))
    expected = detector.detect_emotions(BGR)
    uri = "data:image/png;base64," + base64.b64encode(png(ASTRONAUT)).decode()
    for picture in (str(tmp_path / "a.png"), tmp_path / "a.png", uri, Image.fromarray(ASTRONAUT), BGR.astype(float)):
        assert detector.detect_emotions(picture) == expected
    assert len(detector.detect_emotions(cv2.cvtColor(BGR, cv2.COLOR_BGR2GRAY))) == 1


@pytest.mark.parametrize(
    "picture", [cv2.imread("missing.jpg"), __file__, "missing.jpg", np.zeros((4, 4, 2)), "data:image/png;base64,%", 7]
)
def test_what_is_no_picture_is_an_invalid_image(detector, picture):
    for kind in (InvalidImage, ValueError, mien.MienError):
        with pytest.raises(kind):
            detector.detect_emotions(picture)


def test_no_face_is_an_empty_list(detector):
    assert detector.detect_emotions(np.zeros((90, 90, 3), np.uint8)) == []
    assert detector.top_emotion(np.zeros((90, 90, 3), np.uint8)) == (None, None)


def test_the_top_emotion_is_a_name_and_its_score(detector):
    assert detector.top_emotion(BGR) == ("happy", detector.detect_emotions(BGR)[0]["emotions"]["happy"])


def test_a_batch_is_every_picture(detector):
    black = np.zeros((90, 90, 3), np.uint8)
    assert detector.batch_detect_emotions([BGR, black]) == [detector.detect_emotions(BGR), []]


def test_known_faces_are_classified_in_their_order(write_linear_model, tmp_path):
    model = write_linear_model(tmp_path / "model.onnx")
    faces = np.random.default_rng(3).integers(0, 256, (2, 48, 48), np.uint8)
    expected = Bundle.load(model).probabilities(faces)
    rectangles = np.array([[48, 0, 48, 48], [200, 200, 9, 9], [0, 0, 48, 48]])
    found = FER(emotion_model=model).detect_emotions(np.hstack(faces), face_rectangles=rectangles)
    assert [face["box"] for face in found] == [[48, 0, 48, 48], [0, 0, 48, 48]]
    scores = [list(face["emotions"].values()) for face in found]
    np.testing.assert_allclose(scores, expected[::-1], atol=0.0051)


def test_a_cascade_is_used_as_its_parameters_say():
    file = Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_alt2.xml"
    gray = cv2.cvtColor(BGR, cv2.COLOR_BGR2GRAY)
    expected = cv2.CascadeClassifier(str(file)).detectMultiScale(gray, 1.2, 4, minSize=(60, 60)).tolist()
    found = FER(str(file), scale_factor=1.2, min_neighbors=4, min_face_size=60).find_faces(BGR)
    assert sorted(found) == sorted(expected)
    assert found


def test_faces_below_the_smallest_size_are_left_out():
    assert FER(min_face_size=113).find_faces(BGR) == [[178, 63, 90, 113]]
    assert FER(min_face_size=114).find_faces(BGR) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"scale_factor": 1.0}, "scale_factor is 1.0"),
        ({"min_face_size": 0}, "min_face_size is 0"),
        ({"min_neighbors": -1}, "min_neighbors is -1"),
        ({"offsets": 10}, "offsets are 10"),
        ({"tfserving": True}, "tfserving"),
        ({"cascade_file": __file__}, "no Haar cascade"),
        ({"cascade_file": "missing.xml"}, "no Haar cascade"),
    ],
)
def test_arguments_are_checked(wrong, said):
    with pytest.raises(ValueError, match=said):
        FER(**wrong)


def test_a_model_that_is_none_is_an_invalid_model_file():
    with pytest.raises(InvalidModelFile):
        FER(emotion_model=__file__)


def test_found_faces_are_drawn(detector):
    faces = detector.detect_emotions(BGR)
    drawn = draw_annotations(BGR, faces)
    x, y, width, height = faces[0]["box"]
    changed = np.any(drawn != BGR, axis=2)
    assert changed[y : y + height, [x, x + width - 1]].all()
    assert not changed[400:].any()
    with pytest.raises(ValueError, match="English"):
        draw_annotations(BGR, faces, lang="de")


class Bright:
    """Finds the bright square of a frame: `happy` as bright as it is, the rest neutral."""

    def detect_emotions(self, img):
        rows, columns = (np.flatnonzero((img.mean(axis=2) > 100).any(axis=axis)) for axis in (1, 0))
        if not rows.size:
            return []
        box = [int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1]
        happy = round(float(img[rows[0] + 8, columns[0] + 8].mean()) / 255, 2)
        return [{"box": box, "emotions": {**dict.fromkeys(EMOTIONS, 0.0), "happy": happy, "neutral": 1 - happy}}]


@pytest.fixture(scope="module")
def clip(write_clip, tmp_path_factory):
    """12 frames of a square at (16 + 4 n, 16); none in the last."""
    images = np.zeros((12, 64, 96, 3), np.uint8)
    for number, image in enumerate(images[:-1]):
        image[16:40, 16 + 4 * number : 40 + 4 * number] = 200
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", list(images))


@pytest.fixture
def video(clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Video(str(clip))


def quiet(video, **options):
    return video.analyze(Bright(), save_frames=False, save_video=False, **options)


def test_a_video_is_a_row_for_each_frame(video, tmp_path):
    rows = quiet(video)
    assert [row["box0"][0] for row in rows[:-1]] == pytest.approx([16 + 4 * number for number in range(11)], abs=1)
    assert rows[-1] == {}
    assert set(rows[0]) == {"box0", *(f"{name}0" for name in EMOTIONS)}
    written = pd.read_csv(tmp_path / "data.csv", skip_blank_lines=False)
    assert list(written.columns) == list(rows[0])
    assert written["happy0"][:11].tolist() == [row["happy0"] for row in rows[:-1]]
    assert not (tmp_path / "output").exists()


def test_rows_become_tables(video):
    table = video.to_pandas(quiet(video))
    assert list(table.columns) == ["box", *EMOTIONS]
    assert len(table) == 12
    assert table["happy"][0] == pytest.approx(200 / 255, abs=0.02)
    pd.testing.assert_frame_equal(quiet(video, output="pandas"), table)
    pd.testing.assert_frame_equal(video.get_first_face(table), table)
    assert list(video.get_emotions(table).columns) == EMOTIONS
    every = Video(video.filepath, first_face_only=False).to_pandas(quiet(video))
    assert list(every.columns) == ["box0", *(f"{name}0" for name in EMOTIONS)]


def test_faces_are_numbered():
    face = {"box": [1, 2, 3, 4], "emotions": {"happy": 1.0}}
    video = Video(__file__)
    frames = [[face], [face, face], []]
    assert video.get_max_faces(frames) == 2
    rows = video.to_dict(frames)
    assert rows == [{"box0": [1, 2, 3, 4], "happy0": 1.0}, {**rows[0], "box1": [1, 2, 3, 4], "happy1": 1.0}, {}]
    assert video.to_dict(rows) == rows
    assert list(video.to_pandas(frames).columns) == ["box", "happy"]


@pytest.mark.parametrize(
    ("options", "picked"),
    [
        ({"frequency": 5}, [0, 5, 10]),
        ({"save_fps": 5}, [0, 5, 10]),
        ({"max_results": 2}, [0, 1]),
        ({"frequency": 3, "max_results": 2}, [0, 3]),
        ({"save_fps": 100}, list(range(12))),
    ],
)
def test_some_frames_are_analysed(video, options, picked):
    rows = quiet(video, **options)
    expected = [16 + 4 * number for number in picked if number < 11]
    assert [row["box0"][0] for row in rows if row] == pytest.approx(expected, abs=1)
    assert len(rows) == len(picked)


@pytest.mark.parametrize("prefix", ["x_min", "xmin"])
def test_a_part_of_the_frame_is_looked_at(video, prefix):
    part = dict(zip(("x_min", "x_max", "y_min", "y_max"), (10, 60, 12, 64), strict=True))
    part = {name if prefix == "x_min" else name.replace("_", ""): value for name, value in part.items()}
    (row,) = quiet(video, detection_box=part, max_results=1)
    assert row["box0"] == pytest.approx([16, 16, 24, 24], abs=1)
    for wrong in ({"x_min": 3}, {**part, prefix: 5000}):
        with pytest.raises(ValueError, match="detection_box"):
            quiet(video, detection_box=wrong)


def test_frames_and_a_copy_are_saved(video, tmp_path):
    video.analyze(Bright(), max_results=3)
    out = tmp_path / "output"
    assert sorted(path.name for path in out.iterdir()) == ["clip_output.mp4", "images.zip"]
    assert ZipFile(out / "images.zip").namelist() == [f"clip{number}.jpg" for number in range(3)]
    assert len(list(open_video(out / "clip_output.mp4").images())) == 3
    video.analyze(Bright(), max_results=1, zip_images=False, save_video=False, annotate_frames=False, video_id="raw")
    raw = np.asarray(Image.open(out / "raw0.jpg").resize((96, 64))).mean(axis=2)
    assert raw[20:36, 20:36].mean() == pytest.approx(200, abs=4)
    assert raw[:, 50:].max() < 30


def test_closing_the_window_ends_the_analysis(video, monkeypatch):
    class Watched:
        shown, quit = 0, False

        def __init__(self, title, folder):
            assert title == "clip.mp4"

        def show(self, image, note):
            self.shown += 1
            self.quit = self.shown == 2

        def wait(self, milliseconds):
            assert milliseconds > 0

        listen = close = lambda self: None

    monkeypatch.setattr(window, "Preview", Watched)
    assert len(quiet(video, display=True)) == 2


@pytest.mark.parametrize(
    "wrong", [{"output": "xml"}, {"frequency": 0}, {"max_results": 0}, {"save_fps": 0}, {"lang": "tr"}]
)
def test_wrong_options_are_refused_before_anything_is_read(video, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        quiet(video, **wrong)


def test_a_video_that_is_missing_is_named():
    with pytest.raises(mien.MienError, match=r"missing\.mp4"):
        Video("missing.mp4")


def test_a_real_detector_reads_a_real_face(detector, write_clip, stage, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "stage.mp4", [stage((0, 100 + number, 60)) for number in range(2)])
    video = Video("stage.mp4")
    table = video.to_pandas(video.analyze(detector, save_video=False, save_frames=False))
    assert (table["happy"] > 0.5).all()
