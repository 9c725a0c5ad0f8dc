import errno
import os
from pathlib import Path

import pytest

from mien.errors import DataError, ExportError, InputError, MienError, UsageError
from mien.files import (
    encodable,
    made_folder,
    partial_path,
    refuse_existing,
    whole_file,
    whole_folder,
    write_text,
    writing,
    writing_into,
)


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path):
    target = tmp_path / "figures.json"
    target.write_text("old")
    with whole_file(target, InputError) as partial:
        partial.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("raised", "expected"), [(RuntimeError("odd"), RuntimeError), (OSError(errno.ENOSPC, "No space"), InputError)]
)
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, raised, expected):
    target = tmp_path / "figures.json"
    target.write_text("old")

    def fail():
        with whole_file(target, InputError) as partial:
            partial.write_text("half")
            raise raised

    with pytest.raises(expected):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_what_a_killed_process_left_is_replaced(tmp_path):
    target = tmp_path / "a.txt"
    partial_path(target).write_text("half of an earlier one")
    assert write_text(target, "whole", InputError).read_text() == "whole"
    assert list(tmp_path.iterdir()) == [target]


def test_a_target_that_cannot_be_replaced_is_one_line_of_the_kind_that_was_asked_for(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(ExportError, match=r"^.*folder: cannot be written \(Is a directory\)$"):
        write_text(tmp_path / "folder", "new", ExportError)
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_not_replaced_and_a_link_is_followed(tmp_path):
    pipe, link, loop = (tmp_path / name for name in ("pipe", "link", "loop"))
    os.mkfifo(pipe)
    link.symlink_to("far")
    loop.symlink_to("loop")
    with pytest.raises(ExportError, match=r"pipe: a pipe, socket or device, which a file would replace; name a file"):
        write_text(pipe, "new", ExportError)
    with pytest.raises(ExportError, match=r"loop: cannot be written \("):
        write_text(loop, "new", ExportError)
    with pytest.raises(ExportError, match=r"a folder, not a file that can be written; name a file"):
        write_text(Path(), "new", ExportError)
    for text in ("first", "second"):
        write_text(link, text, ExportError)
        assert (link.is_symlink(), (tmp_path / "far").read_text()) == (True, text)
    assert pipe.is_fifo()
    assert {path.name for path in tmp_path.iterdir()} == {"pipe", "link", "loop", "far"}


def test_an_error_of_a_library_counts_when_it_is_named(tmp_path):
    with (
        pytest.raises(InputError, match=r"a: cannot be written \(codec\)"),
        writing(tmp_path / "a", InputError, EOFError),
    ):
        raise EOFError("codec")
    with pytest.raises(EOFError), writing(tmp_path / "a", InputError):
        raise EOFError("codec")


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "below" / "new"
    with whole_folder(target) as partial:
        (partial / "faces.npy").write_bytes(b"whole")
        assert not target.exists()
    assert [path.relative_to(target.parent) for path in target.parent.rglob("*")] == [
        target.relative_to(target.parent),
        target.relative_to(target.parent) / "faces.npy",
    ]


def test_a_folder_that_fails_leaves_nothing(tmp_path):
    def fail():
        with whole_folder(tmp_path / "new") as partial:
            (partial / "faces.npy").write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DataError, match=r"new: cannot be written \(No space left on device\)"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_two_that_make_one_folder_do_not_write_into_each_other(tmp_path):
    def second():
        with whole_folder(tmp_path / "new") as first, whole_folder(tmp_path / "new") as other:
            assert first != other
            (first / "a").touch()
            (other / "b").touch()

    with pytest.raises(DataError, match=r"new: cannot be written \(Directory not empty\)"):
        second()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["b"]
    assert list(tmp_path.iterdir()) == [tmp_path / "new"]


def test_a_folder_is_made_with_those_above_it_and_kept(tmp_path):
    folder = made_folder(tmp_path / "a" / "b")
    (folder / "kept").touch()
    assert made_folder(folder) == tmp_path / "a" / "b"
    assert (folder / "kept").exists()


@pytest.mark.parametrize("error", [UsageError, InputError])
def test_a_folder_below_a_file_is_refused_in_one_line(tmp_path, error):
    (tmp_path / "file").touch()
    with pytest.raises(error, match=r"^.*file/below: cannot be made a folder \(Not a directory\); name another$"):
        made_folder(tmp_path / "file" / "below", error)


def test_a_file_that_cannot_be_written_into_a_folder_is_one_line_that_says_why(tmp_path):
    (tmp_path / "report.json").mkdir()
    with (
        pytest.raises(UsageError, match=r"cannot be written \(Is a directory\); name another folder"),
        writing_into(tmp_path),
    ):
        (tmp_path / "report.json").write_text("{}")


def test_an_error_without_a_reason_of_the_system_keeps_its_words(tmp_path):
    with pytest.raises(UsageError, match=r"cannot be written \(encoder error -2\)"), writing_into(tmp_path):
        raise OSError("encoder error -2")


@pytest.mark.parametrize("make", [made_folder, refuse_existing, lambda path: whole_folder(path).__enter__()])
def test_a_link_to_nothing_is_named_with_what_it_leads_to(tmp_path, make):
    (tmp_path / "link").symlink_to("gone")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(MienError, match=r"link: a link that leads nowhere, to gone; make that, or remove the link$"):
        make(tmp_path / "link")
    with pytest.raises(MienError, match=r"link/below: .*/link: a link that leads nowhere, to gone; make that"):
        make(tmp_path / "link" / "below")
    with pytest.raises(MienError, match="loop: a link that leads nowhere, to loop"):
        make(tmp_path / "loop")
    assert {path.name for path in tmp_path.iterdir()} == {"link", "loop"}


def test_a_file_in_a_folder_that_is_not_there_is_refused_by_that(tmp_path):
    (tmp_path / "link").symlink_to("gone")
    (tmp_path / "file").symlink_to("gone/file")
    with pytest.raises(ExportError, match=r"new/a: cannot be written, since its folder is not there; make it first$"):
        write_text(tmp_path / "new" / "a", "new", ExportError)
    with pytest.raises(
        ExportError, match=r"gone/file: cannot be written, since its folder is not there; make it first$"
    ):
        write_text(tmp_path / "file", "new", ExportError)
    with pytest.raises(ExportError, match="link: a link that leads nowhere, to gone"):
        write_text(tmp_path / "link" / "a", "new", ExportError)
    with pytest.raises(UsageError, match="cannot be made a folder"):
        made_folder(tmp_path / ("n" * 300))
    with pytest.raises(DataError, match=r"nnn: cannot be written \(File name too long\)"):
        refuse_existing(tmp_path / ("n" * 300))


def test_a_name_of_any_bytes_becomes_a_text_that_utf_8_holds():
    names = [os.fsdecode(name) for name in (b"caf\xe9.jpg", "café 高兴\n.jpg".encode())]
    assert [encodable(name) for name in names] == [r"caf\udce9.jpg", "café 高兴\n.jpg"]
