"""What a job needs of the place where it lies: files that are whole or absent (atomic writes)."""

from typing import Any, BinaryIO, Final, Protocol

PARTS: Final = "parts"
SUFFIX: Final = ".parquet"


class Place(Protocol):
    """Where a job lies. Names are relative, with ``/`` between folders."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    def prepare(self) -> None:
        """Make it ready to be written to.

        Raises:
            UsageError: it cannot be.
        """
        ...

    def exists(self, name: str) -> bool:
        """Whether a file is there."""
        ...

    def opened(self, name: str) -> BinaryIO:
        """A file to read.

        Raises:
            InputError: there is none, or it cannot be read.
        """
        ...

    def parts(self) -> set[str]:
        """Names of the parts that are there, without suffix."""
        ...

    def write_once(self, name: str, content: bytes) -> bool:
        """Write a file unless it exists; whether it was written."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""
        ...

    def whole(self, name: str) -> Any:
        """A context manager: a file that is there when the block succeeds, and else is not."""
        ...

    def tidy(self) -> None:
        """Remove what killed processes left unfinished, but nothing of one that lives."""
        ...


def part_file(name: str) -> str:
    """Where the file of a part lies."""
    return f"{PARTS}/{name}{SUFFIX}"
