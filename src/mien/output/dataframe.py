"""Results as a pandas DataFrame, by pandas of the extra `tables`."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from mien.errors import MissingExtraError
from mien.results import TABLE_COLUMNS, Frame, table_rows

if TYPE_CHECKING:
    import pandas as pd


class HasFrame(Protocol):
    """A result that carries its frame, such as `mien.Recognized`."""

    @property
    def frame(self) -> Frame:
        """What was recognised."""
        ...


def to_pandas(results: "Frame | HasFrame | Iterable[Frame | HasFrame]") -> "pd.DataFrame":
    """Results as a table: a row for each face, and one for each frame without a face.

    Args:
        results: of `recognize` or `Recognizer.stream`, one or many.

    Returns:
        The columns of ``mien predict --format csv``.

    Raises:
        MissingExtraError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise MissingExtraError("a pandas table", "tables") from None
    return pd.DataFrame(list(table_rows(_frames(results))), columns=list(TABLE_COLUMNS))


def _frames(results: "Frame | HasFrame | Iterable[Frame | HasFrame]") -> Iterator[Frame]:
    for result in results if isinstance(results, Iterable) else (results,):
        yield result if isinstance(result, Frame) else result.frame
