"""The tutorials' commands, run as they stand on small made-up data."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

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
    small = re.sub(r'"(deep_emotion|vggnet)"', '"mien_s"', sweep.replace('"epochs=30"', f'"epochs=1", {SMALL}'))
    (work / "sweep.toml").write_text(small)
    for line in "".join(re.findall(r"```\n(mien .*?)```", page, re.DOTALL)).splitlines():
        words = [
            part
            for word in shlex.split(line)[1:]
            for part in (sorted(map(str, work.glob(word))) if "*" in word else [word])
        ]
        app(words, standalone_mode=False)
    said = capsys.readouterr().out
    assert "accuracy on train.csv, held-out, 14 faces" in said
    assert "out/large/seed-0 on train.csv, held-out, 14 faces" in said
    table = re.search(r"\\begin\{tabular\}.*\\end\{tabular\}", said, re.DOTALL)[0]
    assert re.search(r"^large & train\.csv, held-out & 2 & 14 & [\d.]+ & ", table, re.MULTILINE)
    for name in ("out/small/seed-0/curves.png", "out/curves.png", "paper/curves.pdf", "paper/accuracy.pdf",
                 "report/confusion.png"):  # fmt: skip
        assert (work / name).stat().st_size > 4000, name


def commands(page):
    """The lines of `mien` in a tutorial, as words."""
    text = (TUTORIALS / page).read_text(encoding="utf-8")
    return [shlex.split(line) for line in "".join(re.findall(r"```\n(mien .*?)```", text, re.DOTALL)).splitlines()]


def test_fer2013_from_import_to_predict(work, monkeypatch, capsys):
    monkeypatch.chdir(work)
    rows = (work / "train.csv").read_text().splitlines()[1:]
    usages = ["Training"] * 100 + ["PublicTest"] * 40
    table = ["emotion,pixels,Usage", *(f"{row},{usage}" for row, usage in zip(rows, usages, strict=True))]
    (work / "fer2013.csv").write_text("\n".join(table) + "\n")
    (work / "photos").mkdir()
    Image.fromarray(data.astronaut()).save(work / "photos/party.jpg")
    small = [word for setting in ("epochs=1", *SMALL.replace('"', "").split(", ")) for word in ("--set", setting)]
    for words in commands("fer2013.md"):
        app([*words[1:], *small] if words[1] == "train" else words[1:], standalone_mode=False)
    said = capsys.readouterr().out
    assert "PublicTest, 40 faces" in said
    assert "happy" in said
    assert {path.name for path in (work / "report").glob("*.png")} >= {"confusion.png", "reliability.png"}


@pytest.mark.parametrize("page", ["photos.md", "../zh/photos.md"])
def test_photos_from_one_to_a_table(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos/2026").mkdir(parents=True)
    Image.fromarray(data.astronaut()).save("party.jpg")
    Image.fromarray(data.astronaut()).save("photos/2026/first.jpg")
    Image.fromarray(data.coffee()).save("photos/coffee.jpg")
    for words in commands(page):
        redirected = words[words.index(">") + 1] if ">" in words else None
        app(words[1 : words.index(">")] if redirected else words[1:], standalone_mode=False)
        said = capsys.readouterr().out
        if redirected:
            (tmp_path / redirected).write_text(said, encoding="utf-8")
    assert (tmp_path / "annotated/party.mien.jpg").stat().st_size > 10_000
    text = (TUTORIALS / page).read_text(encoding="utf-8")
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(block, page, "exec"), {})
    (counted,) = re.findall(r"^.*60 %.*$", capsys.readouterr().out, re.MULTILINE)
    assert [int(number) for number in re.findall(r"\d+", counted)][:2] == [1, 1]


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


@pytest.mark.usefixtures("_operators_once")
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
    assert "tuned on photos, held-out, 4 faces" in said.out
    assert f"{versioned_name('mien_s')} on photos, 18 faces" in said.out
    assert Bundle.load("tuned.onnx").card.labels == ("happy", "neutral", "other")
    assert len(list((own_photos / "annotated").glob("*.jpg"))) == 6


def test_videos_of_two_conditions_become_a_paired_comparison(
    tmp_path, monkeypatch, capsysbinary, write_clip, portraits
):
    """Six participants, each in their own light, who smile in one condition and hardly in the other."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "videos").mkdir()
    for number in range(6):
        for portrait, condition in enumerate(("funny", "calm")):
            scene = np.full((200, 260, 3), 90 + 10 * number, np.uint8)
            scene[40:160, 70:190] = np.clip(portraits[portrait] * (0.7 + 0.1 * number), 0, 255)
            images = [np.roll(scene, shift, axis=1) for shift in range(6)]
            write_clip(tmp_path / f"videos/p0{number + 1}_{condition}.mp4", images)
    (_, *words), (_, *again) = commands("video_statistics.md")
    app(words[: words.index(">")], standalone_mode=False)
    (tmp_path / words[-1]).write_bytes(capsysbinary.readouterr().out)
    app(again, standalone_mode=False)
    text = (TUTORIALS / "video_statistics.md").read_text(encoding="utf-8")
    names = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(block, "video_statistics.md", "exec"), names)
    said = capsysbinary.readouterr().out.decode()
    assert (names["differences"] > 0).all()
    assert "6 participants, mean difference +" in said
    assert "W = 0, p = 0.0312" in said  # of 2**6 signs of the differences the two that are all alike
    assert names["paired"].df == 5
    assert names["smiles"]["onset"].tolist() == [0.0]  # from the first frame to the last
    assert (tmp_path / "happy.png").stat().st_size > 4000
    assert not set(names["good"].columns).isdisjoint({"yaw", "raw_happy"})
