"""Class names of one's own, from import to service: two, three in Chinese, eight; colour at 112 px."""

import csv
import io
import json
import logging
import os
import shutil

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image
from rich.console import Console

import mien
from mien.cli.evaluate_tables import _confusion_table
from mien.cli.main import app
from mien.data.reading.class_maps import class_map
from mien.data.store import FaceStore, write_store
from mien.errors import DataError, MienError, UsageError
from mien.evaluation.mapped import mapped
from mien.labels import EMOTIONS, FERPLUS_EMOTIONS, checked_classes, drawable, legend
from mien.model.onnx_model import Bundle, softmax
from mien.output.colours import colours_of, seen_colours
from mien.preprocess import PreprocessSpec
from own_model import write_model

SETS = {"two": ("calm", "tense"), "three": ("高兴", "平静", "难过"), "eight": FERPLUS_EMOTIONS}


def run(*arguments):
    app(list(map(str, arguments)), standalone_mode=False)


@pytest.fixture(params=SETS)
def classes(request):
    return SETS[request.param]


@pytest.fixture
def work(tmp_path, monkeypatch, classes):
    """A folder with a data set of these classes, Training and PublicTest, and a model of them."""
    monkeypatch.chdir(tmp_path)
    random, rows = np.random.default_rng(1), 12 * len(classes)
    labels = (np.arange(rows) % len(classes)).astype(np.uint8)
    faces = random.integers(0, 256, (rows, 48, 48), np.uint8)
    write_store(
        "data", faces, labels, (np.arange(rows) >= rows // 2).astype(np.uint8), source="own", source_sha256="0" * 64,
        classes=classes,
    )  # fmt: skip
    write_model("own.onnx", classes)
    Image.fromarray(faces[0]).save("face.png")
    return tmp_path


def test_every_command_takes_them(work, classes, capsys):
    run("data", "info", "data", "--json")
    told = json.loads(capsys.readouterr().out)
    assert tuple(told["classes"]) == classes
    assert told["counts"]["Training"] == dict.fromkeys(classes, 6)
    run("data", "stats", "data", "--out", "stats")
    assert {path.name for path in (work / "stats").glob("samples_*")} == {f"samples_{name}.png" for name in classes}
    run("data", "audit", "data", "--labels", "own.onnx", "--out", "audit", "--write-clean", "clean")
    assert FaceStore.open("clean").classes == classes
    run("data", "export", "data", "folders", "--format", "folders")
    assert {path.name for path in (work / "folders" / "train").iterdir()} == set(classes)
    run("data", "import", "folders", "again")
    again = FaceStore.open("again")
    assert set(again.classes) == set(classes)
    for name in classes:
        assert np.count_nonzero(again.labels == again.classes.index(name)) == 12
    capsys.readouterr()
    run("evaluate", "own.onnx", "--data", "data", "--usage", "PublicTest", "--out", "report", "--json")
    report = json.loads(capsys.readouterr().out)
    store, bundle = FaceStore.open("data"), Bundle.load("own.onnx")
    rows = store.rows_of("PublicTest")
    right = bundle.probabilities(store.faces[rows]).argmax(axis=1) == store.labels[rows]
    assert report["accuracy"] == pytest.approx(right.mean())
    assert tuple(report["per_class"]) == tuple(report["labels"]) == classes
    run("compare", "report", "--json")
    assert json.loads(capsys.readouterr().out)[0]["accuracy"] == pytest.approx(right.mean())
    run("models", "own.onnx", "--json")
    assert json.loads(capsys.readouterr().out)["labels"] == list(classes)


def test_predict_names_them_in_rows_and_drawings(work, classes, capsys):
    arguments = ["predict", "face.png", "--detector", "none", "--model", "own.onnx"]
    run(*arguments, "--format", "csv", "--out", "out")
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["emotion"] in classes
    assert sum(float(row[name]) for name in classes) == pytest.approx(1, abs=1e-4)
    run(*arguments, "--format", "json")
    document = json.loads(capsys.readouterr().out)
    assert tuple(document["labels"]) == tuple(document["frames"][0]["faces"][0]["probabilities"]) == classes
    drawn = np.asarray(Image.open(work / "out" / "face.mien.png").convert("RGB"))
    assert (drawn == colours_of(classes)[row["emotion"]]).all(axis=2).any()
    seen = mien.recognize("face.png", model="own.onnx", detector="none")
    assert list(seen.to_pandas().columns[-1 - len(classes) : -1]) == list(classes)


def test_a_card_is_taken_at_its_word(tmp_path):
    """Classes that look like emotions in another order, or like their numbers, stay where the card has them."""
    for labels in (tuple(reversed(EMOTIONS)), tuple("6543210"), ("sad", "sadness")):
        bundle = Bundle.load(write_model(tmp_path / "own.onnx", labels))
        inputs = np.random.default_rng(0).normal(size=(3, 1, 12, 12)).astype(np.float32)
        weights = numpy_helper.to_array(onnx.load(tmp_path / "own.onnx").graph.initializer[0])
        np.testing.assert_allclose(bundle.logits_of_input(inputs), inputs.reshape(3, -1) @ weights, atol=1e-4)
        assert bundle.card.labels == labels


def test_the_service_and_its_page_know_them(work, classes):
    from fastapi.testclient import TestClient

    from mien.recognition.recognizer import Recognizer
    from mien.service.app import create_app
    from mien.service.settings import Settings

    with TestClient(create_app(Recognizer("own.onnx", "none", threads=1), Settings()), "http://127.0.0.1") as client:
        (model,) = client.get("/v1/models").json()
        assert tuple(model["labels"]) == tuple(model["colours"]) == classes
        answer = client.post(
            "/v1/predict", files=[("picture", ("a.png", (work / "face.png").read_bytes(), "image/png"))]
        )
        assert json.loads(answer.headers["mien-results"])["labels"] == list(classes)
        (face,) = answer.json()[0]["faces"]
        assert tuple(face["probabilities"]) == classes
        assert client.get("/openapi.json").status_code == 200


@pytest.fixture(scope="module")
def photos(tmp_path_factory, portraits):
    """Folders of photos: 高兴 and 平静, each a portrait in varied light, one without a face and one with two."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for name, portrait in (("高兴", portraits[0]), ("平静", portraits[1])):
        (folder / name).mkdir()
        for number in range(5):
            scene = np.full((200, 260, 3), random.integers(40, 200, 3), np.uint8)
            left, top = random.integers(20, 110), random.integers(20, 60)
            scene[top : top + 120, left : left + 120] = np.clip(portrait * random.uniform(0.8, 1.2), 0, 255)
            Image.fromarray(scene).save(folder / name / f"{number}.png")
    two = np.full((150, 300, 3), 90, np.uint8)
    two[10:130, 10:130], two[15:135, 160:280] = portraits
    Image.fromarray(two).save(folder / "高兴" / "two.png")
    Image.fromarray(np.full((120, 160, 3), 120, np.uint8)).save(folder / "平静" / "wall.png")
    return folder


@pytest.mark.usefixtures("_operators_once")
def test_photos_in_colour_at_112_px_go_from_import_to_predict(photos, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run("data", "import", photos, "mine", "--detect", "--face-size", "112", "--colour")
    said = capsys.readouterr().err
    for words in ("wall.png: no face found, left out", "two.png: 2 faces, the largest is taken", "its own: 平静, 高兴"):
        assert words in said
    store = FaceStore.open("mine")
    assert (store.classes, store.side, store.channels, len(store)) == (("平静", "高兴"), 112, 3, 11)
    assert store.files[0] == "平静/0.png"
    # The crop is the one that prediction reads.
    spec = PreprocessSpec(frame_size=16, input_size=12, channels=3, face_size=112)
    recognizer = mien.Recognizer(write_model(tmp_path / "own.onnx", store.classes, spec), threads=1)
    (candidate, *_) = recognizer.pipeline.find(np.asarray(Image.open(photos / "平静" / "0.png")))
    np.testing.assert_array_equal(candidate.crop, store.faces[0])
    # Grey models read it too.
    grey = Bundle.load(write_model(tmp_path / "grey.onnx", store.classes))
    by_pillow = np.stack([np.asarray(Image.fromarray(face).convert("L")) for face in store.faces[:3]])
    np.testing.assert_allclose(grey.probabilities(store.faces[:3]), grey.probabilities(by_pillow), atol=0.02)
    settings = (
        *("epochs=1", "batch_size=4", "precision=fp32", "select_on=last", "schedule.warmup_epochs=0", "resolutions=[]"),
        *("preprocess.frame_size=16", "preprocess.input_size=16", "preprocess.channels=3"),
    )
    flags = [word for setting in settings for word in ("--set", setting)]
    run("train", "--recipe", "mien_s", "--data", "mine", "--run", "run", *flags)
    run("export", "run", "--out", "own112.onnx")
    card = Bundle.load("own112.onnx").card
    assert (card.labels, card.preprocess.channels, card.preprocess.face_size) == (store.classes, 3, 112)
    run("data", "stats", "mine", "--out", "stats")
    run("data", "audit", "mine")
    run("data", "export", "mine", "mine.npz", "--format", "npz")
    capsys.readouterr()
    run("predict", photos / "高兴" / "0.png", "--model", "own112.onnx", "--format", "json")
    (face,) = json.loads(capsys.readouterr().out)["frames"][0]["faces"]
    assert tuple(face["probabilities"]) == store.classes
    with pytest.raises(UsageError, match="the format csv is for FER2013's classes and its grey faces"):
        run("data", "export", "mine", "mine.csv", "--format", "csv")


def test_a_class_whose_photos_show_no_face_is_refused(photos, tmp_path):
    for name, picture in (("up", "高兴/0.png"), ("none", "平静/wall.png")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        shutil.copy(photos / picture, tmp_path / "photos" / name)
    with pytest.raises(
        DataError, match=r"no picture of 'none' could be used: .* leave the class out .*: --map none=sk"
    ):
        run("data", "import", tmp_path / "photos", tmp_path / "mine", "--detect")
    assert not (tmp_path / "mine").exists()


def test_tables_of_photos_are_a_source(photos, tmp_path, monkeypatch):
    lines = ["path,label,group,usage"]
    for number in range(4):
        lines += [f"高兴/{number}.png,up,anna,train", f"平静/{number}.png,down,ben,validation"]
    (photos / "faces.csv").write_text("\n".join(lines), encoding="utf-8")
    run("data", "import", photos / "faces.csv", tmp_path / "mine", "--map", "up=positive")
    store = FaceStore.open(tmp_path / "mine")
    assert (store.classes, store.groups[:2].tolist()) == (("down", "positive"), ["anna", "ben"])
    assert store.counts() == {"Training": {"down": 0, "positive": 4}, "PublicTest": {"down": 4, "positive": 0}}
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    with_semicolons = "\n".join(lines).replace(",", ";")
    (photos / "faces.csv").write_text(with_semicolons, encoding="utf-8")
    run("data", "import", os.path.relpath(photos / "faces.csv"), "again")
    assert FaceStore.open("again").counts() == {"Training": {"down": 0, "up": 4}, "PublicTest": {"down": 4, "up": 0}}
    for line, words in (
        (
            "/photos/gone.png,up,anna,train",
            "line 10 names '/photos/gone.png': expected a path that begins in the csv's",
        ),
        ("gone.png,up,anna,train", "line 10 names 'gone.png': no such file"),
        ("高兴/0.png,,anna,train", "line 10 has path .* and label '': expected text in both"),
        ("高兴/0.png,up,anna,later", "line 10 has usage 'later': expected one of Training"),
        ("高兴/0.png,up,,train", "line 10 names '高兴/0.png' again, as line 2: expected each once"),
        ("高兴/two.png,up,,train", "line 10 has no group: expected one in every line"),
    ):
        (photos / "faces.csv").write_text("\n".join([*lines, line]), encoding="utf-8")
        with pytest.raises(DataError, match=words):
            run("data", "import", photos / "faces.csv", tmp_path / "other")


def test_a_model_is_asked_in_the_classes_of_the_data(tmp_path):
    bundle = Bundle.load("mien_s")
    names = dict.fromkeys(("angry", "disgust", "fear", "sad"), "negative")
    names |= {"happy": "positive", "neutral": "plain", "surprise": None}
    asked = mapped(bundle, ("negative", "plain", "positive"), names)
    inputs = bundle.card.preprocess.apply(np.random.default_rng(0).integers(0, 256, (5, 48, 48), np.uint8))
    theirs = softmax(bundle.logits_of_input(inputs) / bundle.card.temperature)
    expected = np.stack([theirs[:, [0, 1, 2, 4]].sum(axis=1), theirs[:, 6], theirs[:, 3]], axis=1)
    found = softmax(asked.logits_of_input(inputs) / asked.card.temperature)
    np.testing.assert_allclose(found, expected / expected.sum(axis=1, keepdims=True), atol=1e-6)
    assert mapped(bundle, EMOTIONS, {}) is bundle
    for wanted, words in (
        (
            ("calm", "tense"),
            "has the classes angry, .*, the data set calm, tense: the data set has no angry, .*--map angry",
        ),
        (FERPLUS_EMOTIONS, "the model never answers contempt"),
    ):
        with pytest.raises(UsageError, match=words):
            mapped(bundle, wanted, {})


def test_classes_in_another_order_keep_their_logits_and_temperature():
    """Or a report would say of calibrated answers that they are not."""
    bundle = Bundle.load("mien_s")
    backwards = EMOTIONS[::-1]
    inputs = bundle.card.preprocess.apply(np.random.default_rng(0).integers(0, 256, (3, 48, 48), np.uint8))
    expected = bundle.logits_of_input(inputs)
    for asked, order in ((mapped(bundle, backwards, {}), slice(None, None, -1)),
                         (mapped(bundle, EMOTIONS, class_map(["happy=happy"])), slice(None))):  # fmt: skip
        assert asked.card.temperature == bundle.card.temperature != 1
        np.testing.assert_array_equal(asked.logits_of_input(inputs), expected[:, order])


def test_a_map_names_a_class_of_the_data_however_it_is_written():
    bundle = Bundle.load("mien_s")
    rest = dict.fromkeys(("angry", "disgust", "fear", "sad", "surprise"), "other")
    asked = mapped(
        bundle,
        ("Happy", "Neutral", "Other"),
        class_map([f"{name}={to}" for name, to in rest.items()]) | class_map(["happy=Happy", "neutral=neutral"]),
    )
    assert asked.card.labels == ("Happy", "Neutral", "Other")
    inputs = bundle.card.preprocess.apply(np.random.default_rng(0).integers(0, 256, (3, 48, 48), np.uint8))
    as_named = mapped(bundle, ("Happiness", "neutral", "Other"), rest)  # what no map names goes by its name
    np.testing.assert_array_equal(as_named.logits_of_input(inputs), asked.logits_of_input(inputs))


def test_a_folder_without_one_of_the_models_classes_is_judged_in_them(tmp_path, capsys):
    """Happy and neutral alone are no FER2013, and the model stays as it is; models of another order compare."""
    random = np.random.default_rng(0)
    for number in range(12):
        path = tmp_path / "data" / ("happy", "neutral")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (48, 48), np.uint8)).save(path)
    models = [
        write_model(tmp_path / f"{name}.onnx", tuple(name.split("-")))
        for name in ("happy-neutral-other", "other-neutral-happy")
    ]
    accuracies = []
    for model in models:
        run("evaluate", model, "--data", tmp_path / "data", "--json")
        told = json.loads(capsys.readouterr().out)
        assert (told["labels"], told["absent"], told["restricted"]) == (model.stem.split("-"), ["other"], False)
        accuracies.append(told["accuracy"])
    run("evaluate", models[0], "--data", tmp_path / "data", "--map", "hapy=other", "--map", "neutral=skip", "--json")
    said = capsys.readouterr()
    assert (json.loads(said.out)["n"], json.loads(said.out)["labels"]) == (6, ["happy", "other"])
    assert said.err.splitlines()[0] == "--map hapy=other: no class of model and data is called so"
    run("compare", *models, "--data", tmp_path / "data", "--usage", "all", "--json")
    assert [row["accuracy"] for row in json.loads(capsys.readouterr().out)] == accuracies
    run("compare", *models, "--data", tmp_path / "data", "--corruptions", "--json")
    clean = [found["clean"]["accuracy"] for found in json.loads(capsys.readouterr().out)["models"]]
    assert clean == pytest.approx(accuracies)
    other = write_model(tmp_path / "calm-tense.onnx", ("calm", "tense"))
    with pytest.raises(UsageError, match=r"the data set has no calm, tense; .*expected the same classes$"):
        run("compare", other, models[0], "--data", tmp_path / "data", "--usage", "all")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["one"], r"1 class \(one\): expected 2..100 distinct ones"),
        ([], "0 classes: expected 2..100"),
        (list(map(str, range(101))), "101 classes: expected 2..100"),
        (["a", ""], "class name '': expected 1..60 printable characters"),
        (["a", " b"], "class name ' b'"),
        (["a", "b/c"], "without slashes"),
        (["caf\u00e9", "cafe\u0301"], "are the same: expected each once"),
    ],
)
def test_names_that_are_no_classes_are_refused(names, words):
    with pytest.raises(DataError, match=words):
        checked_classes(names)


def test_colours_are_distinct_for_all_eyes():
    for count, apart in ((8, 15), (20, 10), (100, 3)):
        colours = list(colours_of([f"class {number}" for number in range(count)]).values())
        assert len(set(colours)) == count
        seen = seen_colours(colours)
        distances = np.linalg.norm(seen[:, None] - seen[None], axis=-1).min(axis=-1)
        assert distances[~np.eye(count, dtype=bool)].min() > apart


def test_a_store_of_format_1_still_opens(small_store):
    meta = json.loads((small_store / "store.json").read_text())
    assert (meta["format"], "classes" in meta) == (1, False)
    assert FaceStore.open(small_store).classes == EMOTIONS
    (small_store / "store.json").write_text(json.dumps({**meta, "format": 3}))
    with pytest.raises(MienError, match="a data set of format 3: expected 1 or 2"):
        FaceStore.open(small_store)


def test_tables_for_people_show_names_as_they_are(tmp_path, monkeypatch, capsys):
    """Rich takes brackets for styles and colons for emoji."""
    monkeypatch.chdir(tmp_path)
    names, labels = ("[bold]", ":smile:", "calm"), (np.arange(12) % 3).astype(np.uint8)
    faces = np.random.default_rng(0).integers(0, 256, (12, 48, 48), np.uint8)
    write_store("data", faces, labels, np.ones_like(labels), source="own", source_sha256="0" * 64, classes=names)
    write_model("own.onnx", names)
    for words in (["data", "info"], ["data", "stats"], ["data", "audit"]):
        run(*words, "data")
        assert "[bold]" in capsys.readouterr().out
    run("evaluate", "own.onnx", "--data", "data", "--usage", "PublicTest")
    said = capsys.readouterr().out.split()  # figures, and both sides of the confusion matrix
    assert (said.count("[bold]"), said.count(":smile:")) == (3, 3)


def test_mistakes_among_many_classes_are_listed(capsys):
    confusion, names = np.diag([9] * 14), [f"class {number}" for number in range(14)]
    confusion[3, 5], confusion[5, 3] = 4, 7
    Console(width=80).print(_confusion_table(confusion.tolist(), names))
    lines = [line.split("│")[1:-1] for line in capsys.readouterr().out.splitlines() if "class" in line]
    assert [[cell.strip() for cell in line] for line in lines] == [
        ["class 5", "class 3", "7"],
        ["class 3", "class 5", "4"],
    ]


def test_columns_of_classes_that_are_called_like_others(tmp_path, capsys):
    Image.fromarray(np.zeros((48, 48), np.uint8)).save(tmp_path / "face.png")
    model = write_model(tmp_path / "own.onnx", ("time", "error", "x y"))
    run("predict", tmp_path / "face.png", "--detector", "none", "--model", model, "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert sum(float(row[name]) for name in ("p_time", "p_error", "x y")) == pytest.approx(1, abs=1e-4)
    assert (row["time"], row["error"]) == ("", "")


def test_a_number_stands_for_a_name_that_cannot_be_drawn_and_never_for_two_classes():
    def can_draw(text):
        return text.isascii()

    assert drawable(("calm", "高兴", "tense"), can_draw) == ("calm", "2", "tense")
    assert legend(("calm", "2", "tense"), ("calm", "高兴", "tense")) == "2 高兴"
    assert drawable(("2", "高兴"), can_draw) == ("1", "2")  # the class called 2 would have been taken for the other
    assert legend(("1", "2"), ("2", "高兴")) == "1 2, 2 高兴"


def test_numbers_stand_for_names_that_no_font_can_draw(monkeypatch, caplog):
    from mien.output import fonts

    monkeypatch.setattr(fonts, "_SYSTEM", ())
    fonts.lettering.cache_clear()
    names = ("\u9ad8\u5174", "plain")
    with caplog.at_level(logging.WARNING, logger="mien"):
        assert dict(fonts.lettering(names).words) == {names[0]: "1", names[1]: "plain"}
        fonts.lettering(names)
    assert caplog.text.count("drawings show numbers: 1 高兴; name one") == 1
    assert dict(fonts.lettering(("calm", "tense")).words) == {"calm": "calm", "tense": "tense"}
    with pytest.raises(UsageError, match=r"font nowhere\.ttf: cannot be read"):
        fonts.use_font("nowhere.ttf")
    fonts.lettering.cache_clear()
