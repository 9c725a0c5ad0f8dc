import numpy as np
import pytest

from mien.data.store import FaceStore


def test_an_export_says_on_standard_error_what_it_wrote(tmp_path, small_store, mien):
    done = mien("data", "export", small_store, tmp_path / "numbered", "--format", "numbered")
    assert (done.returncode, done.stdout) == (0, "")
    note, summary = done.stderr.splitlines()
    assert note == "90 PublicTest rows stay behind: numbered holds Training only"
    assert summary.endswith("numbered: 60 rows of small.csv as numbered")
    assert len(list((tmp_path / "numbered" / "train_set").glob("*.jpg"))) == 60


def test_what_is_exported_can_be_imported(tmp_path, small_store, mien):
    assert mien("data", "export", small_store, tmp_path / "out.csv", "--format", "csv").returncode == 0
    assert mien("data", "import", tmp_path / "out.csv", tmp_path / "again").returncode == 0
    np.testing.assert_array_equal(FaceStore.open(tmp_path / "again").faces, FaceStore.open(small_store).faces)


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--format", "csv", "--numbers"], 2, "the format csv has no use for numbers"),
        (["--format", "csv"], 1, "exists already"),
    ],
)
def test_wrong_use_gets_one_line(tmp_path, small_store, options, status, words, mien):
    (tmp_path / "out").mkdir()
    done = mien("data", "export", small_store, tmp_path / "out", *options)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (status, "", 1)
    assert words in done.stderr
