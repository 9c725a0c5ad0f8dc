import json

import pytest
from PIL import Image

from mien.labels import EMOTIONS


def test_table_document_and_pictures(tmp_path, small_store, mien):
    done = mien("data", "stats", small_store, "--out", tmp_path / "out", "--recipe", "mien_s", "--row", 3)
    assert done.returncode == 0
    assert "150 rows of small.csv" in done.stdout
    total = next(line.replace("│", " ").split() for line in done.stdout.splitlines() if "all" in line.split()[1:2])
    assert total[:3] == ["all", "60", "90"]
    written = {path.name for path in (tmp_path / "out").iterdir()}
    pictures = {f"{name}.png" for name in ("counts", "mean_faces", "tones", "augmentation")}
    assert written == pictures | {f"samples_{emotion}.png" for emotion in EMOTIONS} | {"statistics.json"}
    for name in written - {"statistics.json"}:
        with Image.open(tmp_path / "out" / name) as picture:
            assert min(picture.size) > 300
    assert done.stderr.count("wrote ") == len(written)
    document = json.loads((tmp_path / "out" / "statistics.json").read_text())
    assert json.loads(mien("data", "stats", small_store, "--json").stdout) == document


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--row", 1], 2, "--row names the face that --recipe varies"),
        (["--recipe", "mien_s"], 2, "--recipe draws a picture: name a folder with --out"),
        (["--recipe", "mien_s", "--out", "made", "--row", 150], 2, "--row is 150: expected 0..149"),
        (["--recipe", "mien", "--out", "made"], 2, "mien: no such recipe"),
    ],
)
def test_wrong_use_gets_one_line(tmp_path, small_store, options, status, words, mien):
    options = [tmp_path / "made" if option == "made" else option for option in options]
    done = mien("data", "stats", small_store, *options)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (status, "", 1)
    assert words in done.stderr
    assert not (tmp_path / "made").exists()
