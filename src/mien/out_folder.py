"""The folder for results that a user names with ``--out``."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mien.errors import UsageError


def made_folder(folder: Path) -> Path:
    """The folder, made if it is not there; before anything is computed, so that no result is lost for want of a place.

    Raises:
        UsageError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be made ({error.strerror}); name another folder") from None
    return folder


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """What writes files into a folder.

    Raises:
        UsageError: a file cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written ({error.strerror or error}); name another folder") from None
