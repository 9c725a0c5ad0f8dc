"""FER2013's csv in every form it is handed around in.

The forms: ``fer2013.csv`` (emotion,pixels,Usage), ``icml_face_data.csv`` (another order, blanks in the column names),
and Kaggle's ``train.csv`` (emotion,pixels: all rows are Training), each as it is or in an archive. A row holds 2304
grey levels with blanks between them, 48 lines of 48 (Goodfellow et al., "Challenges in Representation Learning", 2013).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BufferedReader
from itertools import islice, zip_longest
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.choices import USAGES
from mien.data.reading.archives import ALONE, UNREADABLE, Members, opened_members
from mien.data.rows import FaceRows, ReportProgress, no_progress
from mien.errors import DataError
from mien.labels import EMOTIONS
from mien.preprocess import FACE_SIZE

_PIXELS: Final = FACE_SIZE * FACE_SIZE
_BRIGHTEST: Final = 255
_LABELS: Final = {str(number).encode(): number for number in range(len(EMOTIONS))}
_USAGES: Final = {usage.lower().encode(): number for number, usage in enumerate(USAGES)}
_WRAPPING: Final = b' \t\r\n"'
_LONGEST_LINE: Final = 1 << 16
_ROWS_AT_ONCE: Final = 32

_Rows = tuple[NDArray[np.uint8], list[int], list[int]]
"""Faces (N, 2304), labels and usages."""


class _Line(NamedTuple):
    """A data row, its number from 0, and the number of its line from 1."""

    row: int
    number: int
    text: bytes


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where a row holds what; ``usage`` is None in a csv without that column."""

    count: int
    emotion: int
    pixels: int
    usage: int | None


def read_fer2013(path: Path, progress: ReportProgress = no_progress) -> tuple[FaceRows, str]:
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


def read_two_files(emotions: Path, pixels: Path) -> FaceRows:
    """Rows of two files without headers, line by line: a label in one, 2304 grey levels in the other; all Training.

    Raises:
        DataError: unreadable, a malformed row, or files of different lengths; the message names file and line.
    """
    columns, rows = _Columns(2, 0, 1, None), FaceRows()
    try:
        with emotions.open("rb") as labels, pixels.open("rb") as faces:
            joined = (
                _Line(row, row + 1, label.strip() + b"," + face)
                for row, (label, face) in enumerate(zip_longest(labels, faces, fillvalue=b""))
            )
            for lines in iter(lambda: list(islice(joined, _ROWS_AT_ONCE)), []):
                rows.extend(*_parse_lines(lines, columns, f"{emotions.name} with {pixels}"))
    except OSError as error:
        raise DataError(f"{emotions} and {pixels}: cannot be read ({error.strerror})") from None
    if not rows:
        raise DataError(f"{emotions}: no rows; export the data again")
    return rows


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
            f"the header is {_shown(header)}: expected the columns emotion and pixels, and perhaps Usage, once "
            "each with commas between; or, in a csv of pictures, path and label"
        )
    usage = names.index("usage") if "usage" in names else None
    return _Columns(len(names), names.index("emotion"), names.index("pixels"), usage)


def _read_csv(stream: BufferedReader, name: str, report: Callable[[], None]) -> FaceRows:
    try:
        columns = _columns(stream.readline(_LONGEST_LINE))
    except DataError as error:
        raise DataError(f"{name}: {error}") from None
    rows = FaceRows()
    for lines in _batches(stream):
        rows.extend(*_parse_lines(lines, columns, name))
        report()
    if not rows:
        raise DataError(f"{name}: no rows after the header; get the file again")
    return rows


def _batches(stream: BufferedReader) -> Iterator[list[_Line]]:
    numbered = enumerate(iter(lambda: stream.readline(_LONGEST_LINE), b""), start=2)
    filled = ((number, text) for number, text in numbered if not text.isspace())
    lines = (_Line(row, number, text) for row, (number, text) in enumerate(filled))
    return iter(lambda: list(islice(lines, _ROWS_AT_ONCE)), [])


def _parse_lines(lines: list[_Line], columns: _Columns, name: str) -> _Rows:
    try:
        return _parse_rows([line.text for line in lines], columns)
    except DataError as error:
        if len(lines) > 1:  # one by one, the first bad row is the first to fail
            for line in lines:
                _parse_lines([line], columns, name)
        row, number, text = lines[0]
        cut = "" if text.endswith(b"\n") else "; the file ends in this row: truncated?"
        raise DataError(f"{name}: row {row} (line {number}): {error}{cut}") from None


def _parse_rows(lines: list[bytes], columns: _Columns) -> _Rows:
    cells = [[cell.strip(_WRAPPING) for cell in line.split(b",")] for line in lines]
    for row in cells:
        if len(row) != columns.count:
            raise DataError(f"{len(row)} columns: expected {columns.count}, as in the header")
    labels = [_label(row[columns.emotion]) for row in cells]
    usages = [0 if columns.usage is None else _usage(row[columns.usage]) for row in cells]
    return _parse_pixels([row[columns.pixels] for row in cells]), labels, usages


def _label(text: bytes) -> int:
    if text not in _LABELS:
        raise DataError(f"emotion is {_shown(text)}: expected 0..{len(EMOTIONS) - 1}")
    return _LABELS[text]


def _usage(text: bytes) -> int:
    if text.lower() not in _USAGES:
        raise DataError(f"Usage is {_shown(text)}: expected {', '.join(USAGES)}")
    return _USAGES[text.lower()]


def _parse_pixels(texts: list[bytes]) -> NDArray[np.uint8]:
    """Grey levels (N, 2304) in N texts of digits and blanks."""
    padded = [b"  ", *texts, b""]
    found = _small_integers(np.frombuffer(b" ".join(padded), np.uint8))
    if found is not None:
        ends, levels = found
        row_starts = np.cumsum([len(text) + 1 for text in padded[:-1]])
        if np.array_equal(np.searchsorted(ends, row_starts), np.arange(len(texts) + 1) * _PIXELS):
            return levels.reshape(-1, _PIXELS)
    raise DataError(_fault_of_pixels(texts[0]))


def _small_integers(text: NDArray[np.uint8]) -> tuple[NDArray[np.intp], NDArray[np.uint8]] | None:
    """Where the numbers in a text end, and what they are; None unless all are integers 0..255 of one to three digits.

    All characters are worked on at once, which is more than twice as fast as NumPy's own reading of numbers.

    Args:
        text: ASCII, uint8 (N,), with at least three blanks at its beginning and one at its end.
    """
    digit = text - ord("0")
    is_digit = digit < 10
    if np.count_nonzero(is_digit) + np.count_nonzero(text == ord(" ")) < text.size:
        return None
    digit *= is_digit
    # From here on, element i speaks of the number whose last digit so far is character i + 2.
    is_second = is_digit[1:] & is_digit[:-1]
    is_third = is_second[1:] & is_second[:-1]
    hundreds = digit[:-2] * is_third
    below_hundred = 10 * digit[1:-1] + digit[2:]
    value = 100 * hundreds + below_hundred
    wrapped_around = hundreds.max() > 2 or (value < below_hundred).any()
    if wrapped_around or (is_third[1:] & is_third[:-1]).any():
        return None
    ends = np.flatnonzero(is_digit[2:-1] & ~is_digit[3:])
    return ends + 2, value[ends]


def _fault_of_pixels(text: bytes) -> str:
    tokens = [token for token in text.split(b" ") if token]
    for number, token in enumerate(tokens):
        if not (token.isdigit() and len(token) <= 3 and int(token) <= _BRIGHTEST):
            return f"pixel {number} is {_shown(token)}: expected an integer 0..{_BRIGHTEST}"
    return f"{len(tokens)} pixels: expected {_PIXELS} ({FACE_SIZE}x{FACE_SIZE})"


def _shown(field: bytes) -> str:
    text = field.decode("utf-8", errors="replace").strip()
    return repr(text if len(text) <= 40 else text[:40] + "...")
