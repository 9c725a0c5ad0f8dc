"""The tutorials' commands, run as they stand on small made-up data."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from mien.cli.main import app

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
