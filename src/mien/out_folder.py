"""The folder for results that a user names with ``--out``."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mien.errors import UsageError


def made_folder(folder: Path) -> Path:
    """Create the folder if it does not exist, before anything is computed, so that an unusable path fails early.

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
    """Turns write errors inside the block into a `UsageError` that names the folder.


    Raises:
        UsageError: a file cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written ({error.strerror or error}); name another folder") from None
