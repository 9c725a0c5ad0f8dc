import json
import subprocess
import sys

import pyarrow as pa
import pytest
from pyarrow import parquet

from waiting import HANG

HEADER = "emotion,pixels,Usage\n"
PIXELS = " ".join(["7"] * 2304)


def installed(*arguments):
    """The command in a process of its own, as it is installed."""
    command = [sys.executable, "-m", "mien", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANG)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    rows = [f"{label},{PIXELS},{usage}\n" for label, usage in [(0, "Training"), (6, "Training"), (6, "PrivateTest")]]
    (folder / "fer2013 [all].csv").write_text(HEADER + "".join(rows))
    done = installed("data", "import", folder / "fer2013 [all].csv", folder / "store")
    assert done.returncode == 0
    assert done.stdout == ""
    assert "3 rows of fer2013 [all].csv in " in done.stderr
    return folder / "store"


def test_info_prints_a_table_with_totals(store, mien):
    done = mien("data", "info", store)
    assert done.returncode == 0
    assert "3 rows of fer2013 [all].csv, SHA-256 " in done.stdout
    table = [line.replace("│", " ").split() for line in done.stdout.splitlines()]
    numbers = {
        name: list(map(int, cells)) for name, *cells in filter(None, table) if name in ("angry", "neutral", "total")
    }
    assert numbers == {"angry": [1, 0, 1], "neutral": [1, 1, 2], "total": [2, 1, 3]}


@pytest.mark.parametrize("name", ["x" * 300, "x/" * 3000])
def test_a_name_that_no_file_system_takes_is_one_line(name, mien):
    done = mien("data", "info", name)
    assert (done.returncode, done.stderr) == (1, f"mien: {name[:60]}...: no such file (File name too long)\n")


def test_info_as_json(store, mien):
    done = mien("data", "info", store, "--json")
    document = json.loads(done.stdout)
    assert document["rows"] == 3
    assert document["source"] == "fer2013 [all].csv"
    assert len(document["source_sha256"]) == 64
    assert document["counts"]["Training"]["neutral"] == 1
    assert list(document["counts"]) == ["Training", "PrivateTest"]


def test_votes_beside_the_csv_are_found_and_compared(tmp_path, store, mien):
    header = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"
    votes = ["Training,a,0,0,0,0,9,0,0,0,1,0", "Training,b,2,0,0,7,1,0,0,0,0,0", "PrivateTest,,0,0,0,0,0,0,0,0,0,10"]
    (tmp_path / "fer2013.csv").write_bytes((store.parent / "fer2013 [all].csv").read_bytes())
    (tmp_path / "fer2013new.csv").write_text(header + "\n".join(votes))
    done = mien("data", "import", tmp_path / "fer2013.csv", tmp_path / "store")
    assert (done.returncode, done.stdout) == (0, "")
    assert "fer2013new.csv: FER+ votes lie beside fer2013.csv and are imported too" in done.stderr
    found = json.loads(mien("data", "info", tmp_path / "store", "--json").stdout)["ferplus"]
    assert (found["rule"], found["rows"], found["kept"], found["same"]) == ("majority", 3, 2, 1)
    table = [line.replace("│", " ").split() for line in mien("data", "info", tmp_path / "store").stdout.splitlines()]
    assert ["neutral", "2", "1", "0", "0.0%"] in table
    assert ["sad", "0", "0", "0", "-"] in table
    assert ["all", "3", "2", "1", "50.0%"] in table


def test_votes_of_other_rows_are_refused_in_one_line(tmp_path, store, mien):
    (tmp_path / "votes.csv").write_text(
        "row,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"
    )
    source = store.parent / "fer2013 [all].csv"
    done = mien("data", "import", source, tmp_path / "store", "--ferplus", tmp_path / "votes.csv")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "votes.csv: votes for 0 rows, but the data set has 3" in done.stderr
    assert not (tmp_path / "store").exists()


def test_bad_input_gets_one_line_and_status_1(tmp_path, mien):
    (tmp_path / "bad.csv").write_text(HEADER + f"8,{PIXELS},Training\n")
    done = mien("data", "import", tmp_path / "bad.csv", tmp_path / "store")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "row 0 (line 2): emotion is '8': expected 0..6" in done.stderr
    assert mien("data", "info", tmp_path / "store").returncode == 1


def test_what_classes_were_taken_for_is_said(tmp_path, mien):
    from PIL import Image

    for part, name in [("train", "0"), ("train", "1"), ("val", "7"), ("val", "7")]:
        folder = tmp_path / "AffectNet" / part / name
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("L", (50, 50)).save(folder / f"{len(list(folder.iterdir()))}.png")
    done = mien("data", "import", tmp_path / "AffectNet", tmp_path / "store", "--map", "affectnet")
    assert (done.returncode, done.stdout) == (0, "")
    said, summary = done.stderr.splitlines()
    assert said == "layout splits, 4 pictures: 0 = neutral (1), 1 = happy (1), 7 = skipped (2)"
    assert "2 rows of AffectNet" in summary
    (tmp_path / "AffectNet" / "val" / "7").rename(tmp_path / "AffectNet" / "val" / "2")
    done = mien("data", "import", tmp_path / "AffectNet", tmp_path / "guessed")
    assert "0 = angry (1), 1 = disgust (1), 2 = fear (2)" in done.stderr
    assert "numbers were taken for FER2013's" in done.stderr


def test_the_classes_of_a_table_are_said(mien, small_store, tmp_path):
    """One misspelt cell makes eight classes of their own, which nobody should find out later."""
    path = tmp_path / "faces.parquet"
    assert mien("data", "export", small_store, path, "--format", "parquet").returncode == 0
    well = mien("data", "import", path, tmp_path / "well")
    assert "faces.parquet" not in well.stderr.splitlines()[0]
    assert well.stderr.splitlines()[0].startswith("table, 150 rows: angry (")
    assert "of its own" not in well.stderr
    table = parquet.read_table(path).drop_columns("label").replace_schema_metadata()
    emotions = ["unheard", *table["emotion"].to_pylist()[1:]]
    column = table.schema.get_field_index("emotion")
    parquet.write_table(table.set_column(column, "emotion", pa.array(emotions)), path)
    told = mien("data", "import", path, tmp_path / "told")
    assert told.returncode == 0
    assert ", unheard (1)" in told.stderr
    assert "8 classes of its own: " in told.stderr
    assert "rename them in the file" in told.stderr
