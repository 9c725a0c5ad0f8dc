"""FER2013's csv in every form it is handed around in.

The forms: ``fer2013.csv`` (emotion,pixels,Usage), ``icml_face_data.csv`` (another order, blanks in the column names),
and Kaggle's ``train.csv`` (emotion,pixels: all rows are Training), each as it is or in an archive. A row holds 2304
grey levels with blanks between them, 48 lines of 48 (Goodfellow et al., "Challenges in Representation Learning", 2013).
"""

from collections.abc import Callable
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.data.archives import ALONE, UNREADABLE, Members, opened_members
from mien.data.rows import FaceRows, Progress, no_progress
from mien.data.store import USAGES
from mien.errors import DataError
from mien.labels import EMOTIONS
from mien.preprocess import FACE_SIZE

_PIXELS: Final = FACE_SIZE * FACE_SIZE
_BRIGHTEST: Final = 255
_LABELS: Final = {str(number).encode(): number for number in range(len(EMOTIONS))}
_USAGES: Final = {usage.encode(): number for number, usage in enumerate(USAGES)}
_DIGITS_AND_BLANK: Final = b"0123456789 "
_WRAPPING: Final = b' \t\r\n"'
_LONGEST_LINE: Final = 1 << 16
_ROWS_PER_REPORT: Final = 256


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where a row holds what; ``usage`` is None in a csv without that column."""

    count: int
    emotion: int
    pixels: int
    usage: int | None


def read_fer2013(path: Path, progress: Progress = no_progress) -> tuple[FaceRows, str]:
    """Rows of a FER2013 csv in their order, and the name of the csv inside the archive ("" when it is in none).

    An archive may hold other files. Of several such csvs in it, the one with a column Usage is taken when there is only
    one: Kaggle's archive holds the Training faces twice, in train.csv and in icml_face_data.csv.

    Args:
        path: a regular file, told by its content: csv, .gz, .tar, .tar.gz, .tgz or .zip.
        progress: told which part of the file has been read.

    Raises:
        DataError: no such csv in it, several of them, a malformed row (the message names file, row from 0 and line from
            1), or a truncated or damaged archive.
    """
    total = max(path.stat().st_size, 1)
    try:
        with path.open("rb") as file, opened_members(file) as members:
            member = _choose(members, str(path))
            with members.open(member) as stream:
                name = f"{path}:{member}" if member else str(path)
                return _read_csv(stream, name, lambda: progress(file.tell() / total)), member
    except UNREADABLE as error:
        reason = str(error) or type(error).__name__
        raise DataError(f"{path}: cannot be read, truncated or damaged ({reason}); get the file again") from None


def _choose(members: Members, archive: str) -> str:
    if members.names == (ALONE,):
        return ALONE
    found = {name: columns for name in members.names if (columns := _columns_of_member(members, name))}
    complete = [name for name, columns in found.items() if columns.usage is not None]
    fitting = complete or list(found)
    if not fitting:
        held = ", ".join(members.names[:8]) + (", ..." if len(members.names) > 8 else "")
        raise DataError(
            f"{archive}: no csv with the columns emotion and pixels in it, but {held or 'nothing'}; "
            "unpack it and name the right file"
        )
    if len(fitting) > 1:
        raise DataError(
            f"{archive}: several csvs with the columns emotion and pixels: {', '.join(fitting)}; "
            "unpack it and name one of them"
        )
    return fitting[0]


def _columns_of_member(members: Members, name: str) -> _Columns | None:
    if not name.lower().endswith(".csv"):
        return None
    with members.open(name) as stream:
        try:
            return _columns(stream.readline(_LONGEST_LINE))
        except DataError:
            return None


def _columns(header: bytes) -> _Columns:
    if not header.strip():
        raise DataError("empty: expected a header with the columns emotion, pixels and Usage")
    try:
        names = [name.strip(' \t\r\n"').lower() for name in header.decode("utf-8-sig").split(",")]
    except UnicodeDecodeError:
        raise DataError("not a csv in UTF-8: expected a header with the columns emotion, pixels and Usage") from None
    if names.count("emotion") != 1 or names.count("pixels") != 1 or names.count("usage") > 1:
        raise DataError(
            f"the header is {_shown(header)}: expected the columns emotion and pixels, and perhaps Usage, once each"
        )
    usage = names.index("usage") if "usage" in names else None
    return _Columns(len(names), names.index("emotion"), names.index("pixels"), usage)


def _read_csv(stream: BufferedReader, name: str, report: Callable[[], None]) -> FaceRows:
    try:
        columns = _columns(stream.readline(_LONGEST_LINE))
    except DataError as error:
        raise DataError(f"{name}: {error}") from None
    rows = FaceRows()
    for line_number, line in enumerate(iter(lambda: stream.readline(_LONGEST_LINE), b""), start=2):
        if line.isspace():
            continue
        try:
            rows.append(*_parse_row(line, columns))
        except DataError as error:
            cut = "" if line.endswith(b"\n") else "; the file ends in this row: truncated?"
            raise DataError(f"{name}: row {len(rows)} (line {line_number}): {error}{cut}") from None
        if len(rows) % _ROWS_PER_REPORT == 0:
            report()
    if not rows:
        raise DataError(f"{name}: no rows after the header; get the file again")
    return rows


def _parse_row(line: bytes, columns: _Columns) -> tuple[NDArray[np.uint8], int, int]:
    fields = [field.strip(_WRAPPING) for field in line.split(b",")]
    if len(fields) != columns.count:
        raise DataError(f"{len(fields)} columns: expected {columns.count}, as in the header")
    label = _LABELS.get(fields[columns.emotion])
    if label is None:
        raise DataError(f"emotion is {_shown(fields[columns.emotion])}: expected 0..{len(EMOTIONS) - 1}")
    usage = 0 if columns.usage is None else _USAGES.get(fields[columns.usage])
    if usage is None:
        raise DataError(f"Usage is {_shown(fields[columns.usage or 0])}: expected {', '.join(USAGES)}")
    return _parse_pixels(fields[columns.pixels]), label, usage


def _parse_pixels(text: bytes) -> NDArray[np.uint8]:
    """Grey levels (2304,) in a text of digits and blanks."""
    # Only what this lets through is safe for fromstring: at other characters older NumPy stops early or reads signs.
    if not text.translate(None, _DIGITS_AND_BLANK):
        # 64 bits, because numbers too large for them become the largest, while narrower types wrap around.
        values = np.fromstring(text, np.uint64, sep=" ")
        if values.size == _PIXELS and values.max() <= _BRIGHTEST:
            return values.astype(np.uint8)
    raise DataError(_fault_of_pixels(text))


def _fault_of_pixels(text: bytes) -> str:
    tokens = [token for token in text.split(b" ") if token]
    for number, token in enumerate(tokens):
        digits = token.lstrip(b"0") or b"0"
        if not (token.isdigit() and len(digits) <= 3 and int(digits) <= _BRIGHTEST):
            return f"pixel {number} is {_shown(token)}: expected an integer 0..{_BRIGHTEST}"
    return f"{len(tokens)} pixels: expected {_PIXELS} ({FACE_SIZE}x{FACE_SIZE})"


def _shown(field: bytes) -> str:
    text = field.decode("utf-8", errors="replace").strip()
    return repr(text if len(text) <= 40 else text[:40] + "...")
