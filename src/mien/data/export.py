"""A data set as the files that other tools read: folders of pictures, csv, NumPy's npz, Parquet.

============  =========================================================================================  =============
format        what is written                                                                            votes, groups
============  =========================================================================================  =============
folders       ``train|validation|test/<emotion>/<row>.png|jpg``                                          no room
imagefolder   ``train|validation|test/<row>.png|jpg`` and a ``metadata.csv`` in each, as Hugging Face's  columns
              ``datasets`` reads them
numbered      ``train_set|verify_set/<number>.jpg``, ``emotion.csv``, ``pixels.csv``: `write_numbered`  no room
train_val     ``train.csv``, ``val.csv`` and ``train|val/<0..6>/<row>.png|jpg``: `write_train_val`      no room
csv           one file in Kaggle's layout, emotion,pixels,Usage                                          no room
npz           arrays faces, labels, usages, and the names of both                                        arrays
parquet       one line per face: row, usage, label, emotion, pixels                                      columns
============  =========================================================================================  =============

Everything but JPEG keeps every pixel, and all of it is imported again (`mien.data.reading.importing`). An export is
whole or absent (`mien.files`).
"""

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from mien.choices import PICTURE_ENCODINGS, USAGES
from mien.data.columns import FILE, GROUP, ROW, VOTE_COLUMNS
from mien.data.export_reports import ROWS_AT_ONCE, ExportJob, decimal, save_picture, write_numbered, write_train_val
from mien.data.exported_rows import row_cells, row_columns
from mien.data.reading.split_folders import FOLDER_OF_USAGE, METADATA_FILE
from mien.data.rows import ReportProgress, no_progress
from mien.data.store import FaceStore
from mien.errors import DataError, MissingExtraError, UsageError, nearest
from mien.files import refuse_existing, whole_file, whole_folder, writing
from mien.labels import EMOTIONS, VOTE_CLASSES
from mien.preprocess import FACE_SIZE


@dataclass(frozen=True, slots=True)
class Export:
    """What an export wrote and what it had to leave out.

    Args:
        rows: rows written.
        notes: one sentence for each thing of the data set that the format has no room for.
    """

    rows: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Format:
    """How a format is written, and what it can hold; ``merges`` both test usages into one part."""

    write: Callable[[ExportJob], None]
    columns: bool
    fer2013_only: bool = False
    usages: tuple[str, ...] = USAGES
    encodings: bool = False
    numbers: bool = False
    merges: bool = False


def export_data(
    store: FaceStore,
    out: str | Path,
    format: str,
    progress: ReportProgress = no_progress,
    *,
    encoding: str | None = None,
    numbers: bool = False,
) -> Export:
    """Write a data set for other tools.

    Args:
        store: the data set.
        out: the file (csv, npz, parquet) or folder to make; it must not exist.
        format: one of `FORMATS`.
        progress: told which part of the rows has been written.
        encoding: of the pictures of folders and imagefolder, one of `mien.choices.PICTURE_ENCODINGS`; png by default.
        numbers: whether folders calls the folders of classes by their numbers, from 0.

    Raises:
        UsageError: an unknown format or encoding, an option that the format has no use for, or a format for FER2013's
            classes and faces alone.
        DataError: ``out`` exists or cannot be written, or no row is there that the format holds.
        MissingExtraError: parquet without pyarrow.
    """
    chosen = _checked(format, encoding, numbers=numbers)
    if chosen.fer2013_only and (store.classes, store.side, store.channels) != (EMOTIONS, FACE_SIZE, 1):
        others = ", ".join(name for name, entry in FORMATS.items() if not entry.fer2013_only)
        raise UsageError(
            f"the format {format} is for FER2013's classes and its grey faces of {FACE_SIZE}x{FACE_SIZE}; "
            f"write {others} instead"
        )
    out = Path(out)
    refuse_existing(out)
    held = np.isin(store.usages, [USAGES.index(usage) for usage in chosen.usages])
    if not held.any():
        raise DataError(f"{out}: no {' or '.join(chosen.usages)} row to write as {format}")
    chosen.write(ExportJob(store, out, progress, encoding or PICTURE_ENCODINGS[0], numbers))
    progress(1.0)
    notes = list(_left_behind(store, format, chosen))
    if numbers and store.classes != EMOTIONS:
        meanings = ", ".join(f"{number} {name}" for number, name in enumerate(store.classes))
        notes.append(f"names of classes stay behind: {meanings}")
    return Export(int(held.sum()), tuple(notes))


def _checked(name: str, encoding: str | None, *, numbers: bool) -> _Format:
    if name not in FORMATS:
        raise UsageError(f"unknown format {name!r}{nearest(name, FORMATS)}: expected one of {', '.join(FORMATS)}")
    chosen = FORMATS[name]
    if encoding is not None and encoding not in PICTURE_ENCODINGS:
        raise UsageError(f"unknown encoding {encoding!r} of pictures: expected one of {', '.join(PICTURE_ENCODINGS)}")
    for option, given, fits in (
        ("an encoding of pictures", encoding is not None, chosen.encodings),
        ("numbers for emotions", numbers, chosen.numbers),
    ):
        if given and not fits:
            raise UsageError(f"the format {name} has no use for {option}: leave it out")
    return chosen


def _left_behind(store: FaceStore, name: str, chosen: _Format) -> Iterator[str]:
    for usage, counts in store.counts().items():
        if usage not in chosen.usages:
            rows = sum(counts.values())
            yield f"{rows:,} {usage} rows stay behind: {name} holds {' and '.join(chosen.usages)} only"
    if chosen.merges and len(store.counts().keys() - {"Training"}) > 1:
        yield f"PublicTest and PrivateTest are merged: {name} has one part for both, and it comes back as PublicTest"
    if not chosen.columns:
        kept = ", ".join(other for other, fits in FORMATS.items() if fits.columns)
        for what, held in (("FER+'s votes", store.votes), ("groups", store.groups), ("names of files", store.files)):
            if held is not None:
                yield f"{what} stay behind: {name} has no room for them, but {kept} have"


def _write_folders(job: ExportJob) -> None:
    store = job.store
    with whole_folder(job.out) as folder:
        for row in job.tracked(np.arange(len(store))):
            emotion = str(store.labels[row]) if job.numbers else store.class_of(row)
            place = folder / FOLDER_OF_USAGE[USAGES[store.usages[row]]] / emotion
            place.mkdir(parents=True, exist_ok=True)
            save_picture(store.faces[row], place / f"{row:05d}.{job.encoding}")


def _write_imagefolder(job: ExportJob) -> None:
    """Pictures beside their labels, as https://huggingface.co/docs/datasets/image_dataset has it."""
    store = job.store
    tables: dict[str, list[tuple[int | str, ...]]] = {
        usage: [("file_name", *row_columns(store))] for usage in store.counts()
    }
    with whole_folder(job.out) as folder:
        for usage in tables:
            (folder / FOLDER_OF_USAGE[usage]).mkdir()
        for row in job.tracked(np.arange(len(store))):
            usage, name = USAGES[store.usages[row]], f"{row:05d}.{job.encoding}"
            save_picture(store.faces[row], folder / FOLDER_OF_USAGE[usage] / name)
            tables[usage].append((name, *row_cells(store, row)))
        for usage, table in tables.items():
            with (folder / FOLDER_OF_USAGE[usage] / METADATA_FILE).open("w", newline="", encoding="utf-8") as file:
                csv.writer(file, lineterminator="\n").writerows(table)


def _write_csv(job: ExportJob) -> None:
    """Kaggle's ``fer2013.csv``, byte for byte where the data set is all of it."""
    store = job.store
    usages = [usage.encode() for usage in USAGES]
    with _new_file(job.out) as partial, partial.open("wb") as file:
        file.write(b"emotion,pixels,Usage\n")
        for row in job.tracked(np.arange(len(store))):
            file.write(b"%d,%s,%s\n" % (store.labels[row], decimal(store.faces[row]), usages[store.usages[row]]))


def _write_npz(job: ExportJob) -> None:
    """Arrays as in `FaceStore`, and what their numbers mean; read with ``numpy.load(path)``."""
    store = job.store
    arrays: dict[str, Any] = {"faces": store.faces, "labels": store.labels, "usages": store.usages}
    arrays |= {"label_names": np.array(store.classes), "usage_names": np.array(USAGES)}
    if store.votes is not None:
        arrays |= {"votes": store.votes, "vote_names": np.array(VOTE_CLASSES)}
    if store.groups is not None:
        arrays["groups"] = store.groups
    if store.files is not None:
        arrays["files"] = store.files
    if store.meta.terms:
        arrays["terms"] = np.array(store.meta.terms)
    with _new_file(job.out) as partial, partial.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def _write_parquet(job: ExportJob) -> None:
    """One line per face; ``pixels`` are its levels, line by line, of colours red, green, blue. The metadata say source,
    side, channels, names of the classes (JSON), and terms if there are any.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise MissingExtraError("writing Parquet", "tables") from None
    store, meta = job.store, job.store.meta
    numbers: list[tuple[str, Any]] = [(name, pa.uint8()) for name in VOTE_COLUMNS if store.votes is not None]
    numbers += [(GROUP, pa.string())] if store.groups is not None else []
    numbers += [(FILE, pa.string())] if store.files is not None else []
    text = [("usage", pa.string()), ("label", pa.uint8()), ("emotion", pa.string())]
    pixels = pa.list_(pa.uint8(), store.side * store.side * store.channels)
    schema = pa.schema(
        [(ROW, pa.int32()), *text, *numbers, ("pixels", pixels)],
        metadata={
            "source": meta.source,
            "source_sha256": meta.source_sha256,
            "side": str(store.side),
            "channels": str(store.channels),
            "classes": json.dumps(store.classes),
            **({"terms": meta.terms} if meta.terms else {}),
        },
    )
    with _new_file(job.out) as partial, parquet.ParquetWriter(partial, schema, compression="zstd") as writer:
        for start in range(0, len(store), ROWS_AT_ONCE):
            job.progress(start / len(store))
            rows = range(start, min(start + ROWS_AT_ONCE, len(store)))
            cells = zip(*(row_cells(store, row) for row in rows), strict=True)
            faces = pa.FixedSizeListArray.from_arrays(store.faces[rows.start : rows.stop].reshape(-1), type=pixels)
            columns = dict(zip(row_columns(store), cells, strict=True)) | {"pixels": faces}
            writer.write_table(pa.table(columns, schema=schema))


FORMATS: Final[dict[str, _Format]] = {
    "folders": _Format(_write_folders, columns=False, encodings=True, numbers=True),
    "numbered": _Format(write_numbered, columns=False, fer2013_only=True, usages=USAGES[:1]),
    "train_val": _Format(write_train_val, columns=False, fer2013_only=True, encodings=True, merges=True),
    "csv": _Format(_write_csv, columns=False, fer2013_only=True),
    "npz": _Format(_write_npz, columns=True),
    "parquet": _Format(_write_parquet, columns=True),
    "imagefolder": _Format(_write_imagefolder, columns=True, encodings=True),
}
"""What can be written, by name."""


@contextmanager
def _new_file(out: Path) -> Iterator[Path]:
    with writing(out, DataError):
        out.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(out, DataError) as partial:
        yield partial
