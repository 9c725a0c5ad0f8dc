"""Import: a csv, an archive, an exported table, a folder or a table of pictures becomes a store."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.choices import AUTO_CLASSES, TEST_USAGES
from mien.data.columns import GROUP, row_column
from mien.data.reading.class_maps import ClassMap, class_map, terms_of
from mien.data.reading.exported import ReadTable, files_of, reader_of, sha256_of_names
from mien.data.reading.fer2013 import read_fer2013
from mien.data.reading.groups import FOLDER, NO_GROUPS, SEQUENCE, SUBJECT, grouped, listed_column
from mien.data.reading.layouts import FoundPictures, find_pictures, found_in_table
from mien.data.reading.picture_tables import is_picture_table
from mien.data.reading.pictures import FER2013_FACES, FaceKind, read_pictures
from mien.data.rows import FaceRows, ReportProgress, no_progress
from mien.data.store import FaceStore, StoreMeta, write_store
from mien.data.votes import FERPLUS_FILE, eight_labels, read_votes
from mien.errors import DataError, UsageError
from mien.files import refuse_existing
from mien.labels import EMOTIONS, FERPLUS_EMOTIONS

# Between two pieces the hashing thread waits up to 5 ms for the interpreter's lock, so they are large.
_PIECE: Final = 8 << 20


def import_data(  # noqa: PLR0913 - the options of the command
    source: str | Path,
    out: str | Path,
    progress: ReportProgress = no_progress,
    *,
    ferplus: str | Path | None = None,
    layout: str | None = None,
    names: ClassMap | None = None,
    usage: str | None = None,
    skip_damaged: bool = False,
    groups: str | Path | None = None,
    classes: str = AUTO_CLASSES,
    kind: FaceKind = FER2013_FACES,
    terms: str = "",
    tell: Callable[[FoundPictures], None] = lambda _found: None,
) -> FaceStore:
    """Make a store of a FER2013 csv, alone or archived (`read_fer2013`), of a folder of pictures (`find_pictures`), or
    of a csv that names pictures (`mien.data.reading.picture_tables`), or of a table that `mien data export` wrote
    (`mien.data.reading.exported`).

    Args:
        source: the file or folder.
        out: the store's folder, which must not exist; nothing is left there when the import fails.
        progress: told which part of the source has been read.
        ferplus: FER+'s votes for the rows of a csv (`mien.data.votes.read_votes`), kept in the store.
        layout: of a folder of pictures, see `find_pictures`.
        names: likewise, what its classes mean.
        usage: likewise, of all of its pictures.
        skip_damaged: whether pictures of a folder that cannot be read are named on the logger and left out.
        groups: how rows are grouped: of a folder see `mien.data.reading.groups`; of a csv or archive "none", the
            default, or a csv with the columns row and group.
        classes: one of `mien.choices.CLASS_SETS`: of pictures and exported tables see
            `mien.data.reading.class_maps.understood`; of a FER2013 csv "auto", its seven, or with votes "ferplus", the
            eight by `mien.data.votes.eight_labels`.
        kind: of pictures, what their faces are to be like, and what finds them in photos.
        terms: what the data set's owners demand, in short; "" takes what the source says, or is known of the layout.
        tell: told what was found in a folder of pictures before it is read.

    Returns:
        The store, opened.

    Raises:
        DataError: ``source``, ``ferplus`` or ``groups`` is missing or malformed, they do not belong together, or
            ``out`` exists or cannot be written.
        UsageError: ``layout``, ``names`` or ``usage`` do not fit the source.
    """
    source, out = Path(source), Path(out)
    refuse_existing(out)
    read_table = reader_of(source) if layout is None else None
    pictures = read_table is None and (source.is_dir() or is_picture_table(source))
    if ferplus is not None and (pictures or read_table is not None):
        held = f"a {'folder' if source.is_dir() else 'csv'} of pictures" if pictures else "an exported table"
        raise DataError(f"{ferplus}: FER+ votes are for the rows of a FER2013 csv, but {source} is {held}")
    if not pictures:
        _refuse_picture_options(source, layout, names, usage, kind, skip_damaged=skip_damaged)
    if pictures:
        found = _found_pictures(source, layout, names, usage, classes, _text(groups))
        tell(found)
        terms = terms or terms_of([found.layout])
        folder, name = source if source.is_dir() else source.parent, source.resolve().name
        rows, sha256 = read_pictures(
            folder, found.pictures, progress, found.lists, skip_damaged=skip_damaged, kind=kind, classes=found.classes
        )
    elif read_table is not None:
        rows, name, sha256 = _read_table(source, read_table, classes, progress)
        rows.groups = _groups_of_rows(source, groups, len(rows)) or ([] if str(groups) == NO_GROUPS else rows.groups)
    else:
        rows, name, sha256 = _read_file(source, progress)
        rows.groups += _groups_of_rows(source, groups, len(rows))
    faces, labels, usages = rows.arrays()
    votes = rows.vote_counts() if ferplus is None else read_votes(ferplus, usages)
    if read_table is None and not pictures:
        rows.classes, labels = _of_fer2013(source, classes, votes, labels)
    found_in: dict[str, Any] = {"source": name, "source_sha256": sha256, "terms": terms or rows.terms}
    beside: dict[str, Any] = {"votes": votes, "groups": rows.group_names(), "files": rows.file_names()}
    write_store(out, faces, labels, usages, **found_in, classes=rows.classes, **beside)
    return FaceStore.open(out)


def _found_pictures(
    source: Path, layout: str | None, names: ClassMap | None, usage: str | None, classes: str, groups: str | None
) -> FoundPictures:
    """The pictures in a folder, or those that a csv names."""
    if source.is_dir():
        found = find_pictures(source, layout, names, usage, classes=classes, nested=groups == FOLDER)
        return grouped(source, found, groups)
    if layout is not None or groups is not None:
        raise UsageError(
            f"{source}: says itself where its pictures lie and their groups: leave out --layout and --groups"
        )
    return found_in_table(source, class_map(()) if names is None else names, usage, classes)


def _read_table(source: Path, read: ReadTable, classes: str, progress: ReportProgress) -> tuple[FaceRows, str, str]:
    """Rows of an exported table, its name, and its SHA-256."""
    sha256 = sha256_of_names((path.name, sha256_of_file(path)) for path in files_of(source))
    return read(source, progress, classes), source.resolve().name, sha256


def _refuse_picture_options(
    source: Path,
    layout: str | None,
    names: ClassMap | None,
    usage: str | None,
    kind: FaceKind,
    *,
    skip_damaged: bool,
) -> None:
    """Refuse what only pictures have for the rows of a csv."""
    if (layout, names, usage) != (None, None, None):
        named = reader_of(source) is not None and source.is_file()  # a table that names its classes
        what, mend = (
            ("is a table", "; rename the classes in the file") if named else ("has no columns path and label", "")
        )
        raise UsageError(
            f"{source}: {what}, and a layout, a map of names and a usage are for folders of pictures: "
            f"leave them out{mend}"
        )
    if skip_damaged:
        raise UsageError(f"{source}: damaged pictures are skipped in folders of pictures: leave out --skip-damaged")
    if kind != FER2013_FACES:
        raise UsageError(f"{source}: its faces are taken as they are: leave out --detect, --face-size and --colour")


def _of_fer2013(
    source: Path, classes: str, votes: NDArray[np.uint8] | None, labels: NDArray[np.uint8]
) -> tuple[tuple[str, ...], NDArray[np.uint8]]:
    """Names of the classes of a FER2013 csv that were asked for, and the labels."""
    if classes == "ferplus":
        if votes is None:
            raise UsageError(
                f"{source}: --classes ferplus takes its eight classes from FER+'s votes: add --ferplus FILE"
            )
        return FERPLUS_EMOTIONS, eight_labels(votes, labels)
    if classes not in {AUTO_CLASSES, "fer2013"}:
        raise UsageError(f"{source}: its classes are FER2013's seven: leave out --classes {classes}")
    return EMOTIONS, labels


def _text(groups: str | Path | None) -> str | None:
    return None if groups is None else str(groups)


def _groups_of_rows(source: Path, groups: str | Path | None, count: int) -> list[str]:
    """Groups of the rows of a csv."""
    if groups is None or str(groups) == NO_GROUPS:
        return []
    if str(groups) in (SUBJECT, SEQUENCE, FOLDER):
        raise UsageError(f"{source}: has no file names to tell a {groups}: name a csv with the columns row and group")
    return list(map(str, row_column(groups, GROUP, np.arange(count), count)))


def ferplus_beside(source: Path) -> Path | None:
    """The file with FER+'s votes (`FERPLUS_FILE`) in the folder of a csv or archive; None when there is none."""
    beside = source.parent / FERPLUS_FILE
    return beside if source.is_file() and beside.is_file() and reader_of(source) is None else None


def faces_by_class(
    folder: str | Path,
    names: ClassMap,
    progress: ReportProgress = no_progress,
    *,
    kind: FaceKind = FER2013_FACES,
    model: tuple[str, ...] = (),
) -> tuple[FaceStore, dict[str, int]]:
    """A folder with one folder of pictures per class as a data set in memory.

    See `mien.data.reading.split_folders.class_pictures`.

    Args:
        folder: the folder.
        names: what its classes mean.
        progress: told which part of the pictures has been read.
        kind: what the faces are to be like.
        model: classes of a model that is to be judged on them, see `mien.data.reading.class_maps.understood`.

    Returns:
        The data set, every row PrivateTest, and the pictures skipped, by class.

    Raises:
        DataError: the folder is malformed; see there.
    """
    folder = Path(folder)
    found = grouped(folder, _pictures_by_class(folder, names, model), None)
    rows, sha256 = read_pictures(folder, found.pictures, progress, kind=kind, classes=found.classes)
    skipped = {name: pictures for name, (meaning, pictures) in found.counts().items() if meaning is None}
    meta = StoreMeta(len(rows), folder.resolve().name, sha256, classes=found.classes)
    return FaceStore(*rows.arrays(), meta, groups=rows.group_names(), files=rows.file_names()), skipped


def _pictures_by_class(folder: Path, names: ClassMap, model: tuple[str, ...]) -> FoundPictures:
    return find_pictures(folder, "classes", names, TEST_USAGES[-1], classes=model or AUTO_CLASSES)


def column_of_pictures(
    folder: str | Path, names: ClassMap, path: str | Path, column: str, *, model: tuple[str, ...] = ()
) -> NDArray[np.str_]:
    """A column of a csv for the rows that `faces_by_class` makes of a folder, text (N,) in their order.

    Args:
        folder: the folder.
        names: what its classes mean.
        path: the csv: ``file_name``, the picture's path below the folder with slashes, and ``column``.
        column: the name of the column.
        model: as there.

    Raises:
        DataError: the folder or the csv is malformed, or a picture is missing in the csv or unknown.
    """
    folder = Path(folder)
    return listed_column(folder, _pictures_by_class(folder, names, model), path, column)


def _read_file(source: Path, progress: ReportProgress) -> tuple[FaceRows, str, str]:
    """Rows of a file, its name, and its SHA-256."""
    name = source.resolve().name
    if not source.is_file():
        problem = "not a regular file or folder" if source.exists() else "no such file or folder"
        raise DataError(f"{source}: {problem}: expected a FER2013 csv, an archive with one, or a folder of pictures")
    with ThreadPoolExecutor(1) as beside:
        hashing = beside.submit(sha256_of_file, source)
        rows, member = read_fer2013(source, progress)
        return rows, f"{name}:{member}" if member else name, hashing.result()


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, lower-case hexadecimal.

    Raises:
        DataError: the file cannot be read.
    """
    digest, piece = hashlib.sha256(), memoryview(bytearray(_PIECE))
    try:
        with path.open("rb", buffering=0) as file:
            while size := file.readinto(piece):
                digest.update(piece[:size])
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    return digest.hexdigest()
