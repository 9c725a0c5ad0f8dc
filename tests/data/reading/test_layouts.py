"""Tiny trees in the layouts that publishers describe; none of the sets themselves is at hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mien.choices import CLASS_MAPS, FOLDER_LAYOUTS, USAGES
from mien.data.export import export_data
from mien.data.reading.class_maps import TERMS, class_map, terms_of
from mien.data.reading.importing import import_data
from mien.data.reading.layouts import LAYOUTS, find_pictures
from mien.data.store import FaceStore, StoreMeta
from mien.errors import DataError, UsageError
from mien.labels import EMOTIONS, FERPLUS_EMOTIONS

RAF_DB = ["surprise", "fear", "disgust", "happy", "sad", "angry", "neutral"]
RAF_LIST = "EmoLabel/list_patition_label.txt"


def random_face(seed, shape=(48, 48)):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def labels_of(store):
    return [EMOTIONS[label] for label in store.labels]


def usages_of(store):
    return [USAGES[usage] for usage in store.usages]


@pytest.fixture
def raf_db(tmp_path):
    """RAF-DB's seven classes, one picture of 100x100 each, the last two for testing."""
    names = [f"{'train' if number < 6 else 'test'}_{number:05d}" for number in range(1, 8)]
    write(tmp_path / "raf" / RAF_LIST, "".join(f"{name}.jpg {label}\n" for label, name in enumerate(names, start=1)))
    for number, name in enumerate(names):
        level = np.full((100, 100, 3), 30 * number, np.uint8)
        save(tmp_path / "raf" / "Image" / "aligned" / f"{name}_aligned.jpg", level)
    return tmp_path / "raf"


@pytest.fixture
def expw(tmp_path):
    """Two faces in one picture and one in another, their boxes as top, left, right, bottom."""
    first, second = random_face(1, (60, 120)), random_face(2, (48, 48))
    save(tmp_path / "expw" / "image" / "origin" / "a_b.png", first)
    save(tmp_path / "expw" / "image" / "origin" / "c.png", second)
    lines = ["a_b.png 0 5 60 108 53 61.5 3", "a_b.png 1 -9 -4 48 48 20.1 0", "c.png 0 0 0 48 48 99 6"]
    write(tmp_path / "expw" / "label" / "label.lst", "\n".join(lines) + "\n")
    return tmp_path / "expw", first, second


def test_ck48_is_a_folder_per_class_whose_usage_is_asked_for(tmp_path):
    for name in ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise"):
        save(tmp_path / "CK+48" / name / "S010_004_00000017.png", random_face(len(name)))
    with pytest.raises(UsageError, match="layout classes says no usage of its pictures: add --usage, one of Training"):
        import_data(tmp_path / "CK+48", tmp_path / "store")
    eight = import_data(tmp_path / "CK+48", tmp_path / "eight", usage="Training")
    assert (eight.classes, eight.labels.tolist()) == (FERPLUS_EMOTIONS, [0, 7, 1, 2, 3, 4, 5])
    told = []
    names = class_map(["ck+48"])
    store = import_data(tmp_path / "CK+48", tmp_path / "store", usage="Training", names=names, tell=told.append)
    assert labels_of(store) == ["angry", "disgust", "fear", "happy", "sad", "surprise"]
    assert usages_of(store) == ["Training"] * 6
    np.testing.assert_array_equal(store.faces[3], random_face(len("happy")))
    (found,) = told
    assert found.layout == "classes"
    assert found.counts()["contempt"] == (None, 1)
    assert found.counts()["anger"] == ("angry", 1)


def test_raf_db_as_published(tmp_path, raf_db):
    store = import_data(raf_db, tmp_path / "store")
    assert labels_of(store) == RAF_DB
    assert usages_of(store) == ["Training"] * 5 + ["PrivateTest"] * 2
    assert [round(float(face.mean()) / 30) for face in store.faces] == list(range(7))


@pytest.mark.parametrize("place", ["basic/EmoLabel", "."])
def test_raf_db_may_lie_deeper_or_its_list_higher(tmp_path, raf_db, place):
    (raf_db / RAF_LIST).rename(raf_db / "list_patition_label.txt")
    (raf_db / "EmoLabel").rmdir()
    if place != ".":
        raf_db.rename(tmp_path / "basic")
        raf_db.mkdir()
        (tmp_path / "basic").rename(raf_db / "basic")
        (raf_db / place).mkdir()
        (raf_db / "basic" / "list_patition_label.txt").rename(raf_db / place / "list_patition_label.txt")
    assert labels_of(import_data(raf_db, tmp_path / "store")) == RAF_DB


def test_raf_db_sorted_into_folders_needs_its_map(tmp_path):
    for number in range(1, 8):
        save(tmp_path / "set" / "train" / str(number) / "a.png", random_face(number))
    with pytest.raises(DataError, match="unknown classes '7': expected angry"):
        import_data(tmp_path / "set", tmp_path / "store")
    assert labels_of(import_data(tmp_path / "set", tmp_path / "store", names=class_map(["raf-db"]))) == RAF_DB


def test_affectnet_numbers_mean_its_own_classes(tmp_path):
    for number in range(8):
        save(tmp_path / "AffectNet" / "val" / str(number) / "1.png", random_face(number))
        save(tmp_path / "AffectNet" / "train" / str(number) / "1.png", random_face(number))
    store = import_data(tmp_path / "AffectNet", tmp_path / "store", names=class_map(["affectnet"]))
    expected = ["neutral", "happy", "sad", "surprise", "fear", "disgust", "angry"]
    assert labels_of(store) == expected * 2
    assert usages_of(store) == ["Training"] * 7 + ["PublicTest"] * 7


def test_jaffe_has_its_classes_in_the_names(tmp_path):
    codes = ["AN", "DI", "FE", "HA", "NE", "SA", "SU"]
    for number, code in enumerate(codes):
        save(tmp_path / "jaffe" / f"KA.{code}1.{39 + number}.tiff", np.full((256, 256), 20 * number, np.uint8))
    write(tmp_path / "jaffe" / "README", "about")
    store = import_data(tmp_path / "jaffe", tmp_path / "store", usage="PrivateTest")
    assert labels_of(store) == ["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"]
    assert store.faces[:, 0, 0].tolist() == [20 * number for number in range(7)]
    save(tmp_path / "jaffe" / "KA.XX1.50.tiff", random_face(0))
    with pytest.raises(DataError, match="jaffe: unknown classes 'XX'"):
        import_data(tmp_path / "jaffe", tmp_path / "other", usage="PrivateTest")
    save(tmp_path / "jaffe" / "group.png", random_face(0))
    with pytest.raises(DataError, match=r"'group\.png' in it: expected pictures named as KA\.AN1\.39\.tiff"):
        import_data(tmp_path / "jaffe", tmp_path / "other", usage="PrivateTest")


def test_expw_faces_are_cut_out_by_their_boxes(tmp_path, expw):
    folder, first, second = expw
    store = import_data(folder, tmp_path / "store", usage="Training")
    assert labels_of(store) == ["happy", "angry", "neutral"]
    expected = [first[5:53, 60:108], first[:48, :48], second]
    np.testing.assert_array_equal(store.faces, expected)


rows_of_stores = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2)), min_size=1, max_size=8)


@settings(max_examples=15)
@given(rows_of_stores, st.integers(0, 2**32))
def test_an_imagefolder_imports_to_the_rows_it_was_made_of(tmp_path_factory, rows, seed):
    folder = tmp_path_factory.mktemp("imagefolder")
    labels, usages = np.array(rows, np.uint8).T.copy()
    faces = random_face(seed, (len(rows), 48, 48))
    export_data(FaceStore(faces, labels, usages, StoreMeta(len(rows), "x", "0" * 64)), folder / "out", "imagefolder")
    again = import_data(folder / "out", folder / "again")
    for name, values in (("faces", faces), ("labels", labels), ("usages", usages)):
        np.testing.assert_array_equal(getattr(again, name), values)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("train_00001.jpg", "line 8 has 1 words: expected 2"),
        ("face_1.jpg 3", "line 8 names 'face_1.jpg': expected train_<number>.jpg or test_"),
        ("train_9.jpg 3", r"line 8 names 'train_9_aligned\.jpg': no such file in .*aligned"),
        ("train_/../../x.jpg 3", "line 8 names .* no such file"),
        ("train_00001.jpg 3", r"line 8 names .*train_00001_aligned\.jpg' again, as line 1"),
    ],
)
def test_a_wrong_line_of_raf_db_is_named(tmp_path, raf_db, line, words):
    with (raf_db / RAF_LIST).open("a") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match=words):
        import_data(raf_db, tmp_path / "store")
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("c.png 0 0 0 48 x 99 6", "line 4 has the box '0 0 48 x': expected top, left, right and bottom"),
        ("c.png 0 0 60 70 48 99 6", r"c\.png: nothing of the picture, 48x48, lies in the face's box, 60\.\.70 across"),
        ("c.png 0 20 0 48 10 99 6", "nothing of the picture"),
        ("c.png 0 0 0 48 48 99 7", "unknown classes '7'"),
        ("c.png 0 0 0 48 48 6", "line 4 has 7 words: expected 8"),
        ("../c.png 0 0 0 48 48 9 6", "line 4 names '../c.png': no such file"),
    ],
)
def test_a_wrong_line_of_expw_is_named(tmp_path, expw, line, words):
    with (expw[0] / "label" / "label.lst").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match=words):
        import_data(expw[0], tmp_path / "store", usage="Training")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file_name,label\na.png,3\n", "line 2 lacks file_name or emotion"),
        ("file_name,emotion\na.png\n", "line 2 lacks file_name or emotion"),
        ("file_name,emotion\nb.png,happy\n", r"metadata\.csv: line 2 names 'b\.png': no such file"),
        ("file_name,emotion\na.png,joy\n", r"1 class \(joy\): expected 2..100"),
        ("file_name,emotion\n", "no pictures to read"),
        ("\udcff", "not a csv in UTF-8"),
        ("file_name,emotion,group\na.png,happy,Doe, Jo\n", "line 2 has more cells than the header: .* in quotes"),
        ("file_name,emotion\n\na.png,happy\na.png,sad\n", r"line 4 names 'a\.png' again, as line 3"),
        ("file_name,emotion,emotion\na.png,happy,sad\n", "the column emotion stands there twice"),
        ("file_name,emotion,group\na.png,happy," + "g" * 101 + "\n", "line 2 has group 'g.*at most 100 characters"),
        ("file_name,emotion\na.png," + "x" * 140_000 + "\n", r"metadata\.csv: not a csv after line \d \(field larger"),
    ],
)
def test_a_wrong_metadata_file_is_named(tmp_path, text, words):
    save(tmp_path / "set" / "train" / "a.png", random_face(0))
    (tmp_path / "set" / "train" / "metadata.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=words):
        import_data(tmp_path / "set", tmp_path / "store")


def test_a_metadata_file_may_have_what_spreadsheets_write(tmp_path):
    for name in ("a.png", "b.png"):
        save(tmp_path / "set" / "train" / name, random_face(0))
    text = "\ufefffile_name;emotion;;\r\na.png; happy ;;\r\n\r\nb.png;sad\r\n"
    (tmp_path / "set" / "train" / "metadata.csv").write_bytes(text.encode())
    store = import_data(tmp_path / "set", tmp_path / "store")
    assert [store.class_of(row) for row in range(2)] == ["happy", "sad"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a.png,3\n\na.png,4\n", r"line 3 names 'a\.png' again, as line 1"),
        ("a.png," + "x" * 140_000, r"image_emotion\.csv: not a csv \(field larger"),
        ("\n\na.png\n", "line 3 has 1 cells"),
    ],
)
def test_a_wrong_list_of_numbered_faces_is_named(tmp_path, text, words):
    save(tmp_path / "set" / "train_set" / "a.png", random_face(0))
    write(tmp_path / "set" / "train_set" / "image_emotion.csv", text)
    with pytest.raises(DataError, match=words):
        import_data(tmp_path / "set", tmp_path / "store")


def test_a_number_that_raf_db_does_not_have_is_no_class(tmp_path, raf_db):
    text = (raf_db / RAF_LIST).read_text()
    (raf_db / RAF_LIST).write_text(text.replace("00001.jpg 1", "00001.jpg 8"))
    with pytest.raises(DataError, match=r"label\.txt: unknown classes '8': expected angry, .* --map 8=skip"):
        import_data(raf_db, tmp_path / "store")


def test_the_labels_in_a_list_belong_to_the_hash(tmp_path, raf_db):
    before = import_data(raf_db, tmp_path / "before").meta.source_sha256
    text = (raf_db / RAF_LIST).read_text()
    (raf_db / RAF_LIST).write_text(text.replace("00001.jpg 1", "00001.jpg 2"))
    assert import_data(raf_db, tmp_path / "after").meta.source_sha256 != before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layout": "raf"}, r"unknown layout 'raf' \(did you mean 'raf-db'\?\): expected one of raf-db, expw"),
        ({"usage": "Training"}, "raf-db says itself which usage a picture has"),
        ({"usage": "train", "layout": "classes"}, "unknown usage 'train': expected one of Training"),
        ({"layout": "classes"}, "classes says no usage"),
    ],
)
def test_wrong_use_is_named(raf_db, options, words):
    with pytest.raises(UsageError, match=words):
        find_pictures(raf_db, **options)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_folder_of_another_layout_is_refused(tmp_path, layout):
    write(tmp_path / "notes.txt", "nothing here")
    usage = None if LAYOUTS[layout].states_usage else "Training"
    with pytest.raises(DataError):
        find_pictures(tmp_path, layout, usage=usage)
    with pytest.raises(DataError, match=r"'notes\.txt' in it: expected train\|validation\|test/<class>/"):
        find_pictures(tmp_path)
    with pytest.raises(UsageError, match="for folders of pictures: leave them out"):
        import_data(tmp_path / "notes.txt", tmp_path / "store", layout=layout)


def test_a_data_set_brings_its_owners_terms(expw, tmp_path):
    folder, *_ = expw
    assert import_data(folder, tmp_path / "a", usage="Training").meta.terms == "non-commercial research (ExpW)"
    assert import_data(folder, tmp_path / "b", usage="Training", terms="mine").meta.terms == "mine"
    assert FaceStore.open(tmp_path / "b").meta.terms == "mine"
    assert terms_of(["contempt=skip", "CK+48"]) == "non-commercial research (CK+)"
    assert terms_of(["fer2013"]) == ""
    assert set(TERMS) <= {*CLASS_MAPS, *FOLDER_LAYOUTS}
