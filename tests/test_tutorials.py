"""The tutorials' commands, run as they stand on small made-up data."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.cli.main import app
from mien.model.embedded import versioned_name
from mien.model.onnx_model import Bundle

TUTORIALS = Path(__file__).parents[1] / "docs" / "tutorials"
SMALL = '"preprocess.frame_size=16", "preprocess.input_size=12", "batch_size=16", "precision=fp32"'


@pytest.fixture
def work(tmp_path):
    random = np.random.default_rng(0)
    lines = ["emotion,pixels"]
    for number in range(140):
        face = random.integers(0, 90, (48, 48))
        face[6 * (number % 7) :][:6] += 120
        lines.append(f"{number % 7},{' '.join(map(str, face.ravel()))}")
    (tmp_path / "train.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_kaggles_train_csv_from_import_to_a_latex_table(work, monkeypatch, capsys):
    monkeypatch.chdir(work)
    page = (TUTORIALS / "kaggle.md").read_text(encoding="utf-8")
    (sweep,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    small = sweep.replace('"epochs=30"', f'"epochs=1", {SMALL}').replace('"deep_emotion"', '"mien_s"')
    (work / "sweep.toml").write_text(small)
    for line in "".join(re.findall(r"```\n(mien .*?)```", page, re.DOTALL)).splitlines():
        words = [
            part
            for word in shlex.split(line)[1:]
            for part in (sorted(map(str, work.glob(word))) if "*" in word else [word])
        ]
        app(words, standalone_mode=False)
    said = capsys.readouterr().out
    assert "accuracy on held-out" in said
    assert "mien_s on train.csv, held-out, 14 faces" in said
    table = re.search(r"\\begin\{tabular\}.*\\end\{tabular\}", said, re.DOTALL)[0]
    assert re.search(r"^sgd & 2 & 14 & [\d.]+ & ", table, re.MULTILINE)
    for name in ("out/adamw/seed-0/curves.png", "out/curves.png", "paper/curves.pdf", "paper/accuracy.pdf",
                 "report/confusion.png"):  # fmt: skip
        assert (work / name).stat().st_size > 4000, name


@pytest.fixture
def own_photos(tmp_path, portraits):
    """A folder of photos for each of three classes, each a portrait in varied light."""
    random = np.random.default_rng(0)
    for number in range(18):
        scene = np.full((190, 220, 3), random.integers(40, 200, 3), np.uint8)
        scene[30:150, 50:170] = np.clip(portraits[number % 2] * random.uniform(0.7, 1.3), 0, 255)
        folder = tmp_path / "photos" / ("happy", "neutral", "other")[number % 3]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene).save(folder / f"{number}.jpg")
    return tmp_path


def test_own_photos_from_import_to_predict(own_photos, monkeypatch, capsys):
    monkeypatch.chdir(own_photos)
    page = (TUTORIALS / "own_photos.md").read_text(encoding="utf-8")
    for line in "".join(re.findall(r"```\n(mien .*?)```", page, re.DOTALL)).splitlines():
        words = shlex.split(line)[1:]
        app(
            [*words, "--set", "epochs=1", "--set", "precision=fp32"] if words[0] == "train" else words,
            standalone_mode=False,
        )
    said = capsys.readouterr()
    assert "3 classes of its own: happy, neutral, other" in said.err
    assert "mien_s on photos, held-out, 4 faces" in said.out
    assert f"{versioned_name('mien_s')} on photos, 18 faces" in said.out
    assert Bundle.load("tuned.onnx").card.labels == ("happy", "neutral", "other")
    assert len(list((own_photos / "annotated").glob("*.jpg"))) == 6
