"""Figures by a trait against scikit-learn, SciPy, and what publications print."""

import csv
import json
import re

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from mien.cli.main import app
from mien.data.store import FaceStore, write_store
from mien.errors import DataError, MienError
from mien.evaluation.bootstrap import bootstrap_intervals
from mien.evaluation.by_trait import ByTrait, _interval_of_difference
from mien.evaluation.contenders import read_report
from mien.evaluation.evaluated import Evaluation
from mien.labels import EMOTIONS
from mien.model.onnx_model import softmax


def evaluation(labels, logits, groups=None, temperature=1.3):
    return Evaluation(
        model="m", model_sha256=None, source="s.csv", source_sha256="ab", usage="PublicTest", tta="none",
        rows=np.arange(len(labels)), labels=labels.astype(np.uint8), logits=logits.astype(np.float32),
        temperature=temperature, groups=groups,
    )  # fmt: skip


def made_up(count, seed=0, groups=None):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 7, count)
    return evaluation(labels, random.normal(0, 1, (count, 7)) + 1.5 * np.eye(7)[labels], groups)


def right_or_wrong(right):
    """Answers of which so many are right, to faces of one class."""
    return evaluation(np.zeros(len(right)), np.eye(7)[np.where(right, 0, 1)])


def test_each_value_has_the_figures_of_its_faces():
    whole = made_up(400)
    values = np.array(["dark", "light", "none"])[np.random.default_rng(1).choice(3, 400, p=[0.6, 0.3, 0.1])]
    document = ByTrait("light", whole, values).to_dict()
    assert document["few"] == ["none"]
    for value, figures in document["values"].items():
        chosen = values == value
        labels, predicted = whole.labels[chosen], whole.logits[chosen].argmax(axis=1)
        assert figures["n"] == chosen.sum()
        assert figures["accuracy"] == pytest.approx(sk.accuracy_score(labels, predicted))
        assert figures["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(labels, predicted))
        assert figures["nll"] == pytest.approx(
            sk.log_loss(labels, softmax(whole.logits[chosen] / 1.3), labels=range(7)), rel=1e-5
        )
    accuracies = {value: figures["accuracy"] for value, figures in document["values"].items() if value != "none"}
    assert document["largest_gap"]["accuracy"] == pytest.approx(max(accuracies.values()) - min(accuracies.values()))
    assert json.loads(json.dumps(document)) == document


@pytest.mark.parametrize("grouped", [False, True])
def test_intervals_agree_with_drawing_faces_or_groups_one_by_one(grouped):
    groups = (np.arange(300) // 6).astype(np.str_) if grouped else None
    whole = made_up(300, groups=groups)
    random, probabilities, drawn = np.random.default_rng(5), softmax(whole.logits / 1.3), []
    units = [np.flatnonzero(groups == name) for name in np.unique(groups)] if grouped else np.arange(300)[:, None]
    for _ in range(600):
        rows = np.concatenate([units[number] for number in random.integers(0, len(units), len(units))])
        labels, given = whole.labels[rows], probabilities[rows]
        predicted, second = given.argsort(axis=1)[:, -1], given.argsort(axis=1)[:, -2]
        hits = [((labels == k) & (predicted == k)).sum() for k in range(7)]
        f1 = [2 * hits[k] / ((labels == k).sum() + (predicted == k).sum()) for k in range(7)]
        recall = [hits[k] / (labels == k).sum() for k in range(7)]
        loss = -np.log(given[np.arange(len(rows)), labels])
        top2 = (labels == predicted) | (labels == second)
        bins = np.ceil(given.max(axis=1) * 15)
        gaps = [abs(sum(given.max(axis=1)[bins == k]) - (labels == predicted)[bins == k].sum()) for k in range(1, 16)]
        drawn.append([top2.mean(), np.mean(f1), np.mean(recall), loss.mean(), sum(gaps) / len(rows)])
    ours = bootstrap_intervals(whole)
    for key, expected in zip(ours, np.percentile(drawn, [2.5, 97.5], axis=0).T, strict=True):
        assert ours[key] == pytest.approx(expected, abs=0.015), key


def test_the_interval_of_a_gap_is_newcombes():
    """Method 10 in his example: 56 of 70 against 48 of 80 gives 0.0524 to 0.3339."""
    one, other = right_or_wrong(np.arange(70) < 56), right_or_wrong(np.arange(80) < 48)
    assert _interval_of_difference(one, other) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_the_chance_of_a_gap_is_scipys_permutation_test():
    right = np.r_[np.arange(90) < 52, np.arange(60) < 44]
    values = np.repeat(["a", "b"], [90, 60])
    gap = ByTrait("t", right_or_wrong(right), values).gap
    expected = stats.permutation_test(
        (right[:90].astype(float), right[90:].astype(float)),
        lambda one, other: abs(one.mean() - other.mean()),
        alternative="greater",
        n_resamples=8000,
        rng=np.random.default_rng(0),
    )
    assert (gap.low, gap.high) == ("a", "b")
    assert gap.p_value == pytest.approx(expected.pvalue, abs=0.02)


def test_people_who_differ_are_no_gap_between_their_sites():
    """Whole people change sites: a gap that a few people make is not as rare as that of as many single faces."""
    random, people = np.random.default_rng(3), np.repeat(np.arange(24), 20)
    right = random.random(480) < np.repeat(random.choice([0.2, 0.9], 24), 20)
    site = np.where(people < 12, "here", "there")
    blind = ByTrait("site", right_or_wrong(right), site).gap
    whole = right_or_wrong(right)
    known = ByTrait("site", evaluation(whole.labels, whole.logits, people.astype(np.str_)), site).gap
    assert known.share == blind.share
    assert known.p_value > 5 * blind.p_value
    assert np.ptp(known.interval) > 2 * np.ptp(blind.interval)


def test_a_column_that_is_no_trait_is_refused():
    whole = made_up(60)
    for values, words in ((["a"] * 60, "1 different value among"), (list(map(str, range(60))), "60 different values")):
        with pytest.raises(DataError, match=words):
            ByTrait("t", whole, np.array(values))
    assert ByTrait("t", whole, np.array(["a"] * 30 + ["b"] * 30)).gap is None


@pytest.fixture
def traits(tmp_path, small_store):
    """Light of every row of the small data set: 90 PublicTest rows, 60 of them dark."""
    lines = [f"{row},{'dark' if row % 3 else 'bright'},{row}" for row in range(150)]
    path = tmp_path / "traits.csv"
    path.write_text("row,light,id\n" + "\n".join(lines) + "\n")
    return path


def test_the_command_gives_table_report_chart_and_columns(traits, tmp_path, small_store, write_linear_model, capsys):
    model = write_linear_model(tmp_path / "m.onnx")
    words = ["evaluate", str(model), "--data", str(small_store), "--usage", "PublicTest", "--groups", str(traits)]
    app([*words, "--by", "light", "--out", str(tmp_path / "out")], standalone_mode=False)
    said = capsys.readouterr().out
    assert re.search(r"^ *dark +60 ", said, re.MULTILINE), said
    assert "no gap: fewer than two values have 50 faces" in said
    assert "fewer than 50 faces: bright" in said
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert {value: figures["n"] for value, figures in report["by_trait"]["values"].items()} == {
        "bright": 30,
        "dark": 60,
    }
    with (tmp_path / "out" / "predictions.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert all(line["light"] == ("dark" if int(line["row"]) % 3 else "bright") for line in lines)
    assert (tmp_path / "out" / "by_trait.png").stat().st_size > 4000
    app([*words, "--by", "light", "--table", "csv"], standalone_mode=False)
    table = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [(line["light"], line["faces"]) for line in table] == [("all", "90"), ("bright", "30"), ("dark", "60")]


def test_a_trait_that_is_called_like_a_column_leaves_the_report_readable(tmp_path, small_store, write_linear_model):
    model, folder = write_linear_model(tmp_path / "m.onnx"), tmp_path / "out"
    words = ["evaluate", str(model), "--data", str(small_store), "--usage", "PublicTest", "--out", str(folder)]
    store = FaceStore.open(small_store)
    for trait in ("label", "group"):
        values = "\n".join(f"{row},{'dark' if row % 3 else 'bright'}" for row in range(150))
        (tmp_path / "traits.csv").write_text(f"row,{trait}\n{values}\n")
        app([*words, "--groups", str(tmp_path / "traits.csv"), "--by", trait], standalone_mode=False)
        with (folder / "predictions.csv").open() as file:
            lines = list(csv.DictReader(file))
        assert all(line[f"by_{trait}"] == ("dark" if int(line["row"]) % 3 else "bright") for line in lines)
        again = read_report(folder)
        assert (again.labels.tolist(), again.groups) == (store.labels[store.rows_of("PublicTest")].tolist(), None)


def test_pictures_in_folders_go_by_their_paths(tmp_path, small_store, write_linear_model, capsys):
    from PIL import Image

    store = FaceStore.open(small_store)
    lines = ["file_name,site"]
    for row in range(60, 150):
        name = f"{EMOTIONS[store.labels[row]]}/{row}.png"
        (tmp_path / "faces" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(store.faces[row]).save(tmp_path / "faces" / name)
        lines.append(f"{name},{'a' if row % 2 else 'b'}")
    (tmp_path / "sites.csv").write_text("\n".join(lines))
    words = ["evaluate", str(write_linear_model(tmp_path / "m.onnx")), "--data", str(tmp_path / "faces"), "--json"]
    app([*words, "--groups", str(tmp_path / "sites.csv"), "--by", "site"], standalone_mode=False)
    ours = json.loads(capsys.readouterr().out)["by_trait"]["values"]
    subset = np.arange(61, 150, 2)
    arrays = (store.faces[subset], store.labels[subset], store.usages[subset])
    write_store(tmp_path / "odd", *arrays, source="odd", source_sha256="cd")
    app(["evaluate", words[1], "--data", str(tmp_path / "odd"), "--usage", "all", "--json"], standalone_mode=False)
    theirs = json.loads(capsys.readouterr().out)
    assert ours["a"]["confusion"] == theirs["confusion"]
    assert ours["a"]["accuracy_interval"] == theirs["accuracy_interval"]


@pytest.mark.parametrize(
    ("text", "by", "words"),
    [
        ("row,light\n" + "".join(f"{row},x\n" for row in range(60, 149)), "light", "149 is missing: expected a line"),
        ("row,light\n" + "".join(f"{row},x\n" for row in range(152)), "light", "150, 151 are not in the data set"),
        ("row,light\n" + "".join(f"{row},x\n" for row in range(150)), "age", "expected the column age once"),
        ("row,light\n" + "".join(f"{row},x\n" for row in range(150)), "light", "1 different value among the 90 faces"),
        ("row,light\n" + "".join(f"{row},\n" for row in range(150)), "light", "line 2 has row '0' and light ''"),
        ("", "light", "expected the column row and light once"),
        ("row,light\n", None, "--groups FILE and --by COLUMN belong together"),
    ],
)
def test_bad_files_get_one_line_before_a_face_is_asked(text, by, words, tmp_path, small_store, write_linear_model):
    (tmp_path / "traits.csv").write_text(text)
    command = ["evaluate", str(write_linear_model(tmp_path / "m.onnx")), "--data", str(small_store)]
    command += ["--usage", "PublicTest", "--groups", str(tmp_path / "traits.csv"), *(["--by", by] if by else [])]
    with pytest.raises(MienError, match=re.escape(words)) as caught:
        app(command, standalone_mode=False)
    assert "\n" not in str(caught.value)
