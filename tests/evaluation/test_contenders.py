"""Runs, reports and models in one comparison: each says the same whether it is read or asked."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from mien.data.store import FaceStore
from mien.errors import DataError, UsageError
from mien.evaluation import report_charts
from mien.evaluation.comparison import compared_rows, variants_of
from mien.evaluation.comparison_rows import summary
from mien.evaluation.contenders import read_contenders
from mien.evaluation.report import evaluate
from mien.evaluation.report_folder import ReportFolder
from mien.evaluation.significance import mcnemar
from mien.model.onnx_model import Bundle


@pytest.fixture(autouse=True)
def _no_charts(monkeypatch):
    """Drawing takes a second for each report, and nobody reads charts back."""
    monkeypatch.setattr(report_charts, "draw_all", lambda *_: [])


@pytest.fixture
def models(tmp_path, write_linear_model, linear_card):
    write_linear_model(tmp_path / "one.onnx")
    other = replace(linear_card, name="other", temperature=1.0, preprocess=replace(linear_card.preprocess, mean=0.3))
    write_linear_model(tmp_path / "two.onnx", metadata=other.to_json())
    return tmp_path


@pytest.fixture
def ask(models, small_store):
    store = FaceStore.open(small_store)
    return lambda name: evaluate(Bundle.load(name), store, "PublicTest")


def report_of(ask, models, name):
    ReportFolder(models / f"{name}_report").write(ask(str(models / f"{name}.onnx")))
    return str(models / f"{name}_report")


def test_a_report_and_the_model_behind_it_answer_alike(models, ask):
    names = [report_of(ask, models, "one"), str(models / "one.onnx"), str(models / "two.onnx")]
    report, one, two = read_contenders(names, ask=ask)
    np.testing.assert_array_equal(report.predictions, one.predictions)
    np.testing.assert_array_equal(report.rows[0], one.rows[0])
    assert (report.name, one.name, two.name) == ("one_report", "one", "two")
    assert len(variants_of([report, one, two])) == 3
    assert 0 < mcnemar(one.correct, two.correct) <= 1


def test_answers_are_compared_by_the_names_of_classes(models, ask):
    """A report numbers classes as its model does; a folder of pictures is asked in sorted order."""
    (report,) = read_contenders([report_of(ask, models, "one")])
    order = np.argsort(report.classes)
    numbers = np.argsort(order)
    turned = replace(
        report,
        name="turned",
        labels=numbers[report.labels],
        predictions=numbers[report.predictions],
        classes=tuple(report.classes[number] for number in order),
    )
    assert not np.array_equal(turned.labels, report.labels)
    one, other = variants_of([report, turned])
    np.testing.assert_array_equal(one.correct, other.correct)
    renamed = replace(turned, classes=tuple(name.replace("happy", "Happiness") for name in turned.classes))
    assert len(variants_of([report, renamed])) == 2
    for wrong in (report.classes, (*turned.classes, "bored")):
        with pytest.raises(UsageError, match="one_report and turned were judged on different faces or by other"):
            variants_of([report, replace(turned, classes=wrong)])


def test_models_and_reports_called_like_another_are_told_apart(models, ask, tmp_path):
    run, report, model = tmp_path / "runs/one", tmp_path / "reports/one", str(models / "one.onnx")
    ReportFolder(report).write(ask(model))
    (found,) = read_contenders([str(report)])
    run.mkdir(parents=True)
    (run / "config.toml").write_text("seed = 0\n")
    (run / "log.jsonl").write_text('{"epoch": 1, "loss": 1.0}\n')
    answers = {"labels": found.labels.tolist(), "predictions": found.predictions.tolist()}
    (run / "public_test.json").write_text(json.dumps(answers))
    asked = read_contenders([str(run), model, str(report)], ask=lambda name: ask(model))
    assert [run.name for run in asked] == ["one", "one.onnx", str(report)]
    assert len(variants_of(asked)) == 3
    same = [str(tmp_path / folder / "net.onnx") for folder in "ab"]
    assert [run.name for run in read_contenders(same, ask=lambda name: ask(model))] == same
    with pytest.raises(UsageError, match="is named twice"):
        read_contenders([model, model], ask=ask)


def test_a_run_stands_beside_a_report_of_the_same_rows(models, ask, tmp_path):
    report = report_of(ask, models, "one")
    (found,) = read_contenders([report])
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.toml").write_text("seed = 3\n")
    (run / "log.jsonl").write_text('{"epoch": 1, "loss": 1.0}\n')
    answers = {"labels": found.labels.tolist(), "predictions": found.labels.tolist(), "rows": found.rows[0].tolist(),
               "source_sha256": found.rows[1]}  # fmt: skip
    (run / "public_test.json").write_text(json.dumps(answers))
    runs = read_contenders([str(run), f"{report}/report.json"])
    assert [(entry.name, entry.seed, entry.accuracy) for entry in runs] == [
        ("run", 3, 1.0),
        ("one_report", 0, found.accuracy),
    ]
    variants_of(runs)
    (run / "public_test.json").write_text(json.dumps({**answers, "source_sha256": "cd" * 32}))
    with pytest.raises(UsageError, match="run and one_report were judged on different faces"):
        variants_of(read_contenders([str(run), report]))


def test_what_is_neither_run_nor_report_is_named(models, ask, tmp_path):
    with pytest.raises(DataError, match=r"one\.onnx: no run and no report; to compare models name --data and --usage"):
        read_contenders([str(models / "one.onnx")])
    report = report_of(ask, models, "one")
    predictions = models / "one_report" / "predictions.csv"
    whole = predictions.read_text()
    for damaged, message in (
        (whole.replace("happy", "happier"), "damaged report"),
        (whole.rstrip() + ",9\n", r"predictions\.csv: line 91 has more cells than the header"),
        (whole.partition("\n")[0] + "\n", r"predictions\.csv: no rows after the header; evaluate again"),
        (whole.replace("label", "truth", 1), r"predictions\.csv: not one column label: expected row, label and pred"),
        (whole + "x" * 140_000, r"predictions\.csv: not a csv after line 91 \(field larger"),
    ):
        predictions.write_text(damaged)
        with pytest.raises(DataError, match=message):
            read_contenders([report])
    predictions.write_text(f"\ufeff{whole}", encoding="utf-8")  # as a spreadsheet writes it
    assert len(read_contenders([report])) == 1
    predictions.unlink()
    with pytest.raises(DataError, match=r"no predictions\.csv; expected a folder of `mien evaluate --out`"):
        read_contenders([report])


def test_one_that_is_named_twice_is_refused(tmp_path):
    with pytest.raises(UsageError, match="is named twice"):
        read_contenders([str(tmp_path), f"{tmp_path}/"])


def test_folds_are_one_run_where_the_first_of_them_is_named(models, ask, tmp_path):
    report = report_of(ask, models, "one")
    folds = [tmp_path / f"plain/seed-0/fold-{fold}" for fold in range(2)]
    for fold, folder in enumerate(folds):
        folder.mkdir(parents=True)
        (folder / "config.toml").write_text(f'seed = 0\nsplit = "grouped_folds"\nfolds = 2\nfold = {fold}\n')
        (folder / "log.jsonl").write_text('{"epoch": 1, "loss": 1.0}\n')
        answers = {"labels": [0, 1], "predictions": [0, 2], "rows": [2 * fold, 2 * fold + 1], "source_sha256": "ab"}
        (folder / "held_out.json").write_text(json.dumps(answers))
    found = read_contenders([report, *map(str, folds)])
    assert [(run.name, len(run.labels)) for run in found] == [("one_report", 90), ("plain", 4)]
    assert found[1].folds == (0.5, 0.5)
    for folder in folds:
        (folder / "public_test.json").write_text('{"labels": [0, 1], "predictions": [0, 1]}')
    with pytest.raises(UsageError, match="folds of one training do: name one of them, or join them by --usage held"):
        variants_of(read_contenders([*map(str, folds)], "PublicTest"))


def test_the_data_set_is_named_by_whoever_knows_it(models, ask):
    (report,) = read_contenders([report_of(ask, models, "one")])
    older = replace(report, name="older", source="")
    assert compared_rows(variants_of([older, report])) == "small.csv, PublicTest"
    assert compared_rows(variants_of([older])) == "PublicTest"
    assert [row["data"] for row in summary(variants_of([older, report]))] == ["small.csv, PublicTest"] * 2


def test_other_test_time_augmentation_is_stated(models, ask, small_store, mien):
    store = FaceStore.open(small_store)
    for tta in ("none", "flip"):
        asked = evaluate(Bundle.load(str(models / "one.onnx")), store, "PublicTest", tta)
        ReportFolder(models / tta).write(asked)
    told = mien("compare", models / "none", models / "flip")
    assert "test-time augmentation differs, and with it what is compared: none none, flip flip\n" in told.stdout
    table = mien("compare", models / "none", models / "flip", "--table", "csv").stdout.splitlines()
    assert [line["tta"] for line in csv.DictReader(table)] == ["none", "flip"]
    assert (
        "augmentation"
        not in mien(
            "compare", models / "none", models / "one.onnx", "--data", small_store, "--usage", "PublicTest"
        ).stdout
    )
