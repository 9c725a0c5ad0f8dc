import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from sklearn import metrics as sk

from mien.data.store import FaceStore, StoreMeta, write_store
from mien.errors import DataError, MissingExtraError, ModelFileError, UsageError
from mien.evaluation import calibration, metrics
from mien.evaluation.calibration import calibrated_ece_band
from mien.evaluation.report import evaluate
from mien.evaluation.report_charts import draw_confusion
from mien.evaluation.report_folder import ReportFolder, json_report
from mien.labels import EMOTIONS
from mien.model.onnx_model import Bundle, softmax


@pytest.fixture
def model(tmp_path, write_linear_model):
    return Bundle.load(write_linear_model(tmp_path / "m.onnx"))


@pytest.fixture
def store(small_store):
    return FaceStore.open(small_store)


def test_the_figures_are_those_of_the_faces_of_the_usage(model, store):
    result = evaluate(model, store, "PublicTest").to_dict()
    rows = range(60, 150)
    logits, labels = model.logits(store.faces[60:]), store.labels[rows]
    assert result["n"] == 90
    assert result["accuracy"] == np.mean(logits.argmax(axis=1) == labels)
    assert result["ece"] == calibration.expected_calibration_error(softmax(logits / 1.7), labels)
    assert result["ece_uncalibrated"] == calibration.expected_calibration_error(softmax(logits), labels)
    assert result["ece_band"] == list(calibrated_ece_band(softmax(logits / 1.7).max(axis=1)))
    assert result["nll"] == metrics.negative_log_likelihood(logits / np.float32(1.7), labels)
    assert result["temperature"] == 1.7
    assert result["model"] == {"name": "linear", "sha256": model.sha256}
    assert result["data"] == {"source": "small.csv", "sha256": "ab" * 32}
    assert (result["usage"], result["tta"]) == ("PublicTest", "none")
    assert result["selected_on"] is None
    model.card = replace(model.card, training={"selected_on": "held_out"})
    assert evaluate(model, store, "PublicTest").to_dict()["selected_on"] == "held_out"


def test_everything_is_plain_json(model, store):
    result = evaluate(model, store, "Training", "flip")
    assert json.loads(json_report(result)) == result.to_dict()
    assert list(result.to_dict()["per_class"]) == list(EMOTIONS)


def test_test_time_augmentation_changes_the_logits(model, store):
    plain, crops = (evaluate(model, store, "PublicTest", tta) for tta in ("none", "tencrop"))
    assert np.abs(plain.logits - crops.logits).max() > 0.01
    assert crops.to_dict()["tta"] == "tencrop"


@pytest.fixture
def voted(store):
    """The small data set with votes: 40 PublicTest rows have a majority, 10 show contempt, 40 tie or show no face."""
    votes = np.zeros((150, 10), np.uint8)
    votes[np.arange(150), np.random.default_rng(2).integers(0, 7, 150)] = 9
    votes[100:120] = [5, 5, 0, 0, 0, 0, 0, 0, 0, 0]
    votes[120:] = [0, 0, 0, 4, 0, 0, 0, 0, 0, 6]
    votes[125:135] = [0, 0, 0, 4, 0, 0, 0, 6, 0, 0]
    return replace(store, votes=votes)


def test_with_ferplus_only_rows_with_a_majority_count_and_it_is_the_truth(model, voted):
    evaluation = evaluate(model, voted, "PublicTest", targets="ferplus", drop_seen=True)
    result = evaluation.to_dict()
    labels = voted.votes[60:100].argmax(axis=1)
    predicted = model.logits(voted.faces[60:100]).argmax(axis=1)
    assert evaluation.rows.tolist() == list(range(60, 100))
    assert (result["targets"], result["n"], result["without_target"], result["without_seen"]["n"]) == (
        "ferplus", 40, 50, 40,
    )  # fmt: skip
    assert result["accuracy"] == pytest.approx(sk.accuracy_score(labels, predicted))
    assert result["confusion"] == sk.confusion_matrix(labels, predicted, labels=range(7)).tolist()
    assert "more of FER+'s votes" in result["target_rule"]
    assert result["eight_classes"] == {
        "accuracy": pytest.approx(sk.accuracy_score([*labels, *[7] * 10], [*predicted, *[0] * 10])),
        "contempt": 10,
        "n": 50,
    }


def test_ferplus_needs_votes_that_say_something(model, store, voted):
    with pytest.raises(DataError, match=r"small\.csv: no FER\+ votes; import it again .*--ferplus fer2013new\.csv"):
        evaluate(model, store, "PublicTest", targets="ferplus")
    silent = replace(voted, votes=np.zeros_like(voted.votes))
    with pytest.raises(DataError, match="votes give none of the 90 rows a label"):
        evaluate(model, silent, "PublicTest", targets="ferplus")
    with pytest.raises(UsageError, match="unknown targets 'both': expected one of fer2013, ferplus"):
        evaluate(model, store, "PublicTest", targets="both")
    assert evaluate(model, voted, "PublicTest").to_dict() == evaluate(model, store, "PublicTest").to_dict()


def test_a_usage_without_rows_is_refused(model, store):
    with pytest.raises(DataError, match=r"small\.csv: no PrivateTest rows \(it has Training, PublicTest\)"):
        evaluate(model, store, "PrivateTest")


def test_an_empty_data_set_is_refused(model, tmp_path):
    nothing = np.empty(0, np.uint8)
    write_store(tmp_path / "no", np.empty((0, 48, 48), np.uint8), nothing, nothing, source="no", source_sha256="")
    with pytest.raises(DataError, match="no rows at all"):
        evaluate(model, FaceStore.open(tmp_path / "no"), "Training")


def test_answers_that_are_not_finite_are_refused(tmp_path, store, write_linear_model, linear_weights):
    linear_weights[0, 0] = np.nan
    broken = Bundle.load(write_linear_model(tmp_path / "nan.onnx"))
    with pytest.raises(ModelFileError, match="not finite"):
        evaluate(broken, store, "PublicTest")


def test_the_folder_gets_report_predictions_and_pictures_over_earlier_ones(model, store, tmp_path):
    folder = ReportFolder(tmp_path / "new" / "report")
    folder.write(evaluate(model, store, "Training"))
    result = evaluate(model, store, "PublicTest")
    written = folder.write(result)
    names = ["report.json", "predictions.csv", "confusion.png", "reliability.png", "per_class.png", "risk_coverage.png"]
    assert [path.name for path in written] == names
    assert json.loads(written[0].read_text()) == result.to_dict()
    check_predictions(written[1], model, store)
    for path in written[2:]:
        with Image.open(path) as picture:
            assert min(picture.size) >= 800
            assert len(np.unique(np.asarray(picture.convert("L")))) > 20  # not blank


def check_predictions(table, model, store):
    """Row by row."""
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["row"]) for row in rows] == list(range(60, 150))
    assert [row["label"] for row in rows] == [EMOTIONS[label] for label in store.labels[60:]]
    written = np.array([[float(row[emotion]) for emotion in EMOTIONS] for row in rows])
    np.testing.assert_allclose(written, model.probabilities(store.faces[60:]), atol=1e-6)
    assert [row["predicted"] for row in rows] == [EMOTIONS[i] for i in written.argmax(axis=1)]


def test_a_folder_that_cannot_be_is_refused_before_any_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file"):
        ReportFolder(tmp_path / "file")
    with pytest.raises(UsageError, match="cannot be made"):
        ReportFolder(tmp_path / "file" / "below")


def test_without_matplotlib_the_folder_asks_for_the_extra(tmp_path, monkeypatch):
    modules = __import__("sys").modules
    monkeypatch.delitem(modules, "mien.evaluation.report_charts", raising=False)
    monkeypatch.delattr("mien.evaluation.report_charts", raising=False)
    monkeypatch.setitem(modules, "matplotlib.axes", None)
    with pytest.raises(MissingExtraError, match=r"mien\[train\]"):
        ReportFolder(tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def leaky(store, tmp_path):
    """The small data set, with the first 30 PublicTest rows copied from Training rows."""
    faces = np.array(store.faces)
    faces[60:90] = faces[10:40]
    write_store(tmp_path / "leaky", faces, store.labels, store.usages, source="leaky.csv", source_sha256="")
    return FaceStore.open(tmp_path / "leaky")


def test_figures_without_seen_rows_are_those_of_the_other_rows(model, leaky):
    plain = evaluate(model, leaky, "PublicTest").to_dict()
    result = evaluate(model, leaky, "PublicTest", drop_seen=True).to_dict()
    predicted, labels = model.logits(leaky.faces[90:]).argmax(axis=1), leaky.labels[90:]
    assert result.pop("seen") == 30
    assert result.pop("without_seen") == {
        "accuracy": pytest.approx(sk.accuracy_score(labels, predicted)),
        "macro_f1": pytest.approx(sk.f1_score(labels, predicted, average="macro")),
        "n": 60,
    }
    assert result == plain


def test_without_a_seen_row_both_figures_agree(model, store):
    result = evaluate(model, store, "PublicTest", drop_seen=True).to_dict()
    assert (result["seen"], result["without_seen"]["n"]) == (0, 90)
    assert result["without_seen"]["accuracy"] == result["accuracy"]
    assert result["without_seen"]["macro_f1"] == result["macro_f1"]


def test_seen_rows_cannot_be_dropped_where_all_are_seen_or_no_training_rows_exist(model, store, tmp_path):
    with pytest.raises(DataError, match="every Training row also stands in Training"):
        evaluate(model, store, "Training", drop_seen=True)
    public = [np.array(array[60:]) for array in (store.faces, store.labels, store.usages)]
    write_store(tmp_path / "public", *public, source="public.csv", source_sha256="")
    with pytest.raises(DataError, match=r"public\.csv: no Training rows"):
        evaluate(model, FaceStore.open(tmp_path / "public"), "PublicTest", drop_seen=True)


def absent_neutral():
    """A model of fixed logits, and a store of 60 faces that show angry, happy and surprise alone."""
    random = np.random.default_rng(2)
    faces = random.integers(0, 256, (60, 48, 48), np.uint8)
    labels = np.tile(np.array([0, 3, 5], np.uint8), 20)
    meta = StoreMeta(60, "CK+48", "0" * 64)
    return FaceStore(faces, labels, np.full(60, 2, np.uint8), meta), random.normal(0, 2, (60, 7)).astype(np.float32)


class Fixed:
    sha256 = None

    def __init__(self, card, logits):
        self.card, self._logits = card, logits

    def logits_of_input(self, inputs):
        return self._logits[: len(inputs)]


def test_a_model_restricted_to_the_classes_that_occur_answers_no_other(linear_card):
    store, logits = absent_neutral()
    free = evaluate(Fixed(linear_card, logits), store, "all")
    bound = evaluate(Fixed(linear_card, logits), store, "all", classes="present")
    kept = [0, 3, 5]
    assert set(free.predictions) > set(kept)
    np.testing.assert_array_equal(bound.predictions, np.take(kept, logits[:, kept].argmax(1)))
    expected = softmax(logits[:, kept] / linear_card.temperature)
    np.testing.assert_allclose(bound.probabilities[:, kept], expected, atol=1e-6)
    assert bound.probabilities[:, [1, 2, 4, 6]].max() == 0
    values = bound.to_dict()
    assert (values["restricted"], values["macro_f1"]) == (True, pytest.approx(values["macro_f1_present"]))


def test_macro_f1_says_over_which_classes(linear_card):
    store, logits = absent_neutral()
    values = evaluate(Fixed(linear_card, logits), store, "all").to_dict()
    predictions = logits.argmax(1)
    present = sk.f1_score(store.labels, predictions, average="macro", labels=[0, 3, 5], zero_division=0)
    assert values["macro_f1_present"] == pytest.approx(present)
    assert values["macro_f1"] == pytest.approx(sk.f1_score(store.labels, predictions, average="macro", zero_division=0))
    assert values["absent"] == ["disgust", "fear", "sad", "neutral"]
    assert values["macro_f1_over"] == list(EMOTIONS)
    assert values["usage"] == "all"


def test_a_picture_of_a_folder_is_titled_by_its_name(linear_card):
    store, logits = absent_neutral()
    folder = evaluate(Fixed(linear_card, logits), store, "all")
    part = evaluate(Fixed(linear_card, logits), store, "PrivateTest")
    assert [draw_confusion(result).get_suptitle().splitlines()[0] for result in (folder, part)] == [
        "linear on CK+48, 60 faces",
        "linear on CK+48, PrivateTest, 60 faces",
    ]
