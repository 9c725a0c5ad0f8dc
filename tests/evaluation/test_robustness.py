import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from sklearn import metrics as sk

from mien.data.store import FaceStore, write_store
from mien.errors import MissingExtraError, ModelFileError, UsageError
from mien.evaluation.calibration import expected_calibration_error
from mien.evaluation.corruptions import CORRUPTIONS, corrupted
from mien.evaluation.earlier_trainings import RECIPES
from mien.evaluation.report import evaluate
from mien.evaluation.robustness import CONFIDENT, Score, measure_robustness, score, trained_families
from mien.evaluation.robustness_report import (
    RobustnessFolder,
    compared,
    markdown_table,
    relative_corruption_error,
)
from mien.model.embedded import embedded_versions
from mien.model.onnx_model import Bundle, softmax
from mien.training.make_card import augment_families
from mien.training.recipe import load_config

FEW = tuple(entry for entry in CORRUPTIONS if entry.name in {"gaussian_noise", "mask", "pixelate"})


@pytest.fixture
def model(tmp_path, write_linear_model):
    return Bundle.load(write_linear_model(tmp_path / "m.onnx"))


@pytest.fixture
def store(small_store, tmp_path, model):
    """Smooth faces under the labels that the model gives them, so that it is always right on clean ones."""
    store = FaceStore.open(small_store)
    coarse = np.random.default_rng(3).integers(0, 256, (150, 6, 6)).astype(np.uint8)
    faces = np.stack([np.asarray(Image.fromarray(face).resize((48, 48), Image.BICUBIC)) for face in coarse])
    labels = model.logits(faces).argmax(axis=1).astype(np.uint8)
    write_store(tmp_path / "planted", faces, labels, store.usages, source="planted.csv", source_sha256="cd" * 32)
    return FaceStore.open(tmp_path / "planted")


def measure(classifier, store, **options):
    options = {"corruptions": FEW} | options
    return measure_robustness(classifier, evaluate(classifier, store, "PublicTest"), store.faces, **options)


@pytest.fixture
def result(model, store):
    return measure(model, store)


def test_a_planted_model_is_right_on_clean_faces_and_worse_with_every_severity_of_noise(result):
    assert result.clean.accuracy == 1
    noise = next(entry for entry in result.corruptions if entry.name == "gaussian_noise")
    accuracies = [score.accuracy for score in noise.scores]
    assert accuracies == sorted(accuracies, reverse=True)
    assert accuracies[-1] < 1
    assert result.mean.accuracy < 1


def test_figures_are_those_of_the_spoilt_faces_of_the_usage(model, store, result):
    rows = store.rows_of("PublicTest")
    entry = result.corruptions[1]
    spoilt = corrupted(store.faces[rows], FEW[1], FEW[1].strengths[3])
    logits, labels = model.logits(spoilt), store.labels[rows]
    probabilities = softmax(logits / np.float32(1.7))
    assert entry.scores[3].accuracy == pytest.approx(sk.accuracy_score(labels, logits.argmax(axis=1)))
    assert entry.scores[3].ece == expected_calibration_error(probabilities, labels)


def test_confident_errors_are_counted_among_all_faces():
    sure, unsure = np.log(CONFIDENT + 0.01), np.log(CONFIDENT - 0.01)
    rows = [[sure, np.log(1 - np.exp(sure))], [unsure, np.log(1 - np.exp(unsure))]] * 2
    found = score(np.array(rows, np.float32), np.array([1, 1, 0, 0], np.uint8), 1.0)
    assert (found.accuracy, found.confident_errors) == (0.5, 0.25)


def test_means_are_over_severities_and_then_over_corruptions(result):
    every = [score for entry in result.corruptions for score in entry.scores]
    assert len(every) == 15
    for figure in ("accuracy", "ece", "confident_errors"):
        assert getattr(result.mean, figure) == pytest.approx(np.mean([getattr(score, figure) for score in every]))
    assert result.right.mean() == pytest.approx(result.mean.accuracy)


def test_a_seed_gives_the_same_figures_again_and_another_gives_others(model, store, result):
    again, other = measure(model, store), measure(model, store, seed=1)
    assert again.to_dict() == result.to_dict()
    noise, mask = [[entry.scores for entry in one.corruptions] for one in (result, other)], [1]
    assert noise[0][0] != noise[1][0]
    assert all(noise[0][number] == noise[1][number] for number in mask)  # nothing is drawn for it


def test_leaving_corruptions_out_changes_no_other(model, store, result):
    alone = measure(model, store, corruptions=FEW[:1])
    assert alone.corruptions[0] == result.corruptions[0]


def test_families_are_told_apart_where_the_card_names_them(result):
    assert result.mean_over(trained=True) is result.mean_over(trained=False) is None
    assert result.to_dict()["mean_trained"] is None
    known = replace(result, trained_families=("noise", "occlusion"))
    assert known.mean_over(trained=True).accuracy == pytest.approx(
        np.mean([entry.mean.accuracy for entry in known.corruptions if entry.name != "pixelate"])
    )
    assert known.mean_over(trained=False) == next(e for e in known.corruptions if e.name == "pixelate").mean
    assert [entry["trained"] for entry in known.to_dict()["corruptions"]] == [True, False, True]
    assert replace(result, trained_families=("noise", "occlusion", "pixelate")).mean_over(trained=False) is None


@pytest.mark.parametrize(
    ("training", "families"),
    [
        ({}, None),
        ({"augment_families": []}, ()),
        ({"augment_families": ["noise", "blur"]}, ("blur", "noise")),
        ({"augment_families": ["noise"], "initial_weights": {}}, None),
        ({"augment_families": ["noise"], "initial_weights": {"augment_families": ["jpeg"]}}, ("jpeg", "noise")),
        ({"members": [{"augment_families": ["noise"]}, {"augment_families": ["jpeg"]}]}, ("jpeg", "noise")),
        ({"augment_families": ["noise"], "members": [{"augment_families": ["noise"]}, {}]}, None),
    ],
)
def test_families_count_those_of_members_and_of_initial_weights(training, families):
    assert trained_families(training, "m") == families


@pytest.mark.parametrize("model", embedded_versions())
def test_families_of_every_embedded_model_are_known(model):
    """Those that are older than the key by the recipes that they were trained with."""
    bundle = Bundle.load(model)
    families = trained_families(bundle.card.training, model, bundle.sha256)
    first = {family for recipe in RECIPES.values() for family in augment_families(load_config(recipe).augment)}
    robust = augment_families(load_config("mien_m_robust").augment)
    assert families == tuple(sorted(first if model in ("mien_s-1", "mien_l-1") else robust))


@pytest.mark.parametrize("named", ["noise", [1], {"noise": 1}])
def test_families_of_another_form_are_refused(named):
    with pytest.raises(ModelFileError, match=r"model m: augment_families in its card is .*: expected a list of names"):
        trained_families({"augment_families": named}, "m")


def scaled(result, factor):
    """The same model with so many times the errors."""
    entries = tuple(
        replace(entry, scores=tuple(replace(one, accuracy=1 - factor * (1 - one.accuracy)) for one in entry.scores))
        for entry in result.corruptions
    )
    return replace(result, model="other", corruptions=entries, right=1 - factor * (1 - result.right))


def test_a_model_with_half_the_errors_has_half_the_corruption_error(result):
    entries = tuple(replace(entry, scores=(Score(0.5, 0, 0),) * 5) for entry in result.corruptions)
    result = replace(result, corruptions=entries, right=np.full(90, 0.5))
    assert relative_corruption_error(scaled(result, 0.5), result) == pytest.approx(0.5)
    document = compared([result, scaled(result, 0.5)])
    assert [model["model"]["name"] for model in document["models"]] == ["linear", "other"]
    (difference,) = document["differences"]
    assert difference["difference"] == pytest.approx(0.25)
    assert difference["interval"] == pytest.approx([0.25, 0.25])
    assert (difference["model"], difference["baseline"]) == ("other", "linear")


def test_models_are_compared_on_what_none_of_them_was_trained_with(result):
    noise, occlusion = (replace(result, trained_families=(family,)) for family in ("noise", "occlusion"))
    pixelate = next(entry.mean.accuracy for entry in result.corruptions if entry.name == "pixelate")
    found = compared([noise, scaled(occlusion, 0.5)], draws=20)["mean_not_trained_by_any"]
    assert found == pytest.approx([pixelate, 1 - (1 - pixelate) / 2])
    assert compared([noise, result], draws=20)["mean_not_trained_by_any"] is None
    all_of_them = replace(result, trained_families=("noise", "occlusion", "pixelate"))
    assert compared([noise, all_of_them], draws=20)["mean_not_trained_by_any"] is None


def test_corruption_error_is_unknown_where_the_baseline_makes_no_error(result):
    perfect = replace(result, corruptions=tuple(replace(e, scores=(Score(1, 0, 0),) * 5) for e in result.corruptions))
    assert relative_corruption_error(result, perfect) is None


def test_the_interval_of_a_difference_is_that_of_the_normal_distribution(result):
    gains = np.random.default_rng(0).normal(0.1, 0.5, 400).round(2)
    first = replace(result, n=400, right=np.zeros(400))
    (difference,) = compared([first, replace(first, right=gains)])["differences"]
    error = 1.96 * gains.std() / 20
    assert difference["interval"] == pytest.approx([gains.mean() - error, gains.mean() + error], abs=0.004)


def test_only_models_on_the_same_faces_are_compared(result):
    with pytest.raises(UsageError, match="at least two"):
        compared([result])
    for other in (replace(result, seed=1), replace(result, n=3), replace(result, corruptions=result.corruptions[:1])):
        with pytest.raises(UsageError, match="same faces"):
            compared([result, other])


def test_the_folder_gets_json_csv_card_and_chart(result, tmp_path):
    written = RobustnessFolder(tmp_path / "new" / "out").write([result], result.to_dict())
    assert [path.name for path in written] == [f"corruptions.{kind}" for kind in ("json", "csv", "md", "png")]
    assert json.loads(written[0].read_text()) == result.to_dict()
    with written[1].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1 + 15
    assert rows[0]["corruption"] == "clean"
    last = result.corruptions[-1].scores[-1]
    for figure in ("accuracy", "ece", "confident_errors"):
        assert float(rows[-1][figure]) == pytest.approx(getattr(last, figure), abs=1e-6)
    assert written[2].read_text() == markdown_table(result)
    with Image.open(written[3]) as picture:
        assert min(picture.size) >= 400
        colours = {tuple(colour) for colour in np.asarray(picture.convert("RGB")).reshape(-1, 3)[::7]}
        assert (0x00, 0x72, 0xB2) in colours


def test_without_matplotlib_the_folder_asks_for_the_extra(tmp_path, monkeypatch):
    modules = __import__("sys").modules
    monkeypatch.delitem(modules, "mien.evaluation.robustness_chart", raising=False)
    monkeypatch.delattr("mien.evaluation.robustness_chart", raising=False)
    monkeypatch.setitem(modules, "matplotlib.axes", None)
    with pytest.raises(MissingExtraError, match=r"mien\[train\]"):
        RobustnessFolder(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_table_for_cards_holds_every_figure_and_has_as_many_cells_in_each_line(result):
    known = replace(result, trained_families=("noise",))
    lines = markdown_table(known).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    names = [
        "clean",
        "gaussian_noise",
        "pixelate",
        "mask",
        "mean",
        "families trained with",
        "families not trained with",
    ]
    assert [line.split(" | ")[0].strip("| ") for line in lines[2:]] == names
    for entry, line in zip(known.corruptions, lines[3:], strict=False):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert [float(cell) for cell in cells[1:6]] == [round(100 * score.accuracy, 1) for score in entry.scores]
        assert cells[6:] == [
            f"{100 * entry.mean.accuracy:.1f}", f"{entry.mean.ece:.3f}", f"{100 * entry.mean.confident_errors:.1f}",
        ]  # fmt: skip
