import hashlib
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.data.reading.importing import import_data, sha256_of_file
from mien.data.splits import training_rows
from mien.data.store import FaceStore
from mien.errors import DataError

ROW = "3," + " ".join(["7"] * 2304) + ",Training\n"
HEADER = "emotion,pixels,Usage\n"


@pytest.fixture
def csv_path(tmp_path):
    path = tmp_path / "fer2013.csv"
    path.write_text(HEADER + ROW * 3)
    return path


def test_imports_a_csv(tmp_path, csv_path):
    store = import_data(csv_path, tmp_path / "store")
    assert (store.faces == 7).all()
    assert isinstance(store.faces, np.memmap)
    assert store.meta.source == "fer2013.csv"
    assert store.meta.source_sha256 == hashlib.sha256(csv_path.read_bytes()).hexdigest()
    assert FaceStore.open(tmp_path / "store").meta == store.meta


def test_imports_an_archive_under_both_names_and_its_own_hash(tmp_path, csv_path):
    path = tmp_path / "download.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(csv_path, "deep/fer2013.csv")
    store = import_data(str(path), str(tmp_path / "store"))
    assert store.meta.source == "download.zip:deep/fer2013.csv"
    assert store.meta.source_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_imports_a_folder(tmp_path, monkeypatch):
    folder = tmp_path / "pictures" / "train" / "fear"
    folder.mkdir(parents=True)
    Image.new("L", (48, 48), 9).save(folder / "a.png")
    monkeypatch.chdir(tmp_path / "pictures")
    store = import_data(".", tmp_path / "store")
    assert store.meta.source == "pictures"
    assert (store.faces == 9).all()
    assert store.labels.tolist() == [2]


@pytest.mark.parametrize("content", ["", HEADER, HEADER + ROW + ROW[:500], "\x00" * 99])
def test_a_failing_import_leaves_nothing(tmp_path, content):
    source = tmp_path / "bad.csv"
    source.write_text(content)
    with pytest.raises(DataError, match=r"bad\.csv"):
        import_data(source, tmp_path / "store")
    assert list(tmp_path.iterdir()) == [source]


def test_an_existing_target_is_refused_before_reading(tmp_path):
    (tmp_path / "store").mkdir()
    with pytest.raises(DataError, match="store: exists already"):
        import_data(tmp_path / "gone.csv", tmp_path / "store")


def test_a_missing_source_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.csv: no such file or folder"):
        import_data(tmp_path / "gone.csv", tmp_path / "store")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="pipe: not a regular file or folder"):
        import_data(tmp_path / "pipe", tmp_path / "store")


def test_hashes_files_of_any_size(tmp_path):
    for size in (0, 1, (8 << 20) - 1, (8 << 20) + 3):
        content = np.random.default_rng(size).bytes(size)
        (tmp_path / "file").write_bytes(content)
        assert sha256_of_file(tmp_path / "file") == hashlib.sha256(content).hexdigest()
    with pytest.raises(DataError, match="gone: cannot be read"):
        sha256_of_file(tmp_path / "gone")


def test_the_real_set(fer2013):
    store = fer2013
    counts = {usage: list(by_emotion.values()) for usage, by_emotion in store.counts().items()}
    assert counts == {
        "Training": [3995, 436, 4097, 7215, 4830, 3171, 4965],
        "PublicTest": [467, 56, 496, 895, 653, 415, 607],
    }
    assert len(store) == 32_298
    assert training_rows(store).dropped == {"identical to a PublicTest row": 351}
    assert len(np.unique(store.faces.reshape(len(store), -1).view("V2304"))) == 30_766
    with Path(os.environ["MIEN_FER2013"]).open() as lines:
        for number, line in enumerate(lines):
            if number in (1, 20_000, 32_298):
                assert store.faces[number - 1].ravel().tolist() == [int(level) for level in line.split(",")[1].split()]


@pytest.fixture
def damaged_folder(tmp_path):
    """A data set of two pictures and 23 that are none."""
    folder = tmp_path / "pictures" / "train" / "fear"
    folder.mkdir(parents=True)
    for number in range(2):
        Image.new("L", (48, 48), number).save(folder / f"good{number}.png")
    for number in range(23):
        (folder / f"bad{number:02}.png").write_bytes(b"no picture")
    return tmp_path / "pictures"


def test_all_damaged_pictures_are_named_at_once_up_to_twenty(tmp_path, damaged_folder):
    with pytest.raises(DataError, match=r"23 pictures cannot be read; .*; and 3 more$") as caught:
        import_data(damaged_folder, tmp_path / "store")
    assert str(caught.value).count("not a picture") == 20
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "store").exists()


def test_damaged_pictures_are_skipped_when_asked_for_and_each_is_named(tmp_path, damaged_folder, caplog):
    with caplog.at_level("WARNING", "mien"):
        assert len(import_data(damaged_folder, tmp_path / "store", skip_damaged=True)) == 2
    assert [f"bad{number:02}.png: not a picture" in "".join(caplog.messages) for number in range(23)] == [True] * 23
    assert caplog.messages[-1].endswith("left out 23 pictures that cannot be read")
