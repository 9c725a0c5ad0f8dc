"""Faces of frames as a Parquet file, by pyarrow of the extra `tables`."""

from typing import Any, BinaryIO, Final

from mien.errors import MissingExtraError
from mien.labels import EMOTIONS
from mien.results import TABLE_COLUMNS, Frame, Header, table_rows

_ROWS: Final = 4096
_INTEGERS: Final = frozenset({"index", "face", "track", "x", "y", "width", "height"})
_NUMBERS: Final = frozenset({"time", "confidence", "probability", *EMOTIONS})


class ParquetTable:
    """A table of `mien.results.TABLE_COLUMNS`, written in groups of rows, so that memory stays bounded.

    A context manager: leaving it, for whatever reason, completes the file.

    Args:
        file: where it is written.
        header: what the rows come from; the file's metadata hold it as JSON under ``mien``.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """

    def __init__(self, file: BinaryIO, header: Header) -> None:
        try:
            import pyarrow as pa
            from pyarrow import parquet
        except ImportError:
            raise MissingExtraError("writing Parquet", "tables") from None
        self._schema = pa.schema([(name, _kind(pa, name)) for name in TABLE_COLUMNS], {"mien": header.to_json()})
        self._batch: Any = pa.RecordBatch
        self._writer = parquet.ParquetWriter(file, self._schema)
        self._rows: list[dict[str, Any]] = []

    def write(self, frame: Frame) -> None:
        """Add the rows of a frame (see `mien.results.table_rows`)."""
        self._rows += table_rows([frame])
        if len(self._rows) >= _ROWS:
            self._flush()

    def __enter__(self) -> "ParquetTable":
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        self._writer.write_batch(self._batch.from_pylist(self._rows, schema=self._schema))
        self._rows = []


def _kind(pa: Any, name: str) -> Any:
    if name in _INTEGERS:
        return pa.int64()
    if name == "certain":
        return pa.bool_()
    return pa.float64() if name in _NUMBERS else pa.string()
