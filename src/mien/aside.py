"""Atomic writes: a file is whole or not there at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_aside(target: Path) -> Iterator[Path]:
    """Atomic write: a temporary path that replaces ``target`` when the block succeeds, and is removed when it fails.

    A reader of ``target`` finds the old file or the whole new one. A kill leaves a hidden ``.partial`` file behind.

    Raises:
        OSError: the file cannot be written or renamed; the caller turns it into an error that names the file's role.
    """
    aside = target.with_name(f".{target.name}.partial")
    try:
        yield aside
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
