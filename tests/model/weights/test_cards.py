"""A model's card says what its file does: every figure in it follows from the file or from its answers to PublicTest.

CONFUSIONS holds the confusion matrix of each embedded model on PublicTest: rows are the true emotion. CORRUPTIONS holds
what `mien evaluate NAME --data fer2013 --usage PublicTest --corruptions --out DIR` wrote to corruptions.json; the
corruptions.md beside it is the table of the card; SELECTIVE what report.json says of selective answers and sets.
ANSWERS holds what `sample_answers` gives for a sample of the faces, clear and behind a mask. Where the data set is at
hand every model is asked about the sample again, and about all faces by `make test-slow`.
"""

import hashlib
import json
import math
import re
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from mien.evaluation import corruptions
from mien.evaluation.metrics import class_scores, macro_f1
from mien.evaluation.report import evaluate
from mien.evaluation.robustness import CorruptionScores, Robustness, Score
from mien.evaluation.robustness_report import markdown_table
from mien.labels import EMOTIONS
from mien.model.embedded import embedded_versions, read_embedded, versioned_name
from mien.model.onnx_model import Bundle

WEIGHTS = Path(str(resources.files("mien.model") / "weights"))
NAMES = sorted(embedded_versions())
CONFUSIONS = Path(__file__).with_name("confusions.json")
SELECTIVE = Path(__file__).with_name("selective.json")
ANSWERS = Path(__file__).with_name("answers.json")
CORRUPTIONS = Path(__file__).with_name("corruptions")
SAMPLE = slice(None, None, 32)
"""Of PublicTest."""

(MASK,) = [entry for entry in corruptions.CORRUPTIONS if entry.name == "mask"]


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def text(name):
    """The card for people."""
    return (WEIGHTS / f"{name}.md").read_text(encoding="utf-8")


@pytest.fixture
def confusion(name):
    return np.array(json.loads(CONFUSIONS.read_text())[name])


def row_of(text, title):
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {title} |")]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_the_card_names_the_file_it_describes(name, text):
    content = read_embedded(name)
    assert hashlib.sha256(content).hexdigest() in text
    assert f"{len(content) / 1e6:.1f} MB" in text
    assert f"{Bundle.load(name).card.parameters:,} parameters" in text


def test_the_card_says_which_rows_were_left_out(name, text):
    training = Bundle.load(name).card.training
    assert f"{sum(training['dropped'].values())}: " in row_of(text, "rows left out")[0]
    assert f"{training['rows']:,} used" in row_of(text, "rows left out")[0]


def test_the_figures_inside_the_file_follow_from_its_answers(name, confusion):
    stated = Bundle.load(name).card.public_test
    assert stated["n"] == confusion.sum()
    assert stated["accuracy"] == pytest.approx(confusion.trace() / confusion.sum(), abs=1e-9)
    assert stated["macro_f1"] == pytest.approx(macro_f1(confusion), abs=1e-9)


def test_the_figures_for_people_follow_from_its_answers(text, confusion):
    scores = class_scores(confusion)
    assert row_of(text, "accuracy")[0] == f"{confusion.trace() / confusion.sum():.2%}".replace("%", " %")
    assert row_of(text, "macro F1")[0] == f"{macro_f1(confusion):.3f}"
    assert row_of(text, "precision") == [f"{value:.2f}" for value in scores.precision]
    assert row_of(text, "recall") == [f"{value:.2f}" for value in scores.recall]
    assert row_of(text, "faces") == [str(count) for count in confusion.sum(axis=1)]


def test_the_calibration_for_people_is_that_of_the_file(name, text):
    stated = Bundle.load(name).card.public_test
    found = re.findall(r"\d\.\d+", row_of(text, "ECE, 15 bins")[0])
    assert found == [f"{stated['ece']:.3f}", f"{stated['ece_uncalibrated']:.3f}"]


def percent(share, digits):
    return f"{share:.{digits}%}".replace("%", " %")


def test_what_the_card_says_of_sure_answers_follows_from_the_report(name, text):
    stated = json.loads(SELECTIVE.read_text())[name]
    assert f"area under the risk-coverage curve {stated['aurc']:.3f}" in text
    at, sets = stated["at"], stated["sets"]
    assert row_of(text, "share of the faces that is answered") == [percent(entry["coverage"], 0) for entry in at]
    assert row_of(text, "accuracy of the answers") == [percent(entry["accuracy"], 1) for entry in at]
    assert row_of(text, "least probability") == [f"{math.floor(1000 * entry['threshold']) / 1000:.3f}" for entry in at]
    assert row_of(text, "sets that hold the true class") == [percent(entry["coverage"], 1) for entry in sets]
    assert row_of(text, "classes in a set") == [f"{entry['mean_size']:.2f}" for entry in sets]


@pytest.fixture
def robustness(name):
    """A model's figures under corruption, as they were measured."""
    if not (CORRUPTIONS / f"{name}.json").exists():
        pytest.skip(f"{name} has not been measured under corruption")
    return json.loads((CORRUPTIONS / f"{name}.json").read_text())


def test_the_table_of_corruptions_follows_from_the_report(name, text, robustness):
    assert robustness["model"] == {"name": name, "sha256": Bundle.load(name).sha256}
    assert f"\n{markdown_table(read_back(robustness))}\n" in text


def test_the_report_of_corruptions_is_of_these_corruptions_and_faces(name, robustness, confusion):
    assert robustness["n"] == confusion.sum()
    assert robustness["clean"]["accuracy"] == pytest.approx(confusion.trace() / confusion.sum(), abs=1e-9)
    found = [
        (entry["name"], entry["family"], tuple(severity["strength"] for severity in entry["severities"]))
        for entry in robustness["corruptions"]
    ]
    assert found == [(entry.name, entry.family, entry.strengths) for entry in corruptions.CORRUPTIONS]


def test_a_card_shows_no_corruptions_that_no_report_holds(name, text):
    assert ("### Under corruption" in text) == (CORRUPTIONS / f"{name}.json").exists()


def read_back(report):
    """The figures in a corruptions.json."""
    score = lambda values: Score(*(values[key] for key in ("accuracy", "ece", "confident_errors")))  # noqa: E731
    entries = tuple(
        CorruptionScores(
            entry["name"],
            entry["family"],
            entry["unit"],
            tuple(severity["strength"] for severity in entry["severities"]),
            tuple(map(score, entry["severities"])),
        )
        for entry in report["corruptions"]
    )
    return Robustness(
        model=report["model"]["name"],
        model_sha256=report["model"]["sha256"],
        source=report["data"]["source"],
        source_sha256=report["data"]["sha256"],
        clean=score(report["clean"]),
        corruptions=entries,
        right=np.empty(0),
        **{key: report[key] for key in ("usage", "tta", "targets", "n", "seed", "trained_families")},
    )


def behind_a_mask(faces):
    return corruptions.corrupted(faces, MASK, MASK.strengths[2])


def sample_answers(bundle, fer2013):
    """The likeliest class of faces of PublicTest, clear and behind a mask, and its probability to three digits."""
    faces = fer2013.faces[fer2013.rows_of("PublicTest")[SAMPLE]]
    found = {"clear": bundle.probabilities(faces), "mask": bundle.probabilities(behind_a_mask(faces))}
    return {
        kind: {"class": values.argmax(axis=1).tolist(), "probability": values.max(axis=1).round(3).tolist()}
        for kind, values in found.items()
    }


@pytest.mark.parametrize(("name", "kind"), [*((name, "clear") for name in NAMES), (versioned_name("mien_s"), "mask")])
def test_the_model_answers_a_sample_as_it_did(name, kind, fer2013):
    faces = fer2013.faces[fer2013.rows_of("PublicTest")[SAMPLE]]
    found = Bundle.load(name).probabilities(faces if kind == "clear" else behind_a_mask(faces))
    stated = json.loads(ANSWERS.read_text())[name][kind]
    assert len(stated["class"]) == len(faces) > 100
    # Another processor rounds otherwise.
    np.testing.assert_allclose(found[np.arange(len(faces)), stated["class"]], stated["probability"], atol=3e-3)


@pytest.mark.slow  # the sample shows that the file answers as it did
def test_the_model_answers_as_it_did(name, confusion, fer2013):
    result = evaluate(Bundle.load(name), fer2013, "PublicTest")
    # A face or two between two answers may change sides.
    assert np.abs(result.confusion - confusion).sum() <= 4
    values, stated = result.to_dict(), json.loads(SELECTIVE.read_text())[name]
    assert values["ece"] == pytest.approx(Bundle.load(name).card.public_test["ece"], abs=1e-3)
    assert values["selective"]["aurc"] == pytest.approx(stated["aurc"], abs=1e-3)
    for found, entry in zip(values["selective"]["at"], stated["at"], strict=True):
        assert found["threshold"] == pytest.approx(entry["threshold"], abs=2e-3)
        assert found["accuracy"] == pytest.approx(entry["accuracy"], abs=2e-3)
    for found, entry in zip(values["conformal"]["levels"], stated["sets"], strict=True):
        assert found["coverage"] == pytest.approx(entry["coverage"], abs=5e-3)


@pytest.mark.slow
def test_the_model_answers_spoilt_faces_as_it_did(name, robustness, fer2013):
    rows = fer2013.rows_of("PublicTest")
    logits = Bundle.load(name).logits(behind_a_mask(fer2013.faces[rows]))
    stated = robustness["corruptions"][corruptions.CORRUPTIONS.index(MASK)]["severities"][2]["accuracy"]
    assert np.mean(logits.argmax(axis=1) == fer2013.labels[rows]) == pytest.approx(stated, abs=2 / len(rows))


def test_every_emotion_has_a_row_and_a_column(confusion):
    assert confusion.shape == (len(EMOTIONS), len(EMOTIONS))
