import pytest

from mien.errors import UsageError
from mien.out_folder import made_folder, writing_to


def test_a_folder_is_made_with_those_above_it_and_kept(tmp_path):
    folder = made_folder(tmp_path / "a" / "b")
    (folder / "kept").touch()
    assert made_folder(folder) == tmp_path / "a" / "b"
    assert (folder / "kept").exists()


def test_a_folder_below_a_file_is_refused_in_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"^.*file/below: cannot be made \(Not a directory\); name another folder$"):
        made_folder(tmp_path / "file" / "below")


def test_a_file_that_cannot_be_written_is_one_line_that_says_why(tmp_path):
    (tmp_path / "report.json").mkdir()
    with (
        pytest.raises(UsageError, match=r"cannot be written \(Is a directory\); name another folder"),
        writing_to(tmp_path),
    ):
        (tmp_path / "report.json").write_text("{}")


def test_an_error_without_a_reason_of_the_system_keeps_its_words(tmp_path):
    with pytest.raises(UsageError, match=r"cannot be written \(encoder error -2\)"), writing_to(tmp_path):
        raise OSError("encoder error -2")
