import json

import numpy as np
import pytest

from mien.data.store import FaceStore, StoreMeta, write_store
from mien.errors import DataError
from mien.files import whole_folder


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 256, (6, 48, 48), dtype=np.uint8)
    return faces, np.array([0, 3, 3, 6, 1, 0], np.uint8), np.array([0, 0, 0, 1, 1, 0], np.uint8)


@pytest.fixture
def store_folder(tmp_path, arrays):
    write_store(tmp_path / "store", *arrays, source="a.csv", source_sha256="0" * 64)
    return tmp_path / "store"


def test_what_is_written_is_read_back(store_folder, arrays):
    store = FaceStore.open(store_folder)
    for name, array in zip(("faces", "labels", "usages"), arrays, strict=True):
        np.testing.assert_array_equal(getattr(store, name), array)
    assert store.meta == StoreMeta(6, "a.csv", "0" * 64)
    assert len(store) == 6


def test_faces_are_mapped_and_cannot_be_changed(store_folder):
    faces = FaceStore.open(str(store_folder)).faces
    assert isinstance(faces, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        faces[0, 0, 0] = 1


def test_counts_and_rows_by_usage(store_folder):
    store = FaceStore.open(store_folder)
    counts = store.counts()
    assert list(counts) == ["Training", "PublicTest"]
    assert counts["Training"] == {
        "angry": 2, "disgust": 0, "fear": 0, "happy": 2, "sad": 0, "surprise": 0, "neutral": 0,
    }  # fmt: skip
    assert store.rows_of("Training").tolist() == [0, 1, 2, 5]
    assert store.rows_of("PrivateTest").tolist() == []
    with pytest.raises(DataError, match="unknown usage 'Test'"):
        store.rows_of("Test")


@pytest.mark.parametrize("name", ["faces.npy", "labels.npy", "usages.npy"])
@pytest.mark.parametrize("damage", ["missing", "cut", "empty", "text", "pickle", "archive"])
def test_a_damaged_array_is_named(store_folder, name, damage):
    path = store_folder / name
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "pickle":
        np.save(path, np.array([{}], object), allow_pickle=True)
    elif damage == "archive":
        with path.open("wb") as file:
            np.savez(file, a=np.zeros(3))
    else:
        path.write_bytes({"cut": content[:-3], "empty": b"", "text": b"hello there, this is text"}[damage])
    with pytest.raises(
        DataError, match=rf"{name.replace('.', '[.]')}: (missing|damaged) ?.*import the data again"
    ) as caught:
        FaceStore.open(store_folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"rows": 6}', '{"rows": 6, "source": "a", "source_sha256": "b", "x": 1}', "\x00"]
)
def test_a_damaged_description_is_named(store_folder, text):
    (store_folder / "store.json").write_text(text)
    with pytest.raises(DataError, match=r"store\.json: damaged"):
        FaceStore.open(store_folder)


def test_another_format_is_refused(store_folder):
    path = store_folder / "store.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 3}))
    with pytest.raises(DataError, match=r"a data set of format 3: expected 1 or 2"):
        FaceStore.open(store_folder)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("labels", np.zeros(5, np.uint8)),
        ("labels", np.full(6, 7, np.uint8)),
        ("usages", np.full(6, 3, np.uint8)),
        ("usages", np.zeros(6, np.int64)),
        ("faces", np.zeros((6, 48, 47), np.uint8)),
    ],
)
def test_arrays_that_do_not_fit_are_refused(store_folder, name, array):
    np.save(store_folder / f"{name}.npy", array)
    with pytest.raises(DataError, match=rf"damaged data set \(.*{name}"):
        FaceStore.open(store_folder)


def test_where_no_store_is(tmp_path):
    file = tmp_path / "fer2013.csv"
    file.write_text("emotion")
    for path in (tmp_path, tmp_path / "gone", file):
        with pytest.raises(DataError, match=r"no data set there .*`mien data import`"):
            FaceStore.open(path)


def test_votes_are_optional_and_checked(tmp_path, arrays):
    votes = np.arange(60, dtype=np.uint8).reshape(6, 10)
    write_store(tmp_path / "store", *arrays, source="a.csv", source_sha256="0" * 64, votes=votes)
    np.testing.assert_array_equal(FaceStore.open(tmp_path / "store").votes, votes)
    with pytest.raises(DataError, match=r"votes are uint8 \(6, 9\): expected uint8 \(6, 10\)"):
        write_store(tmp_path / "new", *arrays, source="a.csv", source_sha256="0" * 64, votes=votes[:, :9])
    (tmp_path / "store" / "votes.npy").write_bytes(b"text")
    with pytest.raises(DataError, match=r"votes\.npy: damaged"):
        FaceStore.open(tmp_path / "store")


def test_a_half_written_store_is_not_one(store_folder):
    (store_folder / "store.json").unlink()
    with pytest.raises(DataError, match="no data set there"):
        FaceStore.open(store_folder)


def test_an_existing_target_is_left_alone(tmp_path, arrays):
    (tmp_path / "store").mkdir()
    with pytest.raises(DataError, match="exists already"):
        write_store(tmp_path / "store", *arrays, source="a.csv", source_sha256="0" * 64)
    assert list(tmp_path.iterdir()) == [tmp_path / "store"]


def test_a_failed_writing_leaves_nothing(tmp_path, arrays):
    def fail():
        with whole_folder(tmp_path / "new") as folder:
            (folder / "faces.npy").write_bytes(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(DataError, match=r"new: cannot be written \(No space left on device\)"):
        fail()
    faces, labels, usages = arrays
    with pytest.raises(DataError, match="labels are"):
        write_store(tmp_path / "new", faces, labels[:5], usages, source="a.csv", source_sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_parents_are_made(tmp_path, arrays):
    write_store(tmp_path / "a/b", *arrays, source="a.csv", source_sha256="0" * 64)
    assert len(FaceStore.open(tmp_path / "a/b")) == 6
