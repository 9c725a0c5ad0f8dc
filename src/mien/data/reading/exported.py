"""Tables of faces that `mien data export` wrote, read again: npz, Parquet, and csvs in parts.

===========================  =========================================================================================
source                       rows
===========================  =========================================================================================
``*.npz``                    arrays faces, labels, usages, label_names, usage_names; votes and groups if there are any
Parquet                      a line per face: usage, emotion, pixels; ``votes_*`` and group if there are any
``emotion.csv, pixels.csv``  in one folder, neither with a header: all rows are Training
``train.csv, val.csv``       in one folder, emotion and pixels: Training and PublicTest where they state no usage
===========================  =========================================================================================

Names of classes and usages are read, not their numbers, so that files of other tools in this form are read right too.
"""

import hashlib
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from mien.choices import USAGES
from mien.data.columns import GROUP, VOTE_COLUMNS
from mien.data.reading.fer2013 import read_fer2013, read_two_files
from mien.data.rows import FaceRows, ReportProgress
from mien.errors import DataError, MissingExtraError
from mien.labels import VOTE_CLASSES, emotion_index
from mien.preprocess import FACE_SIZE

_MAGIC: Final = b"PAR1"
_VOTERS: Final = 10
_NEEDED: Final = ("faces", "labels", "usages", "label_names", "usage_names")
_EMOTIONS, _PIXELS = "emotion.csv", "pixels.csv"
_TRAIN, _VALIDATION = "train.csv", "val.csv"
_T = TypeVar("_T")


def reader_of(source: Path) -> Callable[[Path, ReportProgress], FaceRows] | None:
    """What reads a file or folder of the table above; None where it is something else."""
    if source.is_dir():
        for names, read in (((_EMOTIONS, _PIXELS), _read_columns), ((_TRAIN, _VALIDATION), _read_parts)):
            if all((source / name).is_file() for name in names):
                return read
        return None
    if not source.is_file():
        return None
    if source.suffix.lower() == ".npz":
        return _read_npz
    with source.open("rb") as file:
        return _read_parquet if file.read(len(_MAGIC)) == _MAGIC else None


def files_of(source: Path) -> list[Path]:
    """The files that a reader of `reader_of` reads, whose bytes identify the data."""
    if not source.is_dir():
        return [source]
    names = (_EMOTIONS, _PIXELS) if (source / _PIXELS).is_file() else (_TRAIN, _VALIDATION)
    return [source / name for name in names]


def sha256_of_names(hashes: Iterable[tuple[str, str]]) -> str:
    """One SHA-256 of several files: that of their names and hashes, or that of the only one."""
    pairs = list(hashes)
    if len(pairs) == 1:
        return pairs[0][1]
    return hashlib.sha256("".join(f"{name}\0{sha256}\n" for name, sha256 in pairs).encode()).hexdigest()


def _read_columns(folder: Path, progress: ReportProgress) -> FaceRows:
    rows = read_two_files(folder / _EMOTIONS, folder / _PIXELS)
    progress(1.0)
    return rows


def _read_parts(folder: Path, progress: ReportProgress) -> FaceRows:
    rows, _ = read_fer2013(folder / _TRAIN, lambda done: progress(done / 2))
    validation, _ = read_fer2013(folder / _VALIDATION, lambda done: progress(0.5 + done / 2))
    if not any(validation.usages):  # no usage is stated
        validation.usages = bytearray([USAGES.index("PublicTest")]) * len(validation)
    rows.extend(validation.arrays()[0], validation.labels, validation.usages)
    return rows


def _read_npz(path: Path, progress: ReportProgress) -> FaceRows:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not an archive of arrays without pickled objects ({error})") from None
    if missing := [name for name in _NEEDED if name not in arrays]:
        raise DataError(f"{path}: no array {missing[0]}: expected {', '.join(_NEEDED)}, as `mien data export` writes")
    labels, usages = (
        _renumbered(path, arrays[f"{name}s"], arrays[f"{name}_names"], name, number_of)
        for name, number_of in (("label", emotion_index), ("usage", _usage_index))
    )
    rows = FaceRows()
    rows.extend(_faces(path, arrays["faces"], len(labels)), labels.tolist(), _as_many(path, usages, labels).tolist())
    if "votes" in arrays:
        names = [str(name) for name in arrays.get("vote_names", ())]
        rows.votes += _votes(path, arrays["votes"], names, len(labels)).tobytes()
    if "groups" in arrays:
        rows.groups += _as_many(path, arrays["groups"].astype(np.str_), labels).tolist()
    progress(1.0)
    return rows


def _read_parquet(path: Path, progress: ReportProgress) -> FaceRows:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise MissingExtraError("reading Parquet", "tables") from None
    rows = FaceRows()
    try:
        with parquet.ParquetFile(path) as file:
            columns = file.schema_arrow.names
            if missing := [name for name in ("usage", "emotion", "pixels") if name not in columns]:
                raise DataError(f"{path}: no column {missing[0]}: expected usage, emotion and pixels")
            for number in range(file.num_row_groups):
                _add_table(rows, path, file.read_row_group(number))
                progress((number + 1) / file.num_row_groups)
    except (ArrowException, OSError) as error:
        reason = str(error).splitlines()[0][:100]
        raise DataError(f"{path}: cannot be read, truncated or damaged ({reason}); get the file again") from None
    return rows


def _add_table(rows: FaceRows, path: Path, table: Any) -> None:
    labels = [_understood(path, emotion_index, str(name)) for name in table["emotion"].to_pylist()]
    usages = [_understood(path, _usage_index, str(name)) for name in table["usage"].to_pylist()]
    pixels = np.array(table["pixels"].to_pylist()) if labels else np.empty((0, FACE_SIZE**2), np.uint8)
    rows.extend(_faces(path, pixels, len(labels)), labels, usages)
    held = [name for name in VOTE_COLUMNS if name in table.column_names]
    if held:
        votes = np.array([table[name].to_pylist() for name in held], np.int64).reshape(len(held), -1).T
        rows.votes += _votes(path, votes, [name.removeprefix("votes_") for name in held], len(labels)).tobytes()
    if GROUP in table.column_names:
        rows.groups += [str(name) for name in table[GROUP].to_pylist()]


def _usage_index(name: str) -> int:
    if name not in USAGES:
        raise DataError(f"unknown usage {name[:40]!r}: expected {', '.join(USAGES)}")
    return USAGES.index(name)


def _understood(path: Path, meaning: Callable[[str], _T], name: str) -> _T:
    try:
        return meaning(name)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _renumbered(
    path: Path, numbers: NDArray[Any], names: NDArray[Any], what: str, number_of: Callable[[str], int]
) -> NDArray[np.uint8]:
    """Numbers into a file's own names as numbers into mien's."""
    known = np.array([_understood(path, number_of, str(name)) for name in np.ravel(names)], np.uint8)
    if numbers.ndim != 1 or numbers.dtype.kind not in "ui" or not len(numbers):
        raise DataError(
            f"{path}: {what}s are {numbers.dtype} {numbers.shape}: expected whole numbers (N,), N at least 1"
        )
    if numbers.min() < 0 or numbers.max() >= len(known):
        raise DataError(f"{path}: {what}s lie in {numbers.min()}..{numbers.max()}: expected 0..{len(known) - 1}")
    return np.asarray(known[numbers])


def _as_many(path: Path, values: NDArray[Any], labels: NDArray[Any]) -> NDArray[Any]:
    if values.shape != labels.shape:
        raise DataError(f"{path}: {values.shape} values for {len(labels):,} labels: expected one for each")
    return values


def _faces(path: Path, pixels: NDArray[Any], count: int) -> NDArray[np.uint8]:
    """Grey levels (N, 48, 48) or (N, 2304) as faces."""
    if pixels.size != count * FACE_SIZE**2 or len(pixels) != count or pixels.dtype.kind not in "ui":
        raise DataError(
            f"{path}: faces are {pixels.dtype} {pixels.shape} for {count:,} labels: expected {FACE_SIZE}x{FACE_SIZE} "
            "grey levels for each"
        )
    if count and (pixels.min() < 0 or pixels.max() > np.iinfo(np.uint8).max):
        raise DataError(f"{path}: grey levels lie in {pixels.min()}..{pixels.max()}: expected 0..255")
    return pixels.astype(np.uint8)


def _votes(path: Path, votes: NDArray[Any], names: list[str], count: int) -> NDArray[np.uint8]:
    if names != list(VOTE_CLASSES) or votes.shape != (count, len(names)):
        raise DataError(
            f"{path}: votes {votes.shape} for {', '.join(names) or 'nothing'}: expected one for each row and each of "
            f"{', '.join(VOTE_CLASSES)}"
        )
    if votes.dtype.kind not in "ui" or (count and not 0 <= votes.min() <= votes.max() <= _VOTERS):
        raise DataError(f"{path}: votes are no whole numbers 0..{_VOTERS}")
    return votes.astype(np.uint8)
