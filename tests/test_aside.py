import pytest

from mien.aside import written_aside


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path):
    target = tmp_path / "figures.json"
    target.write_text("old")
    with written_aside(target) as aside:
        aside.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "figures.json"
    target.write_text("old")

    def fail():
        with written_aside(target) as aside:
            aside.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_target_that_cannot_be_replaced_is_an_os_error(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"), written_aside(tmp_path / "folder") as aside:
        aside.write_text("new")
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]
