"""Tables of faces that `mien data export` wrote, read again: npz, Parquet, and csvs in parts.

===========================  =========================================================================================
source                       rows
===========================  =========================================================================================
``*.npz``                    arrays faces, labels, usages, label_names, usage_names; votes, groups and files if any
Parquet                      a line per face: usage, emotion, pixels; ``votes_*``, group and file if any
``emotion.csv, pixels.csv``  in one folder, neither with a header: all rows are Training
``train.csv, val.csv``       in one folder, emotion and pixels: Training and PublicTest where they state no usage
===========================  =========================================================================================

Names of classes and usages are read, not their numbers, so that files of other tools in this form are read right too.
Side, channels and classes are the file's own, of csvs FER2013's.
"""

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.choices import AUTO_CLASSES, KEEP_CLASSES, USAGES
from mien.data.columns import FILE, GROUP, VOTE_COLUMNS, texts_of
from mien.data.reading.class_maps import Naming, class_map, understood
from mien.data.reading.fer2013 import read_fer2013, read_two_files
from mien.data.reading.table_values import (
    check_labels,
    faces_of,
    names_in,
    number_of_name,
    one_for_each,
    renumbered,
    votes_of,
)
from mien.data.rows import FaceRows, ReportProgress
from mien.data.store import SIDES
from mien.errors import DataError, MissingExtraError, UsageError
from mien.labels import checked_classes, class_key, known_set
from mien.preprocess import FACE_SIZE

_MAGIC: Final = b"PAR1"
_NEEDED: Final = ("faces", "labels", "usages", "label_names", "usage_names")
_EMOTIONS, _PIXELS = "emotion.csv", "pixels.csv"
_TRAIN, _VALIDATION = "train.csv", "val.csv"

ReadTable = Callable[[Path, ReportProgress, str], FaceRows]
"""Reads a source, reports its progress, and gives its rows the classes that are wanted (`mien.choices.CLASS_SETS`)."""


def reader_of(source: Path) -> ReadTable | None:
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


def _read_columns(folder: Path, progress: ReportProgress, classes: str) -> FaceRows:
    _check_fer2013(folder, classes)
    rows = read_two_files(folder / _EMOTIONS, folder / _PIXELS)
    progress(1.0)
    return rows


def _read_parts(folder: Path, progress: ReportProgress, classes: str) -> FaceRows:
    _check_fer2013(folder, classes)
    rows, _ = read_fer2013(folder / _TRAIN, lambda done: progress(done / 2))
    validation, _ = read_fer2013(folder / _VALIDATION, lambda done: progress(0.5 + done / 2))
    if not any(validation.usages):  # no usage is stated
        validation.usages = bytearray([USAGES.index("PublicTest")]) * len(validation)
    rows.extend(validation.arrays()[0], validation.labels, validation.usages)
    return rows


def _check_fer2013(source: Path, classes: str) -> None:
    if classes not in {AUTO_CLASSES, "fer2013"}:
        raise UsageError(f"{source}: its classes are FER2013's seven: leave out --classes {classes}")


def _read_npz(path: Path, progress: ReportProgress, classes: str) -> FaceRows:
    arrays = _arrays(path)
    faces = arrays["faces"]
    naming = _naming(path, names_in(arrays["label_names"]), classes, all_named=True)
    side, channels = _kind(faces.shape)
    labels, usages = (
        renumbered(path, arrays[f"{name}s"], arrays[f"{name}_names"], name, number_of)
        for name, number_of in (("label", _numbers(naming)), ("usage", _usage_index))
    )
    rows = FaceRows(side, channels, naming.classes)
    rows.extend(faces_of(path, faces, len(labels), rows), labels.tolist(), one_for_each(path, usages, labels).tolist())
    if "votes" in arrays:
        names = [str(name) for name in arrays.get("vote_names", ())]
        rows.votes += votes_of(path, arrays["votes"], names, len(labels)).tobytes()
    for name, texts in (("groups", rows.groups), ("files", rows.files)):
        if name in arrays:
            texts.extend(texts_of(path, name, one_for_each(path, arrays[name], labels).tolist()))
    rows.terms = str(arrays.get("terms", ""))
    progress(1.0)
    return rows


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    name = ""
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise DataError(f"{path}: not a whole archive of arrays: expected an npz, as numpy.savez writes")
        with np.load(path, allow_pickle=False) as archive:
            for name in archive.files:
                arrays[name] = _decoded(archive[name])
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: an archive of arrays that cannot be read ({error}); get the file again") from None
    except ValueError:
        raise DataError(
            f"{path}: its array {name} is damaged or holds Python objects, which are not loaded: save numbers or texts"
        ) from None
    if missing := [name for name in _NEEDED if name not in arrays]:
        raise DataError(f"{path}: no array {missing[0]}: expected {', '.join(_NEEDED)}, as `mien data export` writes")
    return arrays


def _read_parquet(path: Path, progress: ReportProgress, classes: str) -> FaceRows:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise MissingExtraError("reading Parquet", "tables") from None
    try:
        with parquet.ParquetFile(path) as file:
            columns = file.schema_arrow.names
            if wrong := [name for name in ("usage", "emotion", "pixels") if columns.count(name) != 1]:
                raise DataError(f"{path}: not one column {wrong[0]}: expected usage, emotion and pixels once")
            if columns.count("label") > 1:
                raise DataError(f"{path}: {columns.count('label')} columns label: expected one at most")
            rows, naming, stated = _described(path, file, classes)
            for number in range(file.num_row_groups):
                _add_table(rows, path, file.read_row_group(number), naming, stated)
                progress((number + 1) / file.num_row_groups)
    except (ArrowException, OSError) as error:
        reason = str(error).splitlines()[0][:100]
        raise DataError(f"{path}: cannot be read, truncated or damaged ({reason}); get the file again") from None
    except (TypeError, ValueError):  # lists of other lengths, or empty cells among numbers
        raise DataError(f"{path}: pixels or votes are not as many numbers in each row; export the data again") from None
    if not len(rows):
        raise DataError(f"{path}: no rows; export the data again")
    return rows


def _described(path: Path, file: Any, classes: str) -> tuple[FaceRows, Naming, list[str]]:
    """No rows yet, of the kind that a Parquet file states; its classes; and the names that it states, if any."""
    metadata = file.schema_arrow.metadata or {}
    stated = {key.decode(errors="replace"): value.decode(errors="replace") for key, value in metadata.items()}
    try:
        side, channels = int(stated.get("side", FACE_SIZE)), int(stated.get("channels", 1))
        names = [str(name) for name in json.loads(stated.get("classes", "[]"))]
    except (ValueError, TypeError):
        raise DataError(f"{path}: its metadata side, channels or classes are damaged; export the data again") from None
    if side not in SIDES or channels not in (1, 3):
        raise DataError(
            f"{path}: faces of {side} pixels with {channels} channels: expected {SIDES[0]}..{SIDES[-1]}, and 1 or 3"
        )
    found = names or sorted(set(texts_of(path, "emotion", file.read(columns=["emotion"])["emotion"].to_pylist())))
    naming = _naming(path, found, classes, all_named=bool(names))
    return FaceRows(side, channels, naming.classes, terms=stated.get("terms", "")), naming, names


def _add_table(rows: FaceRows, path: Path, table: Any, naming: Naming, stated: Sequence[str]) -> None:
    number_of = _numbers(naming)
    emotions = texts_of(path, "emotion", table["emotion"].to_pylist())
    labels = [number_of_name(path, number_of, name) for name in emotions]
    if stated and "label" in table.column_names:
        check_labels(path, table["label"].to_pylist(), emotions, stated, len(rows))
    usages = [number_of_name(path, _usage_index, name) for name in texts_of(path, "usage", table["usage"].to_pylist())]
    pixels = np.array(table["pixels"].to_pylist()) if labels else np.empty((0, rows.values_of_face), np.uint8)
    rows.extend(faces_of(path, pixels, len(labels), rows), labels, usages)
    held = [name for name in VOTE_COLUMNS if name in table.column_names]
    if held:
        votes = np.array([table[name].to_pylist() for name in held], np.int64).reshape(len(held), -1).T
        rows.votes += votes_of(path, votes, [name.removeprefix("votes_") for name in held], len(labels)).tobytes()
    for column, texts in ((GROUP, rows.groups), (FILE, rows.files)):
        if column in table.column_names:
            texts.extend(texts_of(path, column, table[column].to_pylist()))


def _decoded(array: NDArray[Any]) -> NDArray[Any]:
    """Texts, which other tools write as bytes, as texts; other arrays as they are."""
    return np.char.decode(array, "utf-8", "replace") if array.dtype.kind == "S" else array


def _naming(path: Path, names: Sequence[str], wanted: str, *, all_named: bool) -> Naming:
    """The classes of a table by the names in it, and what these mean.

    Args:
        path: the table.
        names: its names.
        wanted: one of `mien.choices.CLASS_SETS`.
        all_named: whether these are all the classes that there are, by number: they are then kept in their order,
            unless they mean all of FER2013's or all of FER+'s.
    """
    numbers = {} if wanted == KEEP_CLASSES else class_map(["fer2013"])
    meant = [numbers.get(class_key(name)) or name for name in names]
    try:
        known = known_set(meant)
        numbered = any(name.isdecimal() for name in names)  # by whoever named them so, not as FER2013 does
        some = wanted == AUTO_CLASSES and (known is None or len(names) < len(known) or numbered)
        if all_named and (some or wanted == KEEP_CLASSES):
            return Naming(checked_classes(names), {name: name for name in names}, kept=True)
        return understood(names, numbers, wanted, in_table=True)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _numbers(naming: Naming) -> Callable[[str], int]:
    """What gives a table's own name for a class its number."""
    numbers: Mapping[str, int | None] = {name: naming.number(name) for name in naming.meanings}

    def number_of(name: str) -> int:
        number = numbers.get(name)
        if number is None:
            raise DataError(f"unknown class {name[:40]!r}: expected one of {', '.join(naming.meanings)}")
        return number

    return number_of


def _kind(shape: tuple[int, ...]) -> tuple[int, int]:
    """Side and channels of an array of faces; FER2013's where it is nothing like one."""
    squares = len(shape) in (3, 4) and shape[1] == shape[2] and shape[1] in SIDES
    if squares and shape[3:] in ((), (1,), (3,)):
        return shape[1], 3 if shape[3:] == (3,) else 1
    return FACE_SIZE, 1


def _usage_index(name: str) -> int:
    known = {usage.lower(): number for number, usage in enumerate(USAGES)}
    if name.lower() not in known:
        raise DataError(f"unknown usage {name[:40]!r}: expected {', '.join(USAGES)}")
    return known[name.lower()]
