"""Sinks: where results go."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from mien.output.recognized import Recognized


class Sink(ABC):
    """Takes results as they come. One of your own is a subclass with `add`, and `close` if it has something to finish.

    A context manager: leaving it closes it.
    """

    @abstractmethod
    def add(self, recognized: Recognized) -> None:
        """Take the next result; its `frame.error` says why an image could not be read."""

    def close(self) -> Sequence[Path]:
        """Finish; the files that were written."""
        return ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
