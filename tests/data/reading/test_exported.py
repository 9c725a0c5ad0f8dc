"""Every export comes back: faces, labels, usages, votes, groups and order; files that are none are refused."""

import json
import re

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from mien.choices import EXPORT_FORMATS
from mien.data.columns import VOTE_COLUMNS
from mien.data.export import export_data
from mien.data.reading.class_maps import class_map
from mien.data.reading.importing import ferplus_beside, import_data
from mien.data.reading.pictures import FaceKind
from mien.data.store import FaceStore, StoreMeta
from mien.errors import DataError, MienError, UsageError
from mien.labels import EMOTIONS, VOTE_CLASSES

KEEPS_ALL = ("npz", "parquet", "imagefolder")


def arrays(rows=24):
    random = np.random.default_rng(4)
    faces, labels = random.integers(0, 256, (rows, 48, 48), np.uint8), random.integers(0, 7, rows).astype(np.uint8)
    return faces, labels, np.arange(rows).astype(np.uint8) % 3


@pytest.fixture(scope="module")
def store():
    votes = np.random.default_rng(1).multinomial(10, np.full(10, 0.1), 24).astype(np.uint8)
    groups = np.array([f"person {row % 5}" for row in range(24)])
    return FaceStore(*arrays(), StoreMeta(24, "made up", "0" * 64), votes, groups)


@pytest.mark.parametrize("name", [name for name in EXPORT_FORMATS if name != "folders"])
def test_every_export_comes_back_in_its_order(name, store, tmp_path):
    """Folders of classes, which come back in the order of their paths: tests/data/test_export.py."""
    path = tmp_path / f"out.{name}"
    export_data(store, path, name)
    again = import_data(path, tmp_path / "again")
    training, others = store.rows_of("Training"), np.flatnonzero(store.usages)
    rows = {"numbered": training, "train_val": np.r_[training, others]}.get(name, np.arange(24))
    usages = np.minimum(store.usages, 1) if name == "train_val" else store.usages
    np.testing.assert_array_equal(again.faces, store.faces[rows])
    np.testing.assert_array_equal(again.labels, store.labels[rows])
    np.testing.assert_array_equal(again.usages, usages[rows])
    if name in KEEPS_ALL:
        np.testing.assert_array_equal(again.votes, store.votes)
        np.testing.assert_array_equal(again.groups, store.groups)
    else:
        assert (again.votes, again.groups) == (None, None)


@pytest.mark.parametrize("name", ["npz", "parquet"])
def test_classes_that_are_called_by_numbers_stay_as_they_are(name, tmp_path):
    """AffectNet's 0 is neutral, FER2013's angry."""
    faces, labels, usages = arrays()
    classes = tuple("0123456")
    store = FaceStore(faces, labels, usages, StoreMeta(24, "made up", "0" * 64, classes=classes))
    export_data(store, tmp_path / f"out.{name}", name)
    again = import_data(tmp_path / f"out.{name}", tmp_path / "again")
    assert again.meta.classes == classes
    np.testing.assert_array_equal(again.labels, labels)


@pytest.mark.parametrize("name", KEEPS_ALL)
def test_groups_can_be_left_out_and_named_anew(name, store, tmp_path):
    path = tmp_path / f"out.{name}"
    export_data(store, path, name)
    assert import_data(path, tmp_path / "none", groups="none").groups is None
    if name != "imagefolder":
        (tmp_path / "g.csv").write_text("row,group\n" + "".join(f"{row},g{row // 2}\n" for row in range(24)))
        again = import_data(path, tmp_path / "new", groups=tmp_path / "g.csv")
        assert again.groups.tolist() == [f"g{row // 2}" for row in range(24)]


def test_folders_of_numbered_pictures_come_back_without_their_csvs(store, tmp_path):
    """What the report's own programs went on from: JPEG files and image_emotion.csv."""
    export_data(store, tmp_path / "out", "numbered")
    (tmp_path / "out" / "pixels.csv").unlink()
    again = import_data(tmp_path / "out", tmp_path / "again")
    training = store.rows_of("Training")
    assert again.labels.tolist() == store.labels[training].tolist()
    decoded = [np.asarray(Image.open(tmp_path / f"out/train_set/{number}.jpg")) for number in range(len(training))]
    np.testing.assert_array_equal(again.faces, decoded)


def test_the_course_toolkits_folders_are_as_it_made_them(store, tmp_path):
    export_data(store, tmp_path / "out", "train_val", encoding="jpg")
    lines = (tmp_path / "out" / "val.csv").read_text().splitlines()
    others = np.flatnonzero(store.usages)
    assert lines[0] == "emotion,pixels"
    assert len(lines) - 1 == len(others)
    row = others[3]
    assert lines[4] == f"{store.labels[row]},{' '.join(map(str, store.faces[row].ravel()))}"
    picture = tmp_path / "out" / "val" / str(store.labels[row]) / "00003.jpg"
    Image.fromarray(store.faces[row]).save(tmp_path / "same.jpg", quality=95)
    assert picture.read_bytes() == (tmp_path / "same.jpg").read_bytes()
    for name in ("train.csv", "val.csv"):
        (tmp_path / "out" / name).unlink()
    pictures = import_data(tmp_path / "out", tmp_path / "again")
    assert np.bincount(pictures.usages).tolist() == [len(store.rows_of("Training")), len(others)]


def test_a_usage_in_val_csv_is_believed(tmp_path, store):
    pixels = " ".join(["7"] * 2304)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "train.csv").write_text(f"emotion,pixels\n3,{pixels}\n")
    (tmp_path / "in" / "val.csv").write_text(f"emotion,pixels,Usage\n4,{pixels},PrivateTest\n")
    assert import_data(tmp_path / "in", tmp_path / "out").usages.tolist() == [0, 2]


def test_names_count_and_not_numbers(tmp_path):
    faces, labels, usages = arrays(7)
    order = EMOTIONS[::-1]
    np.savez(
        tmp_path / "a.npz", faces=faces, labels=6 - labels, usages=2 - usages.astype(int), label_names=order,
        usage_names=["PrivateTest", "PublicTest", "Training"],
    )  # fmt: skip
    again = import_data(tmp_path / "a.npz", tmp_path / "again")
    assert again.labels.tolist() == labels.tolist()
    assert again.usages.tolist() == usages.tolist()


def test_what_other_tools_write_otherwise_is_understood(tmp_path):
    faces, labels, _ = arrays(4)
    np.savez(
        tmp_path / "a.npz", faces=faces[..., None], labels=labels % 2, usages=[0, 1, 1, 0],
        label_names=np.array([b"ja", b"nein"]), usage_names=["training", "PUBLICTEST"],
    )  # fmt: skip
    again = import_data(tmp_path / "a.npz", tmp_path / "again")
    assert (again.classes, again.usages.tolist()) == (("ja", "nein"), [0, 1, 1, 0])
    np.testing.assert_array_equal(again.faces, faces)


def test_whole_numbers_that_became_floats_are_the_classes_that_they_were(tmp_path):
    """As pandas writes a column that had an empty cell."""
    held = import_data(table(tmp_path, emotion=[3.0, 4.0], group=[1.0, 2.0]), tmp_path / "parquet")
    assert [held.class_of(row) for row in range(2)] == ["happy", "sad"]
    assert held.groups.tolist() == ["1", "2"]
    numbered = npz(tmp_path, label_names=np.arange(7.0), groups=np.array([1.0, 2.0, 2.0]))
    held = import_data(numbered, tmp_path / "npz", classes="fer2013")
    assert held.labels.tolist() == arrays(3)[1].tolist()
    assert held.groups.tolist() == ["1", "2", "2"]


def test_metadata_of_other_tools_may_be_any_bytes(tmp_path):
    path = table(tmp_path)
    parquet.write_table(parquet.read_table(path).replace_schema_metadata({b"\xff": b"\xfe"}), path)
    assert len(import_data(path, tmp_path / "out")) == 2


def npz(folder, **changes):
    faces, labels, usages = arrays(3)
    named = {"label_names": list(EMOTIONS), "usage_names": ["Training", "PublicTest", "PrivateTest"]}
    held = {"faces": faces, "labels": labels, "usages": usages} | named | changes
    np.savez(folder / "bad.npz", **{name: array for name, array in held.items() if array is not None})
    return folder / "bad.npz"


def table(folder, **changes):
    faces, _, _ = arrays(2)
    columns = {
        "usage": ["Training"] * 2,
        "emotion": ["happy", "sad"],
        "pixels": faces.reshape(2, -1).tolist(),
    } | changes
    parquet.write_table(
        pa.table({name: column for name, column in columns.items() if column is not None}), folder / "bad.parquet"
    )
    return folder / "bad.parquet"


def labelled(folder, *labels):
    """A table that states its classes: two rows of emotions happy (3) and sad, with these labels."""
    path = table(folder, label=list(labels))
    read = parquet.read_table(path)
    parquet.write_table(read.replace_schema_metadata({"classes": json.dumps(EMOTIONS)}), path)
    return path


def test_a_row_may_have_no_label(tmp_path):
    assert import_data(labelled(tmp_path, None, 4), tmp_path / "store").labels.tolist() == [3, 4]


def text(name, words, other=None):
    def write(folder):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(words)
        if other:
            (folder / other[0]).write_text(other[1])
        return folder / (name if other is None else name.split("/")[0])

    return write


GREY = " ".join(["1"] * 2304)


def twice(folder, column):
    """A table that has a column twice."""
    path = folder / "twice.parquet"
    columns = {"usage": ["Training"], "emotion": ["happy"], "pixels": [[3] * 2304], column: ["Training"]}
    names = [*columns, column]
    parquet.write_table(pa.Table.from_arrays([pa.array(columns[name]) for name in names], names), path)
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (text("bad.npz", "no archive"), "not a whole archive of arrays"),
        (lambda folder: npz(folder, usages=None), "no array usages"),
        (lambda folder: npz(folder, faces=arrays(3)[0][:2]), "for 3 labels: expected 48x48 grey levels"),
        (lambda folder: npz(folder, labels=np.array([0, 1, 9])), "row 2 has label 9: expected 0..6"),
        (lambda folder: npz(folder, label_names=["a", "A"]), "class names 'a' and 'A' are the same"),
        (lambda folder: npz(folder, usage_names=["train"]), "unknown usage 'train'"),
        (lambda folder: npz(folder, votes=np.full((3, 10), 12), vote_names=VOTE_CLASSES), "no whole numbers 0..10"),
        (lambda folder: npz(folder, votes=np.zeros((3, 9), int)), "expected one for each row and each of angry"),
        (
            lambda folder: npz(folder, faces=np.array([{}] * 3, object)),
            "array faces is damaged or holds Python objects",
        ),
        (text("bad.parquet", "PAR1 and no more"), "cannot be read, truncated or damaged"),
        (lambda folder: table(folder, emotion=None), "not one column emotion"),
        (
            lambda folder: labelled(folder, 3, 3),
            "row 1 has label 3 (happy) and emotion 'sad': expected one class; mend",
        ),
        (lambda folder: labelled(folder, "3", "4"), "row 0 has label '3': expected a whole number"),
        (lambda folder: twice(folder, "label"), "2 columns label: expected one at most"),
        (lambda folder: twice(folder, "usage"), "not one column usage"),
        (lambda folder: table(folder, usage=["Training", "test"]), "unknown usage 'test'"),
        (lambda folder: table(folder, usage=["Training", None]), "some rows have no usage: expected text in each"),
        (
            lambda folder: npz(folder, faces=arrays(3)[0] / 255),
            "float64: expected uint8, 0..255; convert them",
        ),
        (lambda folder: table(folder, pixels=[[300] * 2304] * 2), "grey levels lie in 300..300"),
        (
            lambda folder: npz(folder, groups=np.array(["a", "", "b"])),
            "some rows have no groups: expected text in each",
        ),
        (lambda folder: npz(folder, groups=np.array([1.0, np.nan, 2.0])), "some rows have no groups: expected text"),
        (lambda folder: npz(folder, groups=np.array(["a", "b" * 101, "b"])), "bbb'...: expected at most 100 char"),
        (lambda folder: table(folder, group=["anna", "b" * 101]), "bbb'...: expected at most 100 characters"),
        (lambda folder: table(folder, emotion=["happy", None]), "some rows have no emotion: expected text in each"),
        (lambda folder: table(folder, group=["anna", None]), "some rows have no group: expected text in each"),
        (lambda folder: table(folder, usage=[], emotion=[], pixels=[]), "no rows; export the data again"),
        (lambda folder: table(folder, pixels=[[3] * 2304, [3] * 2303]), "not as many numbers in each row; export"),
        (lambda folder: table(folder, **{name: [3, None] for name in VOTE_COLUMNS}), "not as many numbers in each row"),
        (text("in/emotion.csv", "3\n4\n", ("in/pixels.csv", GREY + "\n")), "row 1 (line 2): 0 pixels"),
        (text("in/emotion.csv", "9\n", ("in/pixels.csv", GREY + "\n")), "emotion is '9'"),
        (text("in/train_set/image_emotion.csv", "0.jpg,3\n", ("in/x", "")), "names '0.jpg': no such file"),
        (text("in/train/metadata.csv", "file_name,emotion,votes_angry\nx,y,3\n", ("in/train/x", "")), "expected 0..10"),
    ],
)
def test_damaged_exports_get_one_line_that_names_the_file(make, words, tmp_path):
    path = make(tmp_path)
    with pytest.raises(MienError, match=re.escape(words)) as caught:
        import_data(path, tmp_path / "out")
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: npz(folder, label_names=["ja", "nein", *"abcde"]),
        lambda folder: table(folder, emotion=["ja", "nein"]),
    ],
)
def test_errors_of_tables_advise_what_tables_take(make, tmp_path):
    source = make(tmp_path)
    with pytest.raises(DataError, match=r"unknown classes .*; rename them in the file, or .* --classes keep$"):
        import_data(source, tmp_path / "out", classes="fer2013")
    with pytest.raises(UsageError, match=r"a map of names.* rename the classes in the file"):
        import_data(source, tmp_path / "out", names=class_map(["ja=happy"]))


def test_an_export_takes_no_votes_from_a_file_beside_it(tmp_path, store):
    export_data(store, tmp_path / "a.npz", "npz")
    (tmp_path / "fer2013new.csv").write_text("x")
    assert ferplus_beside(tmp_path / "a.npz") is None
    with pytest.raises(MienError, match="for folders of pictures: leave them out"):
        import_data(tmp_path / "a.npz", tmp_path / "out", usage="Training")


@pytest.mark.parametrize("name", KEEPS_ALL)
def test_classes_colours_files_and_terms_come_back(name, tmp_path):
    """Of an image folder side and colour are given again, and terms stay behind, as the guide says."""
    random = np.random.default_rng(3)
    classes = ("开心", "calm", "other")
    faces, usages = random.integers(0, 256, (12, 20, 20, 3), np.uint8), np.arange(12).astype(np.uint8) % 2
    labels, groups = (
        random.permutation(np.arange(12) % 3).astype(np.uint8),
        np.array([f"p{row % 4}" for row in range(12)]),
    )
    files = np.array([f"photos/{row}.jpg" for row in range(12)])
    meta = StoreMeta(12, "mine", "0" * 64, classes=classes, terms="ours alone")
    path = tmp_path / f"out.{name}"
    export_data(FaceStore(faces, labels, usages, meta, None, groups, files), path, name)
    kind = {"kind": FaceKind(side=20, channels=3)} if name == "imagefolder" else {}
    again = import_data(path, tmp_path / "again", **kind)
    np.testing.assert_array_equal(again.faces, faces)
    assert [again.class_of(row) for row in range(12)] == [classes[label] for label in labels]
    assert (again.groups.tolist(), again.files.tolist()) == (groups.tolist(), files.tolist())
    assert again.usages.tolist() == usages.tolist()
    assert again.meta.terms == ("" if name == "imagefolder" else "ours alone")
