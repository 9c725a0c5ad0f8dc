"""`mien evaluate` as a user runs it."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn import metrics as sk

import mien as package
from mien.data.store import FaceStore, write_store
from mien.evaluation.corruptions import CORRUPTIONS
from mien.labels import EMOTIONS
from mien.model.onnx_model import Bundle
from mien.model.trust import Trust
from mien.preprocess import PreprocessSpec
from waiting import HANG

WITHOUT_EXTRAS = (
    "import sys; sys.modules.update(dict.fromkeys(['torch', 'matplotlib', 'sklearn', 'scipy', 'pandas']));"
    "from mien.cli.main import run; run()"
)


def without_extras(*arguments):
    """The command in a process that has none of the packages of extras."""
    command = [sys.executable, "-c", WITHOUT_EXTRAS, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANG)


@pytest.fixture
def model(tmp_path, write_linear_model):
    return write_linear_model(tmp_path / "model.onnx")


def test_json_agrees_with_scikit_learn_and_needs_no_extra(model, small_store, linear_weights):
    done = without_extras("evaluate", model, "--data", small_store, "--usage", "PublicTest", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)

    store = FaceStore.open(small_store)
    inputs = PreprocessSpec(frame_size=16, input_size=12, mean=0.5, std=0.25).apply(store.faces[60:])
    logits, labels = inputs.reshape(90, -1).astype(float) @ linear_weights, store.labels[60:]
    predicted = logits.argmax(axis=1)
    probabilities = np.exp(logits / 1.7) / np.exp(logits / 1.7).sum(axis=1, keepdims=True)
    assert result["n"] == 90
    assert result["accuracy"] == pytest.approx(sk.accuracy_score(labels, predicted))
    assert result["macro_f1"] == pytest.approx(sk.f1_score(labels, predicted, average="macro"))
    assert result["top2_accuracy"] == pytest.approx(sk.top_k_accuracy_score(labels, logits, k=2, labels=range(7)))
    assert result["nll"] == pytest.approx(sk.log_loss(labels, probabilities, labels=range(7)), rel=1e-5)
    assert result["confusion"] == sk.confusion_matrix(labels, predicted, labels=range(7)).tolist()
    report = sk.classification_report(labels, predicted, target_names=EMOTIONS, output_dict=True, zero_division=0)
    for emotion in EMOTIONS:
        expected = report[emotion]
        expected["f1"] = expected.pop("f1-score")
        assert result["per_class"][emotion] == pytest.approx(expected)


def test_the_table_names_the_figures(model, small_store, mien):
    done = mien("evaluate", model, "--data", small_store, "--usage", "PublicTest", "--tta", "flip")
    assert done.returncode == 0
    for word in ("linear on small.csv, PublicTest, 90 faces, tta flip", "±", "macro F1", "ECE", *EMOTIONS):
        assert word in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_out_adds_a_report_and_leaves_standard_output_alone(model, small_store, tmp_path, mien):
    arguments = ["evaluate", model, "--data", small_store, "--usage", "PublicTest", "--json"]
    done = mien(*arguments, "--out", tmp_path / "report")
    assert json.loads(done.stdout) == json.loads((tmp_path / "report" / "report.json").read_text())
    assert "wrote" in done.stderr
    assert len(list((tmp_path / "report").glob("*.png"))) == 4


def test_selective_answers_are_those_of_the_predictions(model, small_store, tmp_path, mien):
    """Thresholds applied to predictions.csv answer as many faces as rightly as the report says."""
    mien("evaluate", model, "--data", small_store, "--usage", "PublicTest", "--out", tmp_path)
    report = json.loads((tmp_path / "report.json").read_text())
    table = pd.read_csv(tmp_path / "predictions.csv")
    probability = table[list(EMOTIONS)].max(axis=1)
    for entry, wanted in zip(report["selective"]["at"], (0.9, 0.8, 0.7), strict=True):
        answered = probability >= round(entry["threshold"], 6) - 1e-6
        assert answered.mean() == pytest.approx(entry["coverage"]) == pytest.approx(wanted, abs=0.012)
        assert (table["label"] == table["predicted"])[answered].mean() == pytest.approx(entry["accuracy"])


def test_features_are_what_the_last_layer_reads(model, small_store, tmp_path, mien, linear_card):
    target = tmp_path / "features.parquet"
    done = mien("evaluate", model, "--data", small_store, "--usage", "PublicTest", "--features", target)
    assert done.returncode == 0
    table, store = pd.read_parquet(target), FaceStore.open(small_store)
    expected = linear_card.preprocess.apply(store.faces[60:]).reshape(90, -1)
    np.testing.assert_allclose(table[[f"f{number}" for number in range(144)]], expected, atol=1e-6)
    assert table["row"].tolist() == list(range(60, 150))
    assert table["label"].tolist() == [EMOTIONS[label] for label in store.labels[60:]]
    with Image.open(tmp_path / "features.png") as chart:
        assert min(chart.size) >= 800


def test_a_trust_file_belongs_to_the_model_and_covers_what_it_says(model, small_store, tmp_path, mien):
    target = tmp_path / "model.trust.npz"
    done = mien("evaluate", model, "--data", small_store, "--usage", "PublicTest", "--trust", target)
    assert done.returncode == 0
    bundle, store = Bundle.load(model), FaceStore.open(small_store)
    trust = Trust.load(target, bundle.content, bundle.card.labels)
    assert trust.data == "half (seed 0) of small.csv, PublicTest, 47 faces"
    typicality = trust.typicality(bundle.features(store.faces[60:]))
    assert 0.3 < typicality.mean() < 0.7


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (["--features", "out.csv"], "expected a name that ends in .parquet"),
        (["--trust", "out.npz"], "expected a name that ends in .trust.npz"),
        (["--trust", "out.trust.npz", "--tta", "flip"], "leave --map, --classes and --tta out"),
        (["--features", "nowhere/out.parquet"], "its folder is not there"),
    ],
)
def test_what_cannot_be_written_is_refused_first(model, small_store, mien, option, words):
    done = mien("evaluate", model, "--data", small_store, "--usage", "PublicTest", *option)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in " ".join(done.stderr.split())


def test_rows_that_taught_the_model_are_refused_before_it_answers(tmp_path, mien):
    card = package.Recognizer().classifier.card
    random = np.random.default_rng(2)
    faces, labels = random.integers(0, 256, (90, 48, 48), np.uint8), random.integers(0, 7, 90).astype(np.uint8)
    write_store(
        tmp_path / "store",
        faces,
        labels,
        np.zeros(90, np.uint8),
        source="fer2013.csv",
        source_sha256=card.training["source_sha256"],
    )
    target = tmp_path / "out.trust.npz"
    done = mien("evaluate", "mien_s", "--data", tmp_path / "store", "--usage", "Training", "--trust", target)
    assert (done.returncode, done.stdout, target.exists()) == (2, "", False)
    assert "the model was trained on some of these rows" in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"--usage": "PrivateTest"}, 1, ["no PrivateTest rows", "small.csv"]),
        ({"--data": "nowhere"}, 1, ["nowhere", "mien data import"]),
        ({"model": "nowhere.onnx"}, 1, ["nowhere.onnx"]),
        ({"--usage": "publictest"}, 2, ["publictest", "PublicTest"]),
        ({"--tta": "five"}, 2, ["five", "tencrop"]),
        ({"--map": "angry=sad"}, 2, ["the model never answers angry", "--map CLASS=angry"]),
    ],
)
def test_bad_input_gets_one_line_and_a_status(model, small_store, changes, status, words, mien):
    options = {"model": model, "--data": small_store, "--usage": "PublicTest"} | changes
    done = mien("evaluate", options.pop("model"), *(part for pair in options.items() for part in pair))
    assert done.returncode == status
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert all(word in done.stderr for word in words)


def test_a_data_set_needs_a_usage(model, small_store, mien):
    done = mien("evaluate", model, "--data", small_store)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--usage is missing" in done.stderr


def test_drop_seen_stands_beside_the_plain_figure(model, small_store, mien):
    done = mien("evaluate", model, "--data", small_store, "--usage", "PublicTest", "--drop-seen")
    assert done.returncode == 0
    assert "on 90 faces; 0 stand in Training" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.fixture
def pictures(tmp_path, small_store):
    """The PublicTest rows of the small data set, sorted into folders as RAF-DB has them, and two faces of contempt."""
    store, raf_db = FaceStore.open(small_store), ["6", "3", "2", "4", "5", "1", "7"]
    for row in store.rows_of("PublicTest"):
        folder = tmp_path / "pictures" / raf_db[store.labels[row]]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(store.faces[row]).save(folder / f"{row}.png")
    (tmp_path / "pictures" / "contempt").mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(store.faces[0]).save(tmp_path / "pictures" / "contempt" / name)
    return tmp_path / "pictures"


def test_a_folder_per_class_gives_the_figures_of_the_same_faces_in_a_data_set(model, small_store, pictures, mien):
    options = ["--map", "raf-db", "--map", "contempt=skip", "--json"]
    done = without_extras("evaluate", model, "--data", pictures, *options)
    assert (done.returncode, done.stderr) == (0, "skipped contempt: 2 pictures\n")
    ours = json.loads(done.stdout)
    theirs = json.loads(mien("evaluate", model, "--data", small_store, "--usage", "PublicTest", "--json").stdout)
    assert (ours["usage"], ours["data"]["source"]) == ("all", "pictures")
    for figure in ("n", "confusion", "accuracy", "macro_f1"):
        assert ours[figure] == theirs[figure]
    assert ours["nll"] == pytest.approx(theirs["nll"])


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        ([], 1, ["'1', '2', '3', '4', '5' and 2 more", "--map 1=CLASS"]),
        (["--map", "raf-db"], 1, ["unknown classes 'contempt'", "--map contempt=skip"]),
        (["--map", "rafdb"], 2, ["map rafdb", "raf-db"]),
        (["--map", "raf-db", "--map", "contempt=skip", "--drop-seen"], 2, ["all rows may be Training rows themselves"]),
        (["--map", "raf-db", "--map", "contempt=skip", "--usage", "PublicTest"], 2, ["is a folder of pictures"]),
    ],
)
def test_a_folder_per_class_that_cannot_be_read_so_gets_one_line(model, pictures, options, status, words, mien):
    done = mien("evaluate", model, "--data", pictures, *options)
    assert (done.returncode, done.stdout) == (status, "")
    assert "Traceback" not in done.stderr
    assert all(word in done.stderr for word in words)


def test_out_without_matplotlib_fails_before_any_work(model, small_store, tmp_path):
    arguments = ["evaluate", model, "--data", small_store, "--usage", "PublicTest", "--out", tmp_path / "report"]
    done = without_extras(*arguments)
    assert done.returncode == 2
    assert "mien[train]" in done.stderr
    assert not (tmp_path / "report").exists()


def test_corruptions_give_one_table_and_four_files(model, small_store, tmp_path, mien):
    arguments = ["evaluate", model, "--data", small_store, "--usage", "PublicTest", "--corruptions"]
    done = mien(*arguments, "--out", tmp_path / "report")
    assert done.returncode == 0
    assert done.stderr.count("wrote") == 4
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert all(corruption.name in done.stdout for corruption in CORRUPTIONS)
    assert "names no augment_families" in done.stdout
    document = json.loads((tmp_path / "report" / "corruptions.json").read_text())
    assert f"{100 * document['mean']['accuracy']:.1f}" in done.stdout
    assert document == json.loads(without_extras(*arguments, "--json").stdout)
    plain = json.loads(mien(*arguments[:-1], "--json").stdout)
    assert document["clean"]["accuracy"] == pytest.approx(plain["accuracy"])
    assert document["clean"]["ece"] == plain["ece"]


def test_no_row_of_the_table_of_corruptions_breaks(tmp_path, write_linear_model, linear_card, small_store, mien):
    card = replace(linear_card, training={"augment_families": ["noise"]})
    model = write_linear_model(tmp_path / "partly.onnx", metadata=card.to_json())
    done = mien("evaluate", model, "--data", small_store, "--usage", "PublicTest", "--corruptions")
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "*" not in [line.strip() for line in lines]
    assert any(line.strip().startswith("not trained *  ") for line in lines)


def test_corruptions_and_drop_seen_exclude_each_other(model, small_store, mien):
    done = mien("evaluate", model, "--data", small_store, "--usage", "PublicTest", "--corruptions", "--drop-seen")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--drop-seen, --classes, --groups, --features and --trust do not go with --corruptions" in done.stderr


def test_corruptions_of_colour_faces_of_another_side(model, tmp_path, mien):
    faces = np.random.default_rng(2).integers(0, 256, (6, 56, 56, 3), np.uint8)
    labels, usages = np.arange(6, dtype=np.uint8), np.ones(6, np.uint8)
    write_store(tmp_path / "large", faces, labels, usages, source="large", source_sha256="0" * 64)
    done = mien("evaluate", model, "--data", tmp_path / "large", "--usage", "PublicTest", "--corruptions", "--json")
    assert done.returncode == 0, done.stderr
    document, network = json.loads(done.stdout), Bundle.load(str(model))
    masked = faces.copy()
    masked[:, round(28 * 56 / 48) :] = 128
    logits = network.logits_of_input(network.card.preprocess.apply(masked))
    (mask,) = (entry for entry in document["corruptions"] if entry["name"] == "mask")
    assert mask["severities"][3]["strength"] == 28
    assert mask["severities"][3]["accuracy"] == pytest.approx((logits.argmax(axis=1) == labels).mean())


def test_two_models_are_compared_under_corruption(model, small_store, tmp_path, mien):
    arguments = ["compare", model, model, "--corruptions", "--data", small_store, "--usage", "PublicTest"]
    done = mien(*arguments, "--out", tmp_path / "both")
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "+0.00 points in the mean (95 %: +0.00 .. +0.00)" in done.stdout
    document = json.loads((tmp_path / "both" / "corruptions.json").read_text())
    assert document["models"][0] == document["models"][1]
    assert document["differences"][0]["relative_corruption_error"] == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--corruptions"], ["at least two models on a data set"]),
        (["--data", "x"], ["x: no data set there"]),
        (["--corruptions", "--data", "nowhere"], ["nowhere", "mien data import"]),
    ],
)
def test_comparisons_that_cannot_be_get_one_line(model, arguments, words, mien):
    done = mien("compare", model, "mien_s", *arguments)
    assert done.returncode > 0
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert all(word in done.stderr for word in words)
