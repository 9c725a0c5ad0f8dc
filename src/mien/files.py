"""Files and folders that are whole or absent (atomic writes), and one message for what cannot be written.

An atomic write goes to a hidden name beside the target, which is renamed at the end: whoever reads the target finds the
old content or the whole new one.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mien.errors import DataError, MienError, UsageError

ErrorKind = type[MienError]

_LONGEST_NAME: Final = 255
"""Bytes of a file's name that file systems allow."""


@contextmanager
def writing(target: Path, error: ErrorKind, *reasons: type[Exception], mend: str = "") -> Iterator[None]:
    """Turns write errors inside the block into one line that names ``target``.

    Args:
        target: what to name.
        error: what to raise.
        reasons: exceptions of a library that mean the same as an `OSError`.
        mend: what to do about it.

    Raises:
        MienError: of the kind of ``error``: it cannot be written.
    """
    kinds: tuple[type[Exception], ...] = (OSError, *reasons)
    try:
        yield
    except kinds as caught:
        reason = getattr(caught, "strerror", None) or caught
        raise error(f"{target}: cannot be written ({reason}){mend}") from None


@contextmanager
def writing_into(folder: Path) -> Iterator[None]:
    """Turns write errors inside the block into a `UsageError` that names the folder.

    Raises:
        UsageError: a file cannot be written.
    """
    with writing(folder, UsageError, mend="; name another folder"):
        yield


def partial_path(target: Path) -> Path:
    """Where a file lies until it is whole: hidden, in the same folder; what a killed process left there is replaced."""
    return target.with_name(f".{shortened_name(target.name, _LONGEST_NAME - len('..partial'))}.partial")


def shortened_name(name: str, longest: int) -> str:
    """The beginning of a name that takes at most so many bytes in a file system."""
    encoded = os.fsencode(name)
    return name if len(encoded) <= longest else encoded[:longest].decode("utf-8", "ignore")


def checked_file(target: Path, error: ErrorKind) -> Path:
    """Where a file is to be written, which can be asked before it is computed; of a link, what it leads to.

    Raises:
        MienError: of the kind of ``error``: no name of a file, a pipe or device, or its folder is not there.
    """
    if not target.name:
        raise error(f"{target}: a folder, not a file that can be written; name a file")
    with writing(target, error, RuntimeError):  # a loop of links
        target = target.resolve() if target.is_symlink() else target
        if target.exists() and not (target.is_file() or target.is_dir()):
            raise error(f"{target}: a pipe, socket or device, which a file would replace; name a file")
    refuse_broken_link(target.parent, error)
    with writing(target, error):
        if not target.parent.exists():
            raise error(f"{target}: cannot be written, since its folder is not there; make it first")
    return target


@contextmanager
def whole_file(target: Path, error: ErrorKind, *reasons: type[Exception]) -> Iterator[Path]:
    """Atomic write of a file: a temporary path that replaces ``target`` when the block succeeds, else is removed.

    Args:
        target: the file; of a link, the file that it leads to is replaced.
        error: what to raise.
        reasons: as `writing` takes them.

    Raises:
        MienError: of the kind of ``error``: the file cannot be written or replaced, is a pipe or device, or lies in a
            folder that is not there.
    """
    target = checked_file(target, error)
    partial = partial_path(target)
    with writing(target, error, *reasons):
        try:
            yield partial
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)


def write_text(target: Path, text: str, error: ErrorKind) -> Path:
    """Write a UTF-8 text file, whole or not at all; returns the path.

    Raises:
        MienError: of the kind of ``error``: it cannot be written.
    """
    with whole_file(target, error) as partial:
        partial.write_text(text, encoding="utf-8")
    return target


def refuse_broken_link(target: Path, error: ErrorKind) -> None:
    """Refuse a path that is, or leads through, a link to nothing: a folder can neither be made there nor moved there.

    Raises:
        MienError: of the kind of ``error``: as said; the link and what it leads to are named.
    """
    links = [path for path in (target, *target.parents) if os.path.islink(path)]  # noqa: PTH114 - names of any length
    link = next((path for path in links if not os.path.exists(path)), None)  # noqa: PTH110 - loops too
    if link is not None:
        named = target if link == target else f"{target}: {link}"
        raise error(f"{named}: a link that leads nowhere, to {link.readlink()}; make that, or remove the link")


def refuse_existing(target: Path) -> None:
    """Refuse to make a new file or folder where something is already.

    Raises:
        DataError: ``target`` exists, or is a link that leads nowhere.
    """
    refuse_broken_link(target, DataError)
    with writing(target, DataError):
        exists = target.exists()
    if exists:
        raise DataError(f"{target}: exists already; name a new folder or remove it first")


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Atomic write of a folder: a temporary one that becomes ``target`` when the block succeeds, else is removed.

    Its hidden name is another in every process, so that two of them do not write into one folder.

    Raises:
        DataError: ``target`` exists already, or cannot be written.
    """
    refuse_existing(target)
    partial = partial_path(target.with_name(f"{target.name}.{os.urandom(4).hex()}"))
    with writing(target, DataError):
        try:
            partial.mkdir(parents=True)
            yield partial
            partial.replace(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def made_folder(folder: Path, error: ErrorKind = UsageError) -> Path:
    """Create the folder if it does not exist, before anything is computed, so that an unusable path fails early.

    Raises:
        MienError: of the kind of ``error``: it cannot be made.
    """
    refuse_broken_link(folder, error)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as caught:
        raise error(f"{folder}: cannot be made a folder ({caught.strerror}); name another") from None
    return folder


def encodable(text: str) -> str:
    """A text that UTF-8 can hold: names of files may be made of any bytes, which Python gives as halves of surrogate
    pairs; they become escapes.
    """
    return text.encode("utf-8", "backslashreplace").decode()
