"""Frames as rows: JSON, lines of JSON, CSV and Parquet, each a sink."""

import csv
import io
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

from mien.errors import MissingExtraError
from mien.face_quality import QUALITIES
from mien.files import encodable
from mien.output.recognized import Recognized
from mien.output.sink import Sink
from mien.output.table_rows import has_raw, probability_columns, raw_columns, table_columns, table_rows
from mien.results import Header

Write = Callable[[str], object]
"""Takes the next part of a text."""

_ROWS: Final = 4096
_INTEGERS: Final = frozenset({"index", "face", "track", "x", "y", "width", "height", "face_size"})
_NAMES: Final = ("source", "error")
_NUMBERS: Final = frozenset({"time", "confidence", "probability", "typicality", *QUALITIES}) - _INTEGERS
_TRUTHS: Final = frozenset({"certain", "out_of_place"})


class JsonLines(Sink):
    """One line of JSON a frame, as it comes.

    Args:
        write: takes the lines.
    """

    def __init__(self, write: Write) -> None:
        self._write = write

    def add(self, recognized: Recognized) -> None:
        self._write(recognized.frame.to_json() + "\n")


class Json(Sink):
    """One JSON document: the header, then the list of frames, written as they come.

    Args:
        write: takes the parts of the document.
        header: what the frames come from.
    """

    def __init__(self, write: Write, header: Header) -> None:
        self._write, self._separator = write, ""
        opening = json.dumps(header.to_dict(), indent=2, allow_nan=False).removesuffix("\n}")
        self._write(f'{opening},\n  "frames": [')

    def add(self, recognized: Recognized) -> None:
        text = json.dumps(recognized.frame.to_dict(), indent=2, allow_nan=False)
        self._write(f"{self._separator}\n{text}")
        self._separator = ","

    def close(self) -> Sequence[Path]:
        """End the document."""
        self._write("\n]}\n" if self._separator else "]}\n")
        return ()


class Csv(Sink):
    """The columns of `table_columns`, a row for each face and for each frame without one.

    Args:
        write: takes the lines.
        header: what the rows come from; it has the class names.
    """

    def __init__(self, write: Write, header: Header) -> None:
        self._write, self._labels, self._raw = write, header.labels, has_raw(header)
        self._columns = table_columns(header.labels, raw=self._raw)
        self._begun = False

    def add(self, recognized: Recognized) -> None:
        self._begin()
        for row in table_rows([recognized.frame], self._labels, raw=self._raw):
            self._write_row(row)

    def close(self) -> Sequence[Path]:
        """Write the names of the columns where there was no frame."""
        self._begin()
        return ()

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._write_row({name: name for name in self._columns})

    def _write_row(self, values: Mapping[str, Any]) -> None:
        line = io.StringIO()
        csv.DictWriter(line, self._columns, lineterminator="\n").writerow(values)
        self._write(line.getvalue())


class Parquet(Sink):
    """The rows of `Csv` as a Parquet file, written in groups of rows, so that memory stays bounded; by pyarrow of the
    extra `tables`. Closing it, for whatever reason, completes the file.

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
        self._labels, self._raw = header.labels, has_raw(header)
        shares = frozenset((*probability_columns(header.labels), *raw_columns(header.labels)))
        kinds = [(name, _kind(pa, name, shares)) for name in table_columns(header.labels, raw=self._raw)]
        self._schema = pa.schema(kinds, {"mien": header.to_json()})
        self._batch: Any = pa.RecordBatch
        self._writer = parquet.ParquetWriter(file, self._schema)
        self._rows: list[dict[str, Any]] = []

    def add(self, recognized: Recognized) -> None:
        for row in table_rows([recognized.frame], self._labels, raw=self._raw):
            self._rows.append(row | {name: encodable(row[name]) for name in _NAMES if row[name] is not None})
        if len(self._rows) >= _ROWS:
            self._flush()

    def note(self, key: str, text: str) -> None:
        """Add a text to the metadata of the file."""
        self._writer.add_key_value_metadata({key: text})

    def close(self) -> Sequence[Path]:
        """Complete the file."""
        self._flush()
        self._writer.close()
        return ()

    def _flush(self) -> None:
        self._writer.write_batch(self._batch.from_pylist(self._rows, schema=self._schema))
        self._rows = []


def _kind(pa: Any, name: str, shares: Collection[str]) -> Any:
    if name in _INTEGERS:
        return pa.int64()
    if name in _TRUTHS:
        return pa.bool_()
    return pa.float64() if name in _NUMBERS or name in shares else pa.string()
