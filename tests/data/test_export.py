import csv
import io
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mien.choices import USAGES
from mien.data.export import FORMATS, export_data
from mien.data.export_reports import numbered_parts
from mien.data.reading.importing import import_data, sha256_of_file
from mien.data.reading.split_folders import FOLDER_OF_USAGE, USAGE_OF_FOLDER
from mien.data.store import FaceStore, StoreMeta
from mien.errors import DataError, UsageError
from mien.labels import EMOTIONS, VOTE_CLASSES


def made_up(labels, usages, *, votes=False, seed=0):
    random, rows = np.random.default_rng(seed), len(labels)
    return FaceStore(
        random.integers(0, 256, (rows, 48, 48), np.uint8),
        np.array(labels, np.uint8),
        np.array(usages, np.uint8),
        StoreMeta(rows, "made up", "0" * 64),
        random.integers(0, 11, (rows, 10), np.uint8) if votes else None,
    )


@pytest.fixture
def store():
    return made_up([6, 0, 3, 1, 3, 5], [0, 2, 1, 0, 0, 2], votes=True)


def decoded(path):
    return np.asarray(Image.open(path))


def lines_of(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


def contents(store):
    """Usage, label and pixels of every row, in an order that does not depend on the store's."""
    return sorted(
        (int(usage), int(label), face.tobytes())
        for usage, label, face in zip(store.usages, store.labels, store.faces, strict=True)
    )


def test_folders_are_named_by_usage_emotion_and_row(tmp_path, store):
    export_data(store, tmp_path / "out", "folders")
    files = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
    assert files == {
        *("train/neutral/00000.png", "test/angry/00001.png", "validation/happy/00002.png"),
        *("train/disgust/00003.png", "train/happy/00004.png", "test/surprise/00005.png"),
    }
    np.testing.assert_array_equal(decoded(tmp_path / "out/train/disgust/00003.png"), store.faces[3])


def test_folders_may_be_numbered_and_hold_jpeg_as_pillow_writes_it(tmp_path, store):
    export_data(store, tmp_path / "out", "folders", encoding="jpg", numbers=True)
    buffer = io.BytesIO()
    Image.fromarray(store.faces[0]).save(buffer, "JPEG", quality=95)
    assert (tmp_path / "out/train/6/00000.jpg").read_bytes() == buffer.getvalue()


def test_numbered_folders_say_what_numbers_mean_where_they_are_not_fer2013s(tmp_path):
    own = made_up([1, 0], [0, 0])
    own = replace(own, meta=replace(own.meta, format=2, classes=("calm", "tense")))
    notes = export_data(own, tmp_path / "out", "folders", numbers=True).notes
    assert notes == ("names of classes stay behind: 0 calm, 1 tense",)


rows_of_stores = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2)), min_size=1, max_size=8)


@settings(max_examples=15)
@given(rows_of_stores, st.integers(0, 2**32), st.booleans())
def test_folders_of_png_import_to_the_same_rows(tmp_path_factory, rows, seed, numbers):
    folder = tmp_path_factory.mktemp("folders")
    store = made_up(*zip(*rows, strict=True), seed=seed)
    export_data(store, folder / "out", "folders", numbers=numbers)
    assert contents(import_data(folder / "out", folder / "again")) == contents(store)


@settings(max_examples=15)
@given(rows_of_stores, st.integers(0, 2**32))
def test_a_csv_imports_to_the_same_rows_in_order(tmp_path_factory, rows, seed):
    folder = tmp_path_factory.mktemp("csv")
    store = made_up(*zip(*rows, strict=True), seed=seed)
    export_data(store, folder / "out.csv", "csv")
    again = import_data(folder / "out.csv", folder / "again")
    for name in ("faces", "labels", "usages"):
        np.testing.assert_array_equal(getattr(again, name), getattr(store, name))


def test_csv_is_the_imported_file_byte_for_byte(tmp_path):
    pixels = [" ".join(map(str, (np.arange(2304) * step % 256).tolist())) for step in (1, 7, 0)]
    rows = zip((0, 6, 3), pixels, ("Training", "PublicTest", "PrivateTest"), strict=True)
    original = "emotion,pixels,Usage\n" + "".join(f"{label},{text},{usage}\n" for label, text, usage in rows)
    (tmp_path / "fer2013.csv").write_text(original)
    export_data(import_data(tmp_path / "fer2013.csv", tmp_path / "store"), tmp_path / "out.csv", "csv")
    assert (tmp_path / "out.csv").read_text() == original


@pytest.mark.slow  # a small csv of the same layout does, above
def test_fer2013_goes_in_and_out_unchanged(fer2013, tmp_path):
    export_data(fer2013, tmp_path / "out.csv", "csv")
    assert sha256_of_file(tmp_path / "out.csv") == sha256_of_file(Path(os.environ["MIEN_FER2013"]))


def test_npz_holds_the_arrays_and_what_they_mean(tmp_path, store):
    export_data(store, tmp_path / "out.npz", "npz")
    with np.load(tmp_path / "out.npz", allow_pickle=False) as arrays:
        for name in ("faces", "labels", "usages", "votes"):
            np.testing.assert_array_equal(arrays[name], getattr(store, name))
        assert tuple(arrays["label_names"]) == EMOTIONS
        assert tuple(arrays["usage_names"]) == USAGES
        assert tuple(arrays["vote_names"]) == VOTE_CLASSES


@pytest.mark.parametrize("votes", [True, False])
def test_parquet_has_one_line_per_face(tmp_path, votes):
    labels, usages = np.arange(1500) % 7, np.arange(1500) % 3
    store = made_up(labels, usages, votes=votes)
    export_data(store, tmp_path / "out.parquet", "parquet")
    table = pq.read_table(tmp_path / "out.parquet")
    frame = table.to_pandas()
    np.testing.assert_array_equal(np.stack(frame["pixels"]).reshape(-1, 48, 48), store.faces)
    assert frame["row"].tolist() == list(range(1500))
    assert frame["label"].tolist() == labels.tolist()
    assert frame["emotion"].tolist() == [EMOTIONS[label] for label in labels]
    assert frame["usage"].tolist() == [USAGES[usage] for usage in usages]
    named = [name for name in frame if name.startswith("votes_")]
    assert named == ([f"votes_{name}" for name in VOTE_CLASSES] if votes else [])
    if votes:
        np.testing.assert_array_equal(frame[named].to_numpy(), store.votes)
    assert table.schema.metadata[b"source"] == b"made up"


def test_imagefolder_describes_its_pictures(tmp_path, store):
    export_data(store, tmp_path / "out", "imagefolder")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["test", "train", "validation"]
    header, *lines = lines_of(tmp_path / "out/train/metadata.csv")
    assert header == ["file_name", "row", "usage", "label", "emotion", *(f"votes_{name}" for name in VOTE_CLASSES)]
    assert [line[:5] for line in lines] == [
        ["00000.png", "0", "Training", "6", "neutral"],
        ["00003.png", "3", "Training", "1", "disgust"],
        ["00004.png", "4", "Training", "3", "happy"],
    ]
    assert [list(map(int, line[5:])) for line in lines] == store.votes[[0, 3, 4]].tolist()
    for name, row in (("test/00005.png", 5), ("validation/00002.png", 2)):
        np.testing.assert_array_equal(decoded(tmp_path / "out" / name), store.faces[row])


def test_numbered_numbers_training_faces(tmp_path, store):
    done = export_data(store, tmp_path / "out", "numbered")
    training = [0, 3, 4]
    assert np.loadtxt(tmp_path / "out/emotion.csv", int).tolist() == [6, 1, 3]
    pixels = np.loadtxt(tmp_path / "out/pixels.csv", np.uint8)
    np.testing.assert_array_equal(pixels.reshape(-1, 48, 48), store.faces[training])
    expected = [["0.jpg", "6"], ["1.jpg", "1"], ["2.jpg", "3"]]
    assert lines_of(tmp_path / "out/train_set/image_emotion.csv") == expected
    assert lines_of(tmp_path / "out/verify_set/image_emotion.csv") == []
    for number, row in enumerate(training):
        buffer = io.BytesIO()
        Image.fromarray(store.faces[row]).save(buffer, "JPEG", quality=95)
        assert (tmp_path / f"out/train_set/{number}.jpg").read_bytes() == buffer.getvalue()
    assert done.rows == 3
    words = ["1 PublicTest rows stay behind", "2 PrivateTest rows stay behind", "votes stay behind"]
    assert all(word in note for word, note in zip(words, done.notes, strict=True))


def test_numbered_parts_are_those_of_the_report():
    assert {name: len(part) for name, part in numbered_parts(28_709).items()} == {
        "train_set": 24_000,
        "verify_set": 4_709,
    }
    assert numbered_parts(24_001)["verify_set"] == range(24_000, 24_001)


def test_what_has_no_room_is_said(tmp_path, store):
    notes = {name: export_data(store, tmp_path / name, name).notes for name in FORMATS if name != "numbered"}
    assert {name for name, said in notes.items() if said} == {"folders", "csv", "train_val"}
    assert export_data(made_up([0], [0]), tmp_path / "other", "csv").notes == ()


def test_progress_ends_at_one(tmp_path, store):
    for name in FORMATS:
        seen = []
        export_data(store, tmp_path / name, name, seen.append)
        assert seen == sorted(seen)
        assert seen[-1] == 1.0


@pytest.mark.parametrize(
    ("format", "options", "words"),
    [
        ("folder", {}, r"unknown format 'folder' \(did you mean 'folders'\?\): expected one of folders, numbered"),
        ("folders", {"encoding": "gif"}, "unknown encoding 'gif' of pictures: expected one of png, jpg"),
        ("numbered", {"encoding": "png"}, "numbered has no use for an encoding"),
        ("imagefolder", {"numbers": True}, "imagefolder has no use for numbers"),
    ],
)
def test_wrong_use_is_refused_before_anything_is_written(tmp_path, store, format, options, words):
    with pytest.raises(UsageError, match=words):
        export_data(store, tmp_path / "out", format, **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("format", FORMATS)
def test_what_exists_is_kept_and_a_failure_leaves_nothing(tmp_path, store, format):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(DataError, match="out: exists already"):
        export_data(store, tmp_path / "out", format)
    with pytest.raises(DataError, match="cannot be written"):
        export_data(store, tmp_path / "out" / "below a file", format)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out").read_text() == "mine"


def test_a_format_without_any_row_is_refused(tmp_path):
    with pytest.raises(DataError, match="no Training row to write as numbered"):
        export_data(made_up([0], [1]), tmp_path / "out", "numbered")


def test_folder_names_mean_the_usages_they_are_written_for():
    assert {USAGE_OF_FOLDER[folder]: folder for folder in FOLDER_OF_USAGE.values()} == FOLDER_OF_USAGE
    assert tuple(FOLDER_OF_USAGE) == USAGES
