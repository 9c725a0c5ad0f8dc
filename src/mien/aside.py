"""Files that are whole or not there at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_aside(target: Path) -> Iterator[Path]:
    """A path to write to that replaces ``target`` when the block ends well, and is removed when it does not.

    Whoever reads ``target`` finds the old file or the whole new one, and a kill leaves a hidden ``.partial`` behind.

    Raises:
        OSError: the file cannot be written or renamed; the caller knows what it is and says so.
    """
    aside = target.with_name(f".{target.name}.partial")
    try:
        yield aside
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
