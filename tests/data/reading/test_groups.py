"""Groups of rows: from names, folders and csv files, kept in the store and its exports."""

import csv
import json
import os

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from mien.cli.main import app
from mien.data.audit.cleaning import Removal, write_clean
from mien.data.columns import row_column
from mien.data.export import export_data
from mien.data.reading.importing import faces_by_class, import_data
from mien.data.store import FaceStore, StoreMeta, write_store
from mien.errors import DataError, UsageError

CK = ["happy/S010_004_00000017.png", "happy/S010_004_00000018.png", "sad/S010_002_00000014.png",
      "sad/S011_002_00000021.png"]  # fmt: skip


def pictures(folder, names):
    random = np.random.default_rng(0)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (48, 48), np.uint8)).save(folder / name)
    return folder


def groups_of(source, out, **options):
    store = import_data(source, out, **{"usage": "Training", **options})
    return None if store.groups is None else store.groups.tolist()


def test_names_of_ck_and_jaffe_tell_the_subject(tmp_path):
    ck = pictures(tmp_path / "ck", CK)
    assert groups_of(ck, tmp_path / "a") == ["S010", "S010", "S010", "S011"]
    assert groups_of(ck, tmp_path / "b", groups="sequence") == ["S010_004", "S010_004", "S010_002", "S011_002"]
    assert groups_of(ck, tmp_path / "c", groups="none") is None
    jaffe = pictures(tmp_path / "jaffe", ["KA.AN1.39.tiff", "KA.HA2.30.tiff", "ym.SU1.60.tiff"])
    assert groups_of(jaffe, tmp_path / "d") == ["KA", "KA", "YM"]
    assert faces_by_class(ck, {})[0].groups.tolist() == ["S010", "S010", "S010", "S011"]


def test_one_name_that_tells_nothing_leaves_all_without_a_group(tmp_path):
    mixed = pictures(tmp_path / "mixed", [*CK, "sad/me.png"])
    assert groups_of(mixed, tmp_path / "a") is None
    with pytest.raises(DataError, match=r"the names 'me.png' tell no subject: expected names as of CK\+48"):
        groups_of(mixed, tmp_path / "b", groups="subject")
    with pytest.raises(DataError, match="tell no sequence"):
        groups_of(mixed, tmp_path / "b", groups="sequence")


def test_a_folder_level_is_a_group(tmp_path):
    folder = pictures(tmp_path / "own", ["happy/anna/1.png", "happy/ben/1.png", "sad/anna/7.png"])
    assert groups_of(folder, tmp_path / "a", groups="folder") == ["anna", "ben", "anna"]
    with pytest.raises(DataError, match=r"happy: 'anna', 'ben' in it: expected only \.jpg"):
        groups_of(folder, tmp_path / "b")
    parts = pictures(tmp_path / "parts", ["train/happy/anna/1.png", "test/sad/carl/1.png"])
    assert groups_of(parts, tmp_path / "c", groups="folder", usage=None) == ["carl", "anna"]
    long = pictures(tmp_path / "long", [f"happy/{'p' * 100}{number}/1.png" for number in range(2)])
    with pytest.raises(DataError, match=r"has group 'ppp.* expected at most 100 characters"):
        groups_of(long, tmp_path / "d", groups="folder")
    pictures(folder, ["sad/loose.png"])
    with pytest.raises(DataError, match=r"'loose.png' in it: expected a folder for each group"):
        groups_of(folder, tmp_path / "b", groups="folder")
    jaffe = pictures(tmp_path / "jaffe", ["KA.AN1.39.tiff"])
    with pytest.raises(UsageError, match="jaffe has no folders of groups"):
        groups_of(jaffe, tmp_path / "b", groups="folder")


def test_a_picture_named_with_slashes_and_with_backslashes_has_no_two_groups(tmp_path):
    folder = pictures(tmp_path / "faces", ["happy/0.png", "sad/1.png"])
    lines = ["file_name", "group"], ["happy\\0.png", "a"], ["happy/0.png", "b"], ["sad/1.png", "b"]
    with pytest.raises(DataError, match=r"names 'happy/0\.png' twice, with slashes and backslashes"):
        import_data(folder, tmp_path / "out", usage="Training", groups=table(tmp_path / "g.csv", *lines))


def table(path, *lines):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    return path


def piped(content):
    """What `<(...)` of a shell is to a command: a path that can be read once, from its beginning on."""
    reads, writes = os.pipe()
    with open(writes, "wb") as file:  # noqa: PTH123 - a descriptor
        file.write(content)
    return f"/dev/fd/{reads}"


def test_a_csv_names_the_groups_of_pictures_and_damaged_ones_do_not_shift_them(tmp_path):
    folder = pictures(tmp_path / "own", ["happy/1.png", "happy/2.png", "sad/1.png"])
    lines = [
        ["file_name", "light", "group"],
        [r"sad\1.png", "x", "c"],
        ["happy/2.png", "x", "b"],
        ["happy/1.png", "x", "a"],
    ]
    listed = table(tmp_path / "groups.csv", *lines)
    assert groups_of(folder, tmp_path / "a", groups=listed) == ["a", "b", "c"]
    assert groups_of(folder, tmp_path / "piped", groups=piped(listed.read_bytes())) == ["a", "b", "c"]
    (folder / "happy/1.png").write_bytes(b"no picture")
    assert groups_of(folder, tmp_path / "b", groups=listed, skip_damaged=True) == ["b", "c"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([["row", "group"], [0, "a"]], "1, 2 are missing: expected a line for each of 3 rows"),
        ([["row", "group"], [0, "a"], [1, "a"], [2, "b"], [3, "b"]], "3 is not in the data set: expected its own rows"),
        ([["row", "group"], [0, "a"], [1, ""], [2, "b"]], "line 3 has row '1' and group '': expected text in both"),
        ([["row", "group"], [0, "a"], [0, "a"]], "line 3 names row '0' again"),
        ([["row", "people"], [0, "a"]], "the header is 'row,people': expected the column group once"),
        ([["row", "group"], [0, "a" * 101]], "at most 100 characters"),
        ([["row", "group"], [0]], "group '': expected text"),
        ([["row", "group"], [0, "Doe", " Jo"]], "line 2 has more cells than the header: expected text with ',' in it"),
    ],
)  # fmt: skip
def test_a_bad_csv_is_refused_in_one_line_and_nothing_is_left(tmp_path, lines, message):
    source = tmp_path / "fer.csv"
    source.write_text("emotion,pixels\n" + "".join(f"{row},{' '.join(['7'] * 2304)}\n" for row in range(3)))
    listed = table(tmp_path / "groups.csv", *lines)
    with pytest.raises(DataError, match=message) as caught:
        import_data(source, tmp_path / "out", groups=listed)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_rows_of_a_csv_are_grouped_by_number(tmp_path):
    source = tmp_path / "fer.csv"
    source.write_text("emotion,pixels\n" + "".join(f"{row},{' '.join(['7'] * 2304)}\n" for row in range(3)))
    listed = table(tmp_path / "groups.csv", ["group", "row"], ["photo 2", 1], ["photo 1", 0], ["photo 1", 2])
    assert groups_of(source, tmp_path / "out", usage=None, groups=listed) == ["photo 1", "photo 2", "photo 1"]
    with pytest.raises(UsageError, match="has no file names to tell a subject"):
        import_data(source, tmp_path / "no", groups="subject")
    with pytest.raises(DataError, match=r"gone\.csv: cannot be read"):
        import_data(source, tmp_path / "no", groups=tmp_path / "gone.csv")
    assert row_column(listed, "group", np.array([2, 1]), 3).tolist() == ["photo 1", "photo 2"]
    listed.write_text("row;light, site;group\r\n0;a, b;x\r\n1;c;y\r\n", encoding="utf-8-sig")
    assert row_column(listed, "group", np.array([1, 0]), 3).tolist() == ["y", "x"]


@pytest.fixture
def store(tmp_path):
    arrays = np.zeros((3, 48, 48), np.uint8), np.array([0, 3, 4], np.uint8), np.zeros(3, np.uint8)
    groups = np.array(["b", "a", "b"])
    write_store(tmp_path / "store", *arrays, source="x", source_sha256="0" * 64, groups=groups)
    return FaceStore.open(tmp_path / "store")


def test_a_store_gives_its_groups_back_and_refuses_others(store, tmp_path):
    assert store.groups.tolist() == ["b", "a", "b"]
    for groups in (np.array(["a", "b"]), np.array(["a", "", "b"]), np.array([1, 2, 3])):
        with pytest.raises(DataError, match=r"groups are .*: expected text \(3,\), none empty"):
            FaceStore(store.faces, store.labels, store.usages, StoreMeta(3, "x", ""), groups=groups)
    np.save(tmp_path / "store/groups.npy", np.array(["a"]))
    with pytest.raises(DataError, match="damaged data set"):
        FaceStore.open(tmp_path / "store")


def test_cleaning_and_exports_keep_groups(store, tmp_path):
    write_clean(store, [Removal(1, "copies", "made up")], tmp_path / "clean")
    assert FaceStore.open(tmp_path / "clean").groups.tolist() == ["b", "b"]
    export_data(store, tmp_path / "a.npz", "npz")
    assert np.load(tmp_path / "a.npz")["groups"].tolist() == ["b", "a", "b"]
    export_data(store, tmp_path / "faces", "imagefolder")
    lines = list(csv.DictReader((tmp_path / "faces/train/metadata.csv").open()))
    assert [line["group"] for line in lines] == ["b", "a", "b"]
    pandas = pytest.importorskip("pandas")
    export_data(store, tmp_path / "a.parquet", "parquet")
    assert pandas.read_parquet(tmp_path / "a.parquet")["group"].tolist() == ["b", "a", "b"]
    assert export_data(store, tmp_path / "a.csv", "csv").notes == (
        "groups stay behind: csv has no room for them, but npz, parquet, imagefolder have",
    )


def test_the_command_says_how_many_groups_there_are(tmp_path):
    ck = pictures(tmp_path / "ck", CK)
    done = CliRunner().invoke(app, ["data", "import", str(ck), str(tmp_path / "out"), "--usage", "Training"])
    assert "4 rows of ck in 2 groups" in done.output
    info = CliRunner().invoke(app, ["data", "info", str(tmp_path / "out"), "--json"])
    assert json.loads(info.stdout)["groups"] == 2
